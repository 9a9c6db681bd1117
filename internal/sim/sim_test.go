package sim

import (
	"bytes"
	"reflect"
	"slices"
	"testing"

	"github.com/lethe-cache/lethe/internal/cursor"
)

// TestAFleetKeepsItsPromises runs a fixed block of seeds, and requires that they were no calm sea.
func TestAFleetKeepsItsPromises(t *testing.T) {
	t.Parallel()
	s := New()
	var sum Counts
	steps := 0
	for seed := uint64(1); seed <= 100; seed++ {
		r := s.Run(seed, Options{})
		if r.Violation != nil {
			t.Errorf("seed %d: %v", seed, r.Violation)
		}
		steps += r.Steps
		sum.Add(&r.Counts)
	}
	t.Logf("%d steps\n%s", steps, &sum)
	if steps < 1_000_000 {
		t.Errorf("%d steps: too few to say anything", steps)
	}
	for i, v := 0, reflect.ValueOf(sum); i < v.NumField(); i++ {
		if f := v.Field(i); f.Kind() == reflect.Uint64 && f.Uint() == 0 {
			t.Errorf("no %s: nothing was tried there", v.Type().Field(i).Name)
		}
	}
	for _, cause := range []cursor.Cause{
		cursor.Start, cursor.Epoch, cursor.Reused, cursor.Back, cursor.Head, cursor.Hole, cursor.Backlog, cursor.LostTold,
	} {
		if sum.Resets[cause] == 0 {
			t.Errorf("no Reset because of %q", cause)
		}
	}
}

func TestTheSameSeedDoesTheSameAgain(t *testing.T) {
	t.Parallel()
	one, other := New(), New()
	for seed := uint64(100); seed < 104; seed++ {
		var first, second bytes.Buffer
		a := one.Run(seed, Options{Steps: 5000, Trace: &first})
		other.Run(seed+1, Options{Steps: 5000})
		b := other.Run(seed, Options{Steps: 5000, Trace: &second})
		if !reflect.DeepEqual(a, b) || !bytes.Equal(first.Bytes(), second.Bytes()) {
			t.Errorf("seed %d did two things:\n%+v\n%+v", seed, a, b)
		}
		if c := one.Run(seed, Options{Steps: 5000}); c.Digest != a.Digest {
			t.Errorf("seed %d does another thing when nobody looks", seed)
		}
	}
}

// TestAPlantedBugIsFoundAndShrinks lets one tag raise the fence of another, everywhere in the fleet.
func TestAPlantedBugIsFoundAndShrinks(t *testing.T) {
	t.Parallel()
	s := New()
	s.names.targets[target{kind: ofTag, i: 3}] = s.names.targets[target{kind: ofTag, i: 4}]
	for seed := uint64(1); seed < 50; seed++ {
		r := s.Run(seed, Options{})
		if r.Violation == nil {
			continue
		}
		p, small := s.Shrink(seed, Options{}, 500)
		if small.Violation == nil || small.Violation.Promise != r.Violation.Promise {
			t.Fatalf("seed %d broke %v, and shrunk it broke %v", seed, r.Violation, small.Violation)
		}
		if p.Len() > 10 || p.Len() >= r.Decisions {
			t.Errorf("seed %d: %d of %d decisions are left:\n%s", seed, p.Len(), r.Decisions, p)
		}
		again := s.Replay(p, Options{})
		if !reflect.DeepEqual(again.Violation, small.Violation) {
			t.Errorf("what is left of seed %d does not do the same again: %v, %v", seed, small.Violation, again.Violation)
		}
		t.Logf("seed %d: %d of %d decisions are left, %d of %d steps\n%v\n%s", seed, p.Len(), r.Decisions, small.Steps, r.Steps, small.Violation, p)
		return
	}
	t.Fatal("49 seeds, and none found it")
}

func TestTheQueueIsInOrder(t *testing.T) {
	t.Parallel()
	r := rnd{1}
	var q queue
	var want []event
	for i := range uint64(3000) {
		e := event{at: r.span(0, 50), order: i}
		q.push(e)
		want = append(want, e)
		if r.chance(3000) {
			slices.SortFunc(want, func(a, b event) int {
				if a.before(&b) {
					return -1
				}
				return 1
			})
			if got := q.pop(); got.at != want[0].at || got.order != want[0].order {
				t.Fatalf("popped %v, want %v", got, want[0])
			}
			want = want[1:]
		}
	}
}
