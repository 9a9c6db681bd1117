package lethe_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
	"github.com/lethe-cache/lethe/pkg/lethe/lethetest"
)

// share registers a once-per-fleet receiver on n and waits until it takes events.
func share(t *testing.T, n *lethe.Node, name string, fn func(context.Context, event.Event) error, opts ...lethe.ReceiveOption) {
	t.Helper()
	if err := n.Receive(name, fn, append(opts, lethe.OncePerFleet())...); err != nil {
		t.Fatal(err)
	}
	attached(t, n, name)
}

func attached(t *testing.T, n *lethe.Node, name string) {
	t.Helper()
	until(t, name+" takes events", func() bool { return metric(t, n, "lethe_receiver_attached", "receiver", name) == 1 })
}

func TestOncePerFleetRunsEachEventOnceInOrderWithTenNodes(t *testing.T) {
	t.Parallel()
	const events = 300
	nodes := lethetest.Fleet(t, 10)
	var mu sync.Mutex
	var heard []string
	ran := map[int]int{}
	for i, n := range nodes {
		share(t, n, "once", func(_ context.Context, e event.Event) error {
			mu.Lock()
			defer mu.Unlock()
			heard = append(heard, e.Reason)
			ran[i]++
			return nil
		}, lethe.ForTags("user"))
	}
	var want []string
	for i := range events {
		want = append(want, fmt.Sprint(i))
		must[event.Token](t)(nodes[i%10].Invalidate(event.WithReason(t.Context(), want[i]), event.Tag("user:1")))
		if i%3 == 0 {
			must[event.Token](t)(nodes[i%10].Invalidate(t.Context(), event.Tag("other:1")))
		}
	}
	until(t, "all were received", func() bool { mu.Lock(); defer mu.Unlock(); return len(heard) >= events })
	last := must[event.Token](t)(nodes[0].Invalidate(event.WithReason(t.Context(), "last"), event.Tag("user:1")))
	lethetest.WaitAll(t, last, nodes...)
	until(t, "the last", func() bool { mu.Lock(); defer mu.Unlock(); return heard[len(heard)-1] == "last" })
	mu.Lock()
	defer mu.Unlock()
	if !slices.Equal(heard, append(want, "last")) {
		t.Fatalf("%d received: %q", len(heard), heard)
	}
	t.Logf("received by node: %v", ran)
	if len(ran) < 2 {
		t.Errorf("all by one node: %v", ran)
	}
	var sum float64
	for _, n := range nodes {
		sum += metric(t, n, "lethe_receiver_runs_total", "receiver", "once", "result", "ok")
	}
	if sum != events+1 {
		t.Errorf("%v runs counted", sum)
	}
}

func TestOncePerFleetKeepsEventsWhileNobodyRuns(t *testing.T) {
	t.Parallel()
	nodes := lethetest.Fleet(t, 2)
	say := func(reason string) {
		t.Helper()
		applied(t, []event.Target{event.Tag("a:b")}, nodes[0])
		must[event.Token](t)(nodes[0].Invalidate(event.WithReason(t.Context(), reason), event.Tag("a:b")))
	}
	say("before it was ever registered")
	first := make(chan event.Event, 100)
	share(t, nodes[1], "r", func(_ context.Context, e event.Event) error { first <- e; return nil })
	say("one")
	take(t, "an event", first)
	if e := take(t, "an event", first); e.Reason != "one" {
		t.Fatalf("%+v", e)
	}
	if err := nodes[1].Close(); err != nil {
		t.Fatal(err)
	}
	say("two")
	second := make(chan event.Event, 100)
	share(t, nodes[0], "r", func(_ context.Context, e event.Event) error { second <- e; return nil })
	take(t, "an event", second)
	if e := take(t, "what came meanwhile", second); e.Reason != "two" || len(first)+len(second) > 0 {
		t.Fatalf("%+v", e)
	}
}

func TestOncePerFleetMovesAtOnceWhenItsNodeIsClosed(t *testing.T) {
	t.Parallel()
	nodes := lethetest.Fleet(t, 2)
	for _, n := range nodes {
		lethe.HurryOnce(n, time.Hour, time.Minute) // nobody waits until it is taken from a node that died
	}
	entered := make(chan struct{})
	share(t, nodes[0], "r", func(ctx context.Context, _ event.Event) error {
		close(entered)
		<-ctx.Done()
		return ctx.Err()
	})
	applied(t, []event.Target{event.Tag("a:b")}, nodes[1])
	take(t, "the call", entered)
	moved := make(chan event.Event, 10)
	share(t, nodes[1], "r", func(_ context.Context, e event.Event) error { moved <- e; return nil })
	if err := nodes[0].Close(); err != nil {
		t.Fatal(err)
	}
	take(t, "the other node has it", moved)
	if len(moved) > 0 {
		t.Error("received twice")
	}
}

func TestAOncePerFleetReceiverThatFailsIsTriedAgainWhileWhatFollowsWaits(t *testing.T) {
	t.Parallel()
	nodes := lethetest.Fleet(t, 3)
	var mu sync.Mutex
	var heard []string
	ids := map[string]string{}
	fail := func(_ context.Context, e event.Event) error {
		mu.Lock()
		defer mu.Unlock()
		heard = append(heard, e.Reason)
		if id := ids[e.Reason]; id != "" && id != e.ID {
			t.Errorf("%q has the id %s, and had %s", e.Reason, e.ID, id)
		}
		ids[e.Reason] = e.ID
		switch len(heard) {
		case 1:
			return errGone
		case 2:
			panic("receiver")
		}
		return nil
	}
	for _, n := range nodes {
		share(t, n, "r", fail, lethe.WithRetry(3, time.Millisecond))
	}
	for _, reason := range []string{"first", "second"} {
		must[event.Token](t)(nodes[0].Invalidate(event.WithReason(t.Context(), reason), event.Tag("a:b")))
	}
	until(t, "both were received", func() bool { mu.Lock(); defer mu.Unlock(); return len(heard) >= 4 })
	if want := []string{"first", "first", "first", "second"}; !slices.Equal(heard, want) {
		t.Fatalf("%q, want %q", heard, want)
	}
	total := func(result string) (sum float64) {
		for _, n := range nodes {
			sum += metric(t, n, "lethe_receiver_runs_total", "receiver", "r", "result", result)
		}
		return sum
	}
	until(t, "all is counted", func() bool { return total("ok") == 2 })
	if total("error") != 1 || total("panic") != 1 {
		t.Errorf("%v errors, %v panics", total("error"), total("panic"))
	}
}

func TestAOncePerFleetReceiverThatHangsOrAlwaysFailsDelaysNobodyElse(t *testing.T) {
	t.Parallel()
	nodes, d := lethetest.Fleet(t, 2), newDoor(t)
	b := newBook()
	f := lethe.Memoize(nodes[0], "f", b.load)
	var fails atomic.Int64
	share(t, nodes[0], "hangs", func(context.Context, event.Event) error { d.pass(); return nil })
	share(t, nodes[0], "fails", func(context.Context, event.Event) error { fails.Add(1); return errGone }, lethe.WithRetry(1000, time.Millisecond))
	share(t, nodes[0], "panics", func(context.Context, event.Event) error { panic("always") }, lethe.WithRetry(1000, time.Millisecond))
	good := make(chan event.Event, 100)
	share(t, nodes[0], "good", func(_ context.Context, e event.Event) error { good <- e; return nil })
	every := hear(t, nodes[0], "every node")
	for range 20 {
		must[int](t)(f.Get(t.Context(), "k"))
		tok := must[event.Token](t)(nodes[1].Invalidate(t.Context(), event.Key("f", "k")))
		lethetest.WaitAll(t, tok, nodes...)
		if _, ok := f.Peek(t.Context(), "k"); ok {
			t.Fatal("an eviction waits for a receiver")
		}
		take(t, "another receiver", good)
		take(t, "a receiver on every node", every)
	}
	take(t, "it hangs", d.entered)
	until(t, "it fails on and on", func() bool { return fails.Load() > 2 })
}

func TestTheLagOfAOncePerFleetReceiverIsWhatWaitsInTheWholeFleet(t *testing.T) {
	t.Parallel()
	nodes, d := lethetest.Fleet(t, 2), newDoor(t)
	for _, n := range nodes {
		lethe.HurryOnce(n, 20*time.Second, 200*time.Millisecond)
		share(t, n, "r", func(context.Context, event.Event) error { d.pass(); return nil })
	}
	lag := func(want float64) {
		t.Helper()
		for i, n := range nodes {
			until(t, fmt.Sprintf("node %d sees %v wait", i, want), func() bool { return metric(t, n, "lethe_receiver_lag_events", "receiver", "r") == want })
		}
	}
	for range 5 {
		must[event.Token](t)(nodes[0].Invalidate(t.Context(), event.Tag("a:b")))
	}
	lag(5) // also the node whose call does not end
	d.unlock()
	lag(0)
}
