package lethe_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/lethe-cache/lethe/pkg/embedded"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

// cutOff opens a ready node and returns it with its connection, and what cuts it off from its server and takes its lease.
func cutOff(t *testing.T) (*lethe.Node, *nats.Conn, func()) {
	t.Helper()
	srv := must[*embedded.Server](t)(embedded.Start(within(t), embedded.Config{}))
	t.Cleanup(func() { _ = srv.Close() })
	nc := must[*nats.Conn](t)(srv.Connect())
	t.Cleanup(nc.Close)
	n := must[*lethe.Node](t)(lethe.Open(within(t), lethe.Config{Conn: nc}))
	t.Cleanup(func() { _ = n.Close() })
	if err := n.Ready(within(t)); err != nil {
		t.Fatal(err)
	}
	return n, nc, func() {
		nc.Close()
		begun := time.Now()
		until(t, "the node has lost its lease", func() bool {
			lethe.EndLease(n) // a renewal may have been under way, until the bus has noticed
			return lethe.Offline(n) && n.Status().State == lethe.Expired
		})
		if took := time.Since(begun); took > patience/2 {
			t.Fatalf("a lease that was taken away went on for %v", took)
		}
	}
}

func TestWithoutALeaseReadsCallTheLoaderAndStoreNothing(t *testing.T) {
	t.Parallel()
	n, _, cut := cutOff(t)
	b := newBook()
	f := lethe.Memoize(n, "f", b.load)
	bulk := lethe.Memoize(n, "bulk", b.load, lethe.WithoutHot())
	must[int](t)(f.Get(t.Context(), "k"))
	must[int](t)(bulk.Get(t.Context(), "k"))
	cut()
	for i := range 3 {
		b.write("k")
		r, err := f.Lookup(t.Context(), "k")
		wantLookup(t, r, err, i+1, lethe.Bypassed, "")
		if v := must[int](t)(f.Get(t.Context(), "k")); v != i+1 {
			t.Fatalf("got %v", v)
		}
		r, err = bulk.Lookup(t.Context(), "k")
		wantLookup(t, r, err, i+1, lethe.Bypassed, "")
		if _, ok := f.Peek(t.Context(), "k"); ok {
			t.Fatal("Peek answered without a lease")
		}
	}
}

func TestWithoutALeaseOneLoadAtATimeServesThoseWhoAskedBeforeItBegan(t *testing.T) {
	t.Parallel()
	n, _, cut := cutOff(t)
	b := newBook()
	doors := []*door{newDoor(t), newDoor(t)}
	var running, most, loads atomic.Int64
	f := lethe.Memoize(n, "f", func(context.Context, string) (int, error) {
		if r := running.Add(1); r > most.Load() {
			most.Store(r)
		}
		defer running.Add(-1)
		v := b.read("k")
		doors[min(loads.Add(1), 2)-1].pass()
		return v, nil
	})
	lethe.Usually(n, "f", time.Minute) // nobody loses patience
	cut()
	first := make(chan int, 1)
	go func() { v, _ := f.Get(context.Background(), "k"); first <- v }()
	take(t, "the first load has read", doors[0].entered)
	b.write("k")
	const readers = 20
	var wg sync.WaitGroup
	for range readers {
		wg.Go(func() {
			r, err := f.Lookup(context.Background(), "k")
			if err != nil || r.Value != 1 || r.Cache != lethe.Bypassed {
				t.Errorf("a read that began after the write got %+v, %v", r, err)
			}
		})
	}
	shared := func(want float64) func() bool {
		return func() bool { return metric(t, n, "lethe_loads_shared_total", "function", "f") == want }
	}
	until(t, "all wait for the first", shared(readers))
	doors[0].unlock()
	until(t, "one loads and the others wait for it", shared(readers+readers-1))
	doors[1].unlock()
	wg.Wait()
	if v := take(t, "the first ends", first); v != 0 {
		t.Fatalf("got %v", v)
	}
	if most.Load() != 1 || loads.Load() != 2 {
		t.Fatalf("%d loads, %d at a time; want 2, 1", loads.Load(), most.Load())
	}
}

func TestServeStaleServesWithinItsLimitMarksItAndNeverWhatWasInvalidated(t *testing.T) {
	t.Parallel()
	n, _, cut := cutOff(t)
	b := newBook()
	f := lethe.Memoize(n, "f", b.load, lethe.WithPolicy(lethe.ServeStale(time.Minute)))
	must[int](t)(f.Get(t.Context(), "k"))
	must[int](t)(f.Get(t.Context(), "l"))
	cut()
	b.write("k")
	r, err := f.Lookup(t.Context(), "k")
	wantLookup(t, r, err, 0, lethe.Stale, lethe.Hot)
	r, err = f.Lookup(t.Context(), "unknown")
	wantLookup(t, r, err, 0, lethe.Bypassed, "")
	if _, ok := f.Peek(t.Context(), "unknown"); ok {
		t.Fatal("a miss without a lease was stored")
	}
	if b.loads("k") != 1 {
		t.Fatal("a refresh was started without a lease")
	}
	n.Forget(f.Target("k"))
	r, err = f.Lookup(t.Context(), "k")
	wantLookup(t, r, err, 1, lethe.Bypassed, "")
	r, err = f.Lookup(t.Context(), "l")
	wantLookup(t, r, err, 0, lethe.Stale, lethe.Hot)
}

func TestALeaseThatWasTakenAwayLeavesNothingToServe(t *testing.T) {
	t.Parallel()
	n, _, cut := cutOff(t)
	b := newBook()
	f := lethe.Memoize(n, "f", b.load, lethe.WithPolicy(lethe.ServeStale(time.Minute)))
	must[int](t)(f.Get(t.Context(), "k"))
	cut()
	r, err := f.Lookup(t.Context(), "k")
	wantLookup(t, r, err, 0, lethe.Stale, lethe.Hot)
	// The machine slept for hours while its clock stood still: the lease seems to have lapsed a moment ago.
	lethe.TakeLease(n)
	b.write("k")
	r, err = f.Lookup(t.Context(), "k")
	wantLookup(t, r, err, 1, lethe.Bypassed, "")
}

func TestServeStaleEndsWithItsLimit(t *testing.T) {
	t.Parallel()
	n, _, cut := cutOff(t)
	b := newBook()
	f := lethe.Memoize(n, "f", b.load, lethe.WithPolicy(lethe.ServeStale(300*time.Millisecond)))
	must[int](t)(f.Get(t.Context(), "k"))
	nothing := lethe.Memoize(n, "nothing", b.load)
	must[int](t)(nothing.Get(t.Context(), "k"))
	cut()
	until(t, "the limit is reached", func() bool {
		r, err := f.Lookup(t.Context(), "k")
		if err != nil || r.Cache != lethe.Stale && r.Cache != lethe.Bypassed {
			t.Fatalf("%+v, %v", r, err)
		}
		return r.Cache == lethe.Bypassed
	})
	r, err := nothing.Lookup(t.Context(), "k")
	wantLookup(t, r, err, 0, lethe.Bypassed, "")
}

func TestAValueLoadedUnderALeaseThatEndedSinceIsNotShared(t *testing.T) {
	t.Parallel()
	n, _, cut := cutOff(t)
	b, d := newBook(), newDoor(t)
	var held atomic.Bool
	f := lethe.Memoize(n, "f", func(context.Context, string) (int, error) {
		v := b.read("k")
		if !held.Swap(true) {
			d.pass()
		}
		return v, nil
	})
	first := make(chan int, 1)
	go func() { v, _ := f.Get(context.Background(), "k"); first <- v }()
	take(t, "the load has read", d.entered)
	n.Forget(event.Tag("moves:clock")) // else a later reader notes the clock the load began at
	second := make(chan int, 1)
	go func() { v, _ := f.Get(context.Background(), "k"); second <- v }()
	until(t, "a second waits", func() bool { return metric(t, n, "lethe_loads_shared_total", "function", "f") == 1 })
	b.write("k")
	cut()
	d.unlock()
	take(t, "the first ends", first)
	if v := take(t, "the second ends", second); v != 1 {
		t.Fatal("who joined by its labels took them for valid without a lease")
	}
}
