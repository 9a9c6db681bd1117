package flight_test

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/lethe-cache/lethe/internal/flight"
)

// bench is a group whose clock is set by hand.
type bench struct {
	*flight.Group[string, int]
	graph  flight.Graph
	clock  uint64
	fences map[string]uint64
}

func newBench() *bench {
	b := &bench{clock: 5, fences: map[string]uint64{}}
	b.Group = flight.NewGroup[string, int](&b.graph, func() uint64 { return b.clock }, func(k string, start uint64) bool { return b.fences[k] > start })
	return b
}

// never is of groups whose keys are not invalidated.
func never[K comparable](K, uint64) bool { return false }

func (b *bench) enter(t *testing.T, k string, a *flight.Ask, want flight.Step) *flight.Flight[int] {
	t.Helper()
	f, step := b.Enter(k, a, nil)
	if step != want {
		t.Fatalf("%s: step %d, want %d", k, step, want)
	}
	return f
}

func TestALeasedCallerSharesWhatBeganAtItsClockOrLaterAndChecksTheRest(t *testing.T) {
	t.Parallel()
	b := newBench()
	f := b.enter(t, "k", &flight.Ask{Clock: 5, Leased: true}, flight.Lead)
	if f.Start != 5 {
		t.Fatalf("born at %d, want at the clock's 5", f.Start)
	}
	b.clock = 6
	for clock, want := range map[uint64]flight.Step{4: flight.Share, 5: flight.Share, 6: flight.Check} {
		if got := b.enter(t, "k", &flight.Ask{Clock: clock, Leased: true}, want); got != f {
			t.Fatal("another flight")
		}
	}
	b.enter(t, "other", &flight.Ask{Clock: 6, Leased: true}, flight.Lead)
	again := &flight.Ask{Clock: 6, Leased: true}
	b.enter(t, "k", again, flight.Check)
	b.End("k", f, 1)
	if f.Start != 5 {
		t.Fatalf("born at %d when it ended, want at its beginning's 5", f.Start)
	}
	if f := b.enter(t, "k", again, flight.Lead); f.Start != 6 {
		t.Fatalf("the further load is born at %d, want 6", f.Start)
	}
}

func TestACallerWithoutALeaseSharesOnlyWhatBeganAfterItAsked(t *testing.T) {
	t.Parallel()
	b := newBench()
	first := b.enter(t, "k", &flight.Ask{}, flight.Lead)
	early, late := &flight.Ask{Clock: 1}, &flight.Ask{Clock: 1}
	for _, a := range []*flight.Ask{early, late} {
		if b.enter(t, "k", a, flight.Queue) != first {
			t.Fatal("another flight")
		}
	}
	b.End("k", first, 1)
	second := b.enter(t, "k", early, flight.Lead)
	if b.enter(t, "k", late, flight.Share) != second {
		t.Fatal("another flight")
	}
	b.enter(t, "k", &flight.Ask{}, flight.Queue)
}

func TestABypassSharesOnlyWhatBeganAfterItAskedForAsMuch(t *testing.T) {
	t.Parallel()
	b := newBench()
	ordinary := b.enter(t, "k", &flight.Ask{Leased: true}, flight.Lead)
	first := b.enter(t, "k", &flight.Ask{Need: 7, Offer: 7}, flight.Lead) // beside the ordinary one
	if first == ordinary || b.Len() != 2 {
		t.Fatalf("%d flights, want an ordinary one and one that bypasses", b.Len())
	}
	same, more := &flight.Ask{Need: 7, Offer: 7}, &flight.Ask{Need: 8, Offer: 8}
	everything := &flight.Ask{Need: flight.All, Offer: flight.All}
	for _, a := range []*flight.Ask{same, more, everything} {
		b.enter(t, "k", a, flight.Queue)
	}
	b.End("k", first, 1)
	second := b.enter(t, "k", same, flight.Lead)
	third := b.enter(t, "k", everything, flight.Lead) // it has waited once: one more, and no third
	if b.enter(t, "k", more, flight.Share) != third {
		t.Fatal("another flight")
	}
	b.End("k", third, 1)
	if b.enter(t, "k", &flight.Ask{Need: 6, Offer: 6}, flight.Queue) != second {
		t.Fatal("another flight")
	}
	if b.enter(t, "k", &flight.Ask{Leased: true}, flight.Share) != ordinary {
		t.Fatal("an ordinary read joined a bypass")
	}
}

func TestACallerDoesNotQueueForEver(t *testing.T) {
	t.Parallel()
	b := newBench()
	older := b.enter(t, "k", &flight.Ask{Need: 1, Offer: 1}, flight.Lead)
	b.enter(t, "k", &flight.Ask{Need: 1, Offer: 1}, flight.Queue)
	b.End("k", older, 1)
	a := &flight.Ask{Need: flight.All, Offer: flight.All}
	for range 2 {
		b.full(t, 1)
		f := b.enter(t, "k", a, flight.Queue)
		b.End("k", f, 1)
	}
	b.full(t, 1)
	own := b.enter(t, "k", a, flight.Alone)
	if b.Len() != 2 || !b.End("k", own, 2) || b.Len() != 2 {
		t.Fatal("the load of its own got in the way of the flights")
	}
}

// full has k loaded by two bypassing flights.
func (b *bench) full(t *testing.T, offer uint64) {
	t.Helper()
	for b.Len() < 2 {
		a := &flight.Ask{Need: offer, Offer: offer}
		if f, step := b.Enter("k", a, nil); step == flight.Queue {
			b.enter(t, "k", a, flight.Lead) // it asks again
		} else if step != flight.Lead {
			t.Fatalf("step %d, flight %v", step, f)
		}
	}
}

func TestACallerThatAFenceKeepsFromTheFlightLeadsOneMoreAtOnce(t *testing.T) {
	t.Parallel()
	b := newBench()
	first := b.enter(t, "k", &flight.Ask{Clock: 5, Leased: true}, flight.Lead)
	b.clock = 6
	b.enter(t, "k", &flight.Ask{Clock: 6, Leased: true}, flight.Check) // of another label, as far as is known
	b.fences["k"] = 6
	b.enter(t, "k", &flight.Ask{Clock: 6}, flight.Queue) // without a lease: one at a time
	second := b.enter(t, "k", &flight.Ask{Clock: 6, Leased: true}, flight.Lead)
	if second == first || second.Start != 6 {
		t.Fatalf("born at %d, want a flight born at 6", second.Start)
	}
	for clock, want := range map[uint64]*flight.Flight[int]{5: second, 6: second} {
		if b.enter(t, "k", &flight.Ask{Clock: clock, Leased: true}, flight.Share) != want {
			t.Fatal("another flight")
		}
	}
	b.clock, b.fences["k"] = 7, 7
	late := &flight.Ask{Clock: 7, Leased: true}
	if b.enter(t, "k", late, flight.Queue) != second || b.Len() != 2 {
		t.Fatal("a third flight, or a wait for the first")
	}
	b.End("k", first, 1)
	if f := b.enter(t, "k", late, flight.Lead); f.Start != 7 {
		t.Fatalf("born at %d", f.Start)
	}
	b.End("k", second, 2)
	if b.Len() != 1 {
		t.Fatalf("%d flights, want the last", b.Len())
	}
}

func TestACallerWhosePatienceIsOverLeadsOneMore(t *testing.T) {
	t.Parallel()
	for name, a := range map[string]flight.Ask{"leased": {Clock: 6, Leased: true}, "unleased": {Clock: 6}, "bypass": {Need: 2, Offer: 2}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench()
			first := b.enter(t, "k", &flight.Ask{Need: min(a.Need, 1), Offer: min(a.Need, 1)}, flight.Lead)
			b.clock = 6
			other, step := b.Enter("k", &a, nil)
			if other != first || step != flight.Check && step != flight.Queue {
				t.Fatalf("step %d", step)
			}
			second := b.enter(t, "k", &a, flight.Lead)
			another := flight.Ask{Clock: 6, Leased: a.Leased, Need: a.Need, Offer: a.Offer}
			if f, _ := b.Enter("k", &another, nil); f != second {
				t.Fatal("one that asks now has the first flight to wait for, or a third")
			}
			b.End("k", second, 2) // before the first
			if b.Len() != 1 || closed(first.Done()) {
				t.Fatal("the first flight has gone with the second")
			}
			b.End("k", first, 1)
			if b.Len() != 0 {
				t.Fatal("a flight is left")
			}
		})
	}
}

func TestAFlightThatWaitsForItsTurnIsWaitedFor(t *testing.T) {
	t.Parallel()
	b := newBench()
	first := b.enter(t, "k", &flight.Ask{Clock: 5, Leased: true}, flight.Lead)
	b.Delay(first)
	b.clock, b.fences["k"] = 6, 6
	a := &flight.Ask{Clock: 6, Leased: true}
	for range 3 { // its patience may end as often as it likes
		b.enter(t, "k", a, flight.Check)
	}
	b.clock = 7
	b.Began(first)
	if first.Start != 7 {
		t.Fatalf("born at %d, want when its load began", first.Start)
	}
	b.enter(t, "k", a, flight.Share)
	b.clock, b.fences["k"] = 8, 8
	b.enter(t, "k", &flight.Ask{Clock: 8, Leased: true}, flight.Lead)
}

func TestReadsBelowOneOutermostReadShareWhatBeganAfterIt(t *testing.T) {
	t.Parallel()
	b := newBench()
	before := b.enter(t, "before", &flight.Ask{}, flight.Lead)
	outermost := b.enter(t, "outermost", &flight.Ask{}, flight.Lead)
	since := b.graph.Begun()
	nested := func() *flight.Ask { return &flight.Ask{Parent: outermost.Load, Since: since} }
	child := b.enter(t, "k", nested(), flight.Lead)
	other := b.enter(t, "other", &flight.Ask{}, flight.Lead)
	if b.enter(t, "k", nested(), flight.Check) != child || b.enter(t, "other", nested(), flight.Check) != other {
		t.Fatal("another flight")
	}
	if b.enter(t, "before", nested(), flight.Queue) != before {
		t.Fatal("another flight")
	}
	b.fences["k"] = 6
	b.enter(t, "k", nested(), flight.Lead) // fenced: of no use

	// What a load below an outermost read brings may be made of what is older than one that asked in between.
	waiting := &flight.Ask{}
	first := b.enter(t, "late", &flight.Ask{}, flight.Lead)
	b.enter(t, "late", waiting, flight.Queue)
	b.End("late", first, 1)
	below := b.enter(t, "late", nested(), flight.Lead) // begun after it asked, and not good for it
	if b.enter(t, "late", waiting, flight.Lead) == below {
		t.Fatal("the flight below")
	}
}

func TestAFlightEndsOnce(t *testing.T) {
	t.Parallel()
	b := newBench()
	f := b.enter(t, "k", &flight.Ask{}, flight.Lead)
	if closed(f.Done()) {
		t.Fatal("done before the end")
	}
	if !b.End("k", f, 1) || !closed(f.Done()) {
		t.Fatal("the end did not end it")
	}
	next := b.enter(t, "k", &flight.Ask{}, flight.Lead)
	if b.End("k", f, 2) || f.Result() != 1 || b.Len() != 1 {
		t.Fatalf("ended again, with %d, and %d flights are left", f.Result(), b.Len())
	}
	b.End("k", next, 3)
	if b.Len() != 0 {
		t.Fatal("a flight is left")
	}
}

func TestAKeyThatWaitsForItselfIsACycleInEveryLane(t *testing.T) {
	t.Parallel()
	b := newBench()
	f := b.enter(t, "k", &flight.Ask{}, flight.Lead)
	child := b.enter(t, "child", &flight.Ask{Parent: f.Load}, flight.Lead)
	bypass := flight.Ask{Parent: child.Load, Need: flight.All, Offer: flight.All}
	for _, a := range []flight.Ask{{Parent: f.Load}, {Parent: child.Load}, bypass} {
		b.enter(t, "k", &a, flight.Cycle)
	}
	own := b.Alone("x", &flight.Ask{Parent: child.Load})
	b.enter(t, "x", &flight.Ask{Parent: own.Load}, flight.Cycle)
	b.enter(t, "k", &flight.Ask{Parent: own.Load}, flight.Cycle)
	b.enter(t, "x", &flight.Ask{}, flight.Lead) // nobody finds the one alone

	under := b.enter(t, "k", &flight.Ask{Need: 1, Offer: 1}, flight.Lead)
	b.enter(t, "k", &flight.Ask{Parent: under.Load}, flight.Cycle)

	other := flight.NewGroup[string, int](&b.graph, func() uint64 { return 0 }, never[string])
	if _, step := other.Enter("k", &flight.Ask{Parent: f.Load}, nil); step != flight.Lead {
		t.Fatalf("the same key of another function: step %d, want lead", step)
	}
	if _, step := other.Enter("x", &flight.Ask{Parent: own.Load}, nil); step != flight.Lead {
		t.Fatalf("the same key of another function, below one alone: step %d, want lead", step)
	}
}

func TestAWaitThatWouldCloseACircleLoadsAlone(t *testing.T) {
	t.Parallel()
	b := newBench()
	left := b.enter(t, "left", &flight.Ask{Leased: true}, flight.Lead)
	right := b.enter(t, "right", &flight.Ask{Leased: true}, flight.Lead)
	middle := b.enter(t, "middle", &flight.Ask{Leased: true, Parent: right.Load}, flight.Lead)
	if b.enter(t, "right", &flight.Ask{Leased: true, Parent: left.Load}, flight.Share) != right {
		t.Fatal("another flight")
	}
	own := b.enter(t, "left", &flight.Ask{Leased: true, Parent: middle.Load}, flight.Alone) // left -> right -> middle -> left
	b.End("left", own, 1)
	b.graph.Leave(middle.Load, own.Load)
	b.graph.Leave(left.Load, right.Load) // left gave up: now there is no circle
	b.enter(t, "left", &flight.Ask{Leased: true, Parent: middle.Load}, flight.Share)
}

func TestAWaitCountsUntilItsLastWaiterLeaves(t *testing.T) {
	t.Parallel()
	b := newBench()
	parent := b.enter(t, "parent", &flight.Ask{}, flight.Lead)
	child := b.enter(t, "child", &flight.Ask{Leased: true, Parent: parent.Load}, flight.Lead)
	b.enter(t, "child", &flight.Ask{Leased: true, Parent: parent.Load}, flight.Share) // a second goroutine of the loader
	b.graph.Leave(parent.Load, child.Load)
	other := b.enter(t, "other", &flight.Ask{Leased: true, Parent: child.Load}, flight.Lead)
	outside := b.graph.Begin(other.Load)
	if parent.Load.Waits() != 1 {
		t.Fatalf("waits for %d, want for the child still", parent.Load.Waits())
	}
	b.graph.Leave(other.Load, outside)
	b.graph.Leave(parent.Load, child.Load)
	if parent.Load.Waits() != 0 {
		t.Fatal("waits on")
	}
}

func TestABatchIsOneLoadOfItsKeys(t *testing.T) {
	t.Parallel()
	b := newBench()
	parent := b.enter(t, "parent", &flight.Ask{}, flight.Lead)
	busy := b.enter(t, "busy", &flight.Ask{Leased: true}, flight.Lead)
	load := b.graph.Begin(parent.Load)
	var led []*flight.Flight[int]
	for k, want := range map[string]flight.Step{"a": flight.Lead, "b": flight.Lead, "busy": flight.Share} {
		f, step := b.Enter(k, &flight.Ask{Leased: true, Parent: parent.Load}, load)
		if step != want {
			t.Fatalf("%s: step %d, want %d", k, step, want)
		}
		if step == flight.Lead && f.Load != load || step == flight.Share && f != busy {
			t.Fatalf("%s: the wrong load or flight", k)
		}
		led = append(led, f)
	}
	for _, k := range []string{"a", "b", "parent"} {
		b.enter(t, k, &flight.Ask{Parent: load}, flight.Cycle)
	}
	if len(led) != 3 || parent.Load.Waits() != 2 {
		t.Fatalf("the parent waits for %d loads, want for the batch and the busy one", parent.Load.Waits())
	}
}

// A clock read outside the lock could be older than a flight's key being free: the further load would not be good either.
func TestAFlightIsBornUnderTheLockOfItsGroup(t *testing.T) {
	t.Parallel()
	var graph flight.Graph
	var g *flight.Group[string, int]
	read := 0
	g = flight.NewGroup[string, int](&graph, func() uint64 {
		read++
		if !g.Held() {
			t.Error("the clock is read outside the lock")
		}
		return 0
	}, never[string])
	g.Enter("k", &flight.Ask{}, nil)
	g.Alone("k", &flight.Ask{})
	if read != 2 {
		t.Fatalf("the clock was read %d times for two flights", read)
	}
}

func TestManyCallersShareOneLoadAtATime(t *testing.T) {
	t.Parallel()
	var graph flight.Graph
	var clock, running, loads atomic.Uint64
	g := flight.NewGroup[int, uint64](&graph, clock.Load, never[int])
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 400 {
				a := &flight.Ask{Clock: clock.Load(), Leased: (w+i)%3 > 0}
				for again := true; again && !t.Failed(); {
					f, step := g.Enter(1, a, nil)
					if step == flight.Lead {
						if running.Add(1) > 1 {
							t.Error("two loads of one key at a time")
						}
						loads.Add(1)
						running.Add(^uint64(0))
						g.End(1, f, f.Start)
					}
					<-f.Done()
					again = step == flight.Queue || step == flight.Check
					if !again && f.Result() < a.Clock {
						t.Errorf("born at %d for a caller of %d", f.Result(), a.Clock)
					}
				}
				clock.Add(1)
			}
		})
	}
	wg.Wait()
	if g.Len() != 0 || loads.Load() == 0 {
		t.Fatalf("%d flights are left after %d loads", g.Len(), loads.Load())
	}
}
