package lethe

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/lethe-cache/lethe/internal/fence"
)

// checkSample fails unless s is within its bounds and its index is of exactly the labels its keys carry.
func checkSample(t *rapid.T, s *sample) {
	if len(s.keys) > s.most || len(s.suspects) > maxSuspects {
		t.Fatalf("%d keys, %d suspects", len(s.keys), len(s.suspects))
	}
	indexed := 0
	for text, a := range s.keys {
		if a.text != text {
			t.Fatalf("%q stands for %q", text, a.text)
		}
		for _, l := range a.labels {
			indexed++
			if _, ok := s.byLabel[l][a]; !ok {
				t.Fatalf("%q is not found by its label %d", text, l)
			}
		}
	}
	for _, as := range s.byLabel {
		if indexed -= len(as); len(as) == 0 {
			t.Fatal("an empty set is kept")
		}
	}
	if indexed != 0 {
		t.Fatalf("%d keys are found by labels they don't carry", -indexed)
	}
	for i, q := range s.queues {
		seen := map[*audited]bool{}
		for j, c := range q {
			switch {
			case len(q) > s.most:
				t.Fatalf("%d checks of age %d", len(q), i)
			case seen[c.audited]:
				t.Fatalf("two checks of %q at age %d", c.text, i)
			case !c.due[i]:
				t.Fatalf("%q does not know that it is due", c.text)
			case j > 0 && c.at < q[j-1].at:
				t.Fatalf("age %d is out of order", i)
			}
			seen[c.audited] = true
		}
		for _, a := range s.keys {
			if a.due[i] && !seen[a] {
				t.Fatalf("%q is never checked again at age %d", a.text, i)
			}
		}
	}
}

func TestTheSampleStaysWithinItsBoundsAndEachKeyIsDueOnceAnAge(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := newSample(rapid.IntRange(1, 6).Draw(t, "most"))
		now := int64(0)
		labels := func() (ls []uint64) {
			return slices.Compact(slices.Sorted(slices.Values(rapid.SliceOfN(rapid.Uint64Range(1, 5), 1, 4).Draw(t, "labels"))))
		}
		touched := map[string]bool{}
		t.Repeat(map[string]func(*rapid.T){
			"stored": func(t *rapid.T) {
				k := rapid.Uint64Range(0, 20).Draw(t, "key")
				text, had := fmt.Sprint(k), slices.Collect(func(yield func(uint64) bool) {
					for _, a := range s.keys {
						if a.end > now && !yield(a.hash) {
							return
						}
					}
				})
				l := &fence.Life{Labels: labels(), End: now + rapid.Int64Range(1, int64(time.Minute)).Draw(t, "life")}
				s.stored(k, text, k, l, now)
				if a := s.keys[text]; a != nil && !slices.Equal(a.labels, l.Labels) {
					t.Fatal("it has the labels of what was there before")
				}
				if s.keys[text] == nil && (len(had) < s.most && now-s.swept == 0 || k < slices.Max(append(had, 0)) && len(had) == s.most) {
					t.Fatalf("%d is not taken; there are %v of %d", k, had, s.most)
				}
			},
			"touched": func(t *rapid.T) {
				ls := labels()
				s.touched(ls, now, touch{id: "e"})
				for text, a := range s.keys {
					if concerned := slices.ContainsFunc(a.labels, func(l uint64) bool { return slices.Contains(ls, l) }); concerned {
						touched[text] = true
					} else if a.due[0] && !touched[text] {
						t.Fatalf("%q is due, and was never touched", text)
					}
				}
			},
			"suspect": func(*rapid.T) {
				for _, a := range s.keys {
					s.suspect(&auditCheck{audited: a, doubt: &doubt{}}, now+auditSettles)
					break
				}
			},
			"forget": func(*rapid.T) {
				for _, a := range s.keys {
					s.forget(a)
					break
				}
			},
			"time": func(t *rapid.T) {
				now += rapid.Int64Range(0, int64(20*time.Second)).Draw(t, "passes")
				last := int64(0)
				for {
					c, wait := s.next(now)
					if c == nil {
						if wait <= 0 {
							t.Fatalf("nothing is due, for %v", wait)
						}
						break
					}
					if c.at > now || c.at < last {
						t.Fatalf("due at %d after %d, at %d", c.at, last, now)
					}
					last = c.at
				}
			},
			"": func(t *rapid.T) { checkSample(t, &s) },
		})
	})
}

func TestOverItsBoundTheSampleKeepsTheKeysOfLowestHashAndDropsTheDeadFirst(t *testing.T) {
	t.Parallel()
	s := newSample(3)
	store := func(hash uint64, end, now int64) {
		s.stored(hash, fmt.Sprint(hash), hash, &fence.Life{Labels: []uint64{hash, 99}, End: end}, now)
	}
	has := func(want ...uint64) {
		t.Helper()
		var have []uint64
		for _, a := range s.keys {
			have = append(have, a.hash)
		}
		slices.Sort(have)
		if !slices.Equal(have, want) {
			t.Fatalf("%v are sampled, want %v", have, want)
		}
	}
	for _, hash := range []uint64{50, 10, 40, 30, 20, 60} {
		store(hash, int64(time.Hour), 1)
	}
	has(10, 20, 30)
	store(10, 5, 2)
	store(60, int64(time.Hour), sweepEvery+1) // 10 is dead
	has(20, 30, 60)
	s.touched([]uint64{99}, 0, touch{})
	store(5, int64(time.Hour), 3)
	s.touched([]uint64{5}, 1, touch{}) // the check of one that has left is dropped
	if got := s.losses(); got != uint64(len(auditAges)) {
		t.Fatalf("%d checks dropped", got)
	}
}
