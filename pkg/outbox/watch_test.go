package outbox

import (
	"errors"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// hall is what two processes see of each other, with a clock that is moved by hand.
type hall struct {
	w   watch
	now time.Duration
}

func newHall(id string) *hall {
	return &hall{w: watch{id: id, times: defaults(), seen: map[string]sight{}}}
}

// look is a beat, after some time.
func (h *hall) look(after time.Duration, at place, bus record, relays ...other) verdict {
	h.now += after
	v := h.w.judge(h.now, at, at.epoch != "", false, bus, relays, queue{})
	h.w.agreed(v, at)
	return v
}

var (
	here  = place{"shop", "E1"}
	there = place{"shop", "E2"}
)

func TestOfSilenceOnlyWhatWasWatchedCounts(t *testing.T) {
	t.Parallel()
	h := newHall("a")
	worker := other{"b", here, 7}
	bus := record{here, "b"}
	for range 5 {
		if v := h.look(time.Second, here, bus, worker); v.work {
			t.Fatal("the work was taken from one that was silent for less than five seconds")
		}
	}
	// This process was stopped for an hour, and so perhaps was the other.
	if v := h.look(time.Hour, here, bus, other{"b", here, 8}); v.work {
		t.Fatal("the other has beaten")
	}
	if v := h.look(time.Hour, here, bus, other{"b", here, 8}); v.work {
		t.Fatal("nobody has watched for that hour")
	}
	for range 4 {
		h.look(time.Second, here, bus, other{"b", here, 8})
	}
	if v := h.look(time.Second, here, bus, other{"b", here, 8}); !v.work || v.worker != "a" || !v.changed {
		t.Fatalf("%+v: the worker is silent", v)
	}
}

func TestWorkIsTakenFromNobodyAliveAndOnlyByWhoIsOnTheBus(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		at     place
		bus    record
		relays []other
		work   bool
		worker string
	}{
		{"nobody works", here, record{here, ""}, nil, true, "a"},
		{"one that signed off", here, record{here, "gone"}, nil, true, "a"},
		{"one that is alive", here, record{here, "b"}, []other{{"b", here, 1}}, false, "b"},
		{"itself", here, record{here, "a"}, nil, true, "a"},
		{"the first bus ever", here, record{}, nil, true, "a"},
		{"on another bus", there, record{here, ""}, []other{{"b", here, 1}}, false, ""},
		{"itself, on another bus by now", there, record{here, "a"}, []other{{"b", here, 1}}, false, ""},
		{"on no bus yet", place{}, record{here, "a"}, nil, false, ""},
	} {
		v := newHall("a").look(0, tc.at, tc.bus, tc.relays...)
		worker := tc.bus.worker
		if v.changed {
			worker = v.worker
		}
		if v.work != tc.work || worker != tc.worker {
			t.Errorf("%s: %+v", tc.name, v)
		}
	}
}

func TestAnotherBusIsTakenOverWhenItsRelaysHaveBeenSilentForAMinute(t *testing.T) {
	t.Parallel()
	h := newHall("a")
	bus, old := record{here, "b"}, other{"b", here, 3}
	for range 60 {
		v := h.look(time.Second, there, bus, old)
		if !errors.Is(v.err, ErrOtherBus) || v.bus || v.ok || v.work {
			t.Fatalf("%+v", v)
		}
	}
	v := h.look(time.Second, there, bus, old)
	if v.err != nil || !v.bus || !v.owed || !v.ok || !v.work || !slices.Equal(v.gone, []string{"b"}) {
		t.Fatalf("%+v", v)
	}
}

func TestWhatKeepsABusAndWhatDoesNot(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		was    place // agreed on before by this process
		bus    place
		relays []other
		owed   bool
		err    bool
	}{
		{"nobody is left", place{}, here, nil, true, false},
		{"a relay on the recorded one", place{}, here, []other{{"b", here, 1}}, false, true},
		{"a relay on a third one", place{}, here, []other{{"b", place{"shop", "E3"}, 1}}, false, true},
		{"a relay of another fleet on a stream of the same name", place{}, here, []other{{"b", place{"other", "E2"}, 1}}, false, true},
		{"a relay that is on no bus yet", place{}, here, []other{{"b", place{}, 1}}, true, false},
		{"a relay on this one", place{}, here, []other{{"b", there, 1}}, true, false},
		{"the node came from there", here, here, []other{{"b", here, 1}}, true, false},
		{"the node came from elsewhere", place{"shop", "E3"}, here, []other{{"b", here, 1}}, false, true},
	} {
		h := newHall("a")
		h.w.was = tc.was
		v := h.look(0, there, record{tc.bus, ""}, tc.relays...)
		if v.owed != tc.owed || errors.Is(v.err, ErrOtherBus) != tc.err || v.bus != tc.owed || v.ok != !tc.err {
			t.Errorf("%s: %+v", tc.name, v)
		}
	}
}

func TestTheFirstBusOwesNothing(t *testing.T) {
	t.Parallel()
	if v := newHall("a").look(0, here, record{}); !v.bus || v.owed || !v.ok {
		t.Fatalf("%+v", v)
	}
}

// A relay without the lease tries rows that stand for too long, and takes the lease once it has published one.
func TestRowsThatStandAreTriedBesideTheWorkerAndTheWorkPassesToOneThatPublishesThem(t *testing.T) {
	t.Parallel()
	h := newHall("b")
	beat := int64(0)
	look := func(proven bool, worker string, q queue) verdict {
		h.now += time.Second
		beat++ // everybody is alive
		return h.w.judge(h.now, here, true, proven, record{here, worker}, []other{{"a", here, beat}, {"c", here, beat}}, q)
	}
	for i := range 10 { // rows come and go
		if v := look(false, "a", queue{first: int64(i + 1), last: int64(i + 5)}); v.overdue != 0 || v.work {
			t.Fatalf("nothing stands: %+v", v)
		}
	}
	for i := range 5 {
		if v := look(false, "a", queue{first: 11, last: int64(20 + i)}); v.overdue != 0 || v.work {
			t.Fatalf("row 11 has stood for %d s: %+v", i, v)
		}
	}
	v := look(false, "a", queue{first: 11, last: 25})
	if v.overdue != 20 || v.work || v.worker != "a" || v.changed {
		t.Fatalf("rows up to 20 have waited for five seconds: %+v", v)
	}
	if v := look(true, "c", queue{first: 12, last: 25}); v.work || v.changed {
		t.Fatalf("another has taken the work from that worker already: %+v", v)
	}
	for range 6 {
		v = look(false, "c", queue{first: 12, last: 25})
	}
	if v.overdue != 25 {
		t.Fatalf("%+v", v)
	}
	if v = look(true, "c", queue{first: 13, last: 25}); !v.work || v.worker != "b" || !v.changed || v.overdue != 0 {
		t.Fatalf("it has published what the worker did not: %+v", v)
	}
	for range 20 {
		if v = look(false, "b", queue{first: 13, last: 25}); !v.work || v.changed || v.overdue != 0 {
			t.Fatalf("who has the work keeps it: %+v", v)
		}
	}
}

func TestWhoIsOnAnotherBusTriesNothing(t *testing.T) {
	t.Parallel()
	h := newHall("b")
	for i := range 30 {
		h.now += time.Second
		v := h.w.judge(h.now, there, true, true, record{here, "a"}, []other{{"a", here, int64(i)}}, queue{first: 1, last: 1})
		if v.overdue != 0 || v.work || !errors.Is(v.err, ErrOtherBus) {
			t.Fatalf("%+v", v)
		}
	}
}

// Processes on two buses come, go, are stopped and look in any order, each in a transaction of its own.
func TestNeverDoRelaysOfTwoBusesWorkUnlessOneWasSilent(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		const n = 4
		var (
			halls  [n]*hall
			at     [n]place
			on     [n]bool
			beaten [n]time.Duration // when each looked last
			beat   [n]int64
			bus    record
			now    time.Duration
		)
		id := func(i int) string { return string(rune('a' + i)) }
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			i := rapid.IntRange(0, n-1).Draw(t, "who")
			now += rapid.SampledFrom([]time.Duration{0, 100 * time.Millisecond, time.Second, 20 * time.Second}).Draw(t, "time")
			if rapid.IntRange(0, 20).Draw(t, "what") == 0 { // it ends, and another starts in its place
				if on[i] && bus.worker == id(i) {
					bus.worker = ""
				}
				on[i], halls[i] = false, nil
				continue
			}
			if halls[i] == nil {
				halls[i] = newHall(id(i))
				at[i] = rapid.SampledFrom([]place{here, there}).Draw(t, "bus")
			}
			on[i], beaten[i] = true, now
			beat[i]++
			var relays []other
			for j := range n {
				if on[j] {
					relays = append(relays, other{id(j), at[j], beat[j]})
				}
			}
			h := halls[i]
			before := bus
			v := h.look(now-h.now, at[i], bus, relays...)
			if v.bus {
				bus.place = at[i]
				for j := range n {
					if on[j] && at[j] != at[i] && now-beaten[j] < time.Minute {
						t.Fatalf("%s took the bus over from %v while %s was heard of %v ago", id(i), before, id(j), now-beaten[j])
					}
				}
				if !v.owed && before.place != (place{}) {
					t.Fatalf("%s took the bus over and owes it nothing", id(i))
				}
			}
			if v.changed {
				bus.worker = v.worker
			}
			if v.work && (bus.place != at[i] || bus.worker != id(i)) {
				t.Fatalf("%s works on %v: %+v", id(i), at[i], bus)
			}
			if v.work && before.worker != id(i) && before.worker != "" {
				if j := int(before.worker[0] - 'a'); on[j] && now-beaten[j] < 5*time.Second && at[j] == bus.place {
					t.Fatalf("%s took the work from %s, heard of %v ago", id(i), before.worker, now-beaten[j])
				}
			}
		}
	})
}
