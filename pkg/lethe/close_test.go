package lethe_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

func TestAClosedNodeCallsTheLoaderAndRefusesTheRest(t *testing.T) {
	t.Parallel()
	n, b := one(t), newBook()
	f := lethe.Memoize(n, "f", b.load, lethe.WithBatch(func(context.Context, []string) (map[string]int, error) { return nil, errGone }))
	must[int](t)(f.Get(t.Context(), "k"))
	var wg sync.WaitGroup
	for range 4 { // idempotent, and at once
		wg.Go(func() {
			if err := n.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	b.write("k")
	r, err := f.Lookup(t.Context(), "k")
	wantLookup(t, r, err, 1, lethe.Bypassed, "")
	if v := must[int](t)(f.Get(t.Context(), "k")); v != 1 {
		t.Fatalf("got %v", v)
	}
	if m := must[map[string]int](t)(f.GetMany(t.Context(), []string{"k"})); m["k"] != 1 {
		t.Fatalf("got %v", m)
	}
	if m := must[map[string]int](t)(f.Fill(t.Context(), func(context.Context) (map[string]int, error) { return map[string]int{"k": 2}, nil })); m["k"] != 2 {
		t.Fatalf("got %v", m)
	}
	if _, ok := f.Peek(t.Context(), "k"); ok {
		t.Fatal("Peek answered")
	}
	_, errInvalidate := f.Invalidate(t.Context(), "k")
	_, errPublish := n.Publish(t.Context(), event.Event{})
	errReceive := n.Receive("r", func(context.Context, event.Event) error { return nil })
	for what, err := range map[string]error{
		"Invalidate": errInvalidate, "Publish": errPublish, "Receive": errReceive, "Ready": n.Ready(t.Context()),
	} {
		if !errors.Is(err, lethe.ErrClosed) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if s := n.Status(); s.State != lethe.Closed {
		t.Errorf("state %v", s.State)
	}
	n.Forget(event.All())
}

func TestLoaderOfAClosedNodeHasItsTime(t *testing.T) {
	t.Parallel()
	n := one(t)
	var loads atomic.Int64
	f := lethe.Memoize(n, "f", func(ctx context.Context, _ int) (int, error) {
		loads.Add(1)
		<-ctx.Done()
		return 0, ctx.Err()
	}, lethe.WithTimeout(time.Millisecond))
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Get(context.Background(), 1); !errors.Is(err, context.DeadlineExceeded) || loads.Load() != 1 {
		t.Errorf("got %v, after %d loads", err, loads.Load())
	}
	over, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := f.Get(over, 1)
	m, err2 := f.GetMany(over, []int{1, 2})
	if !errors.Is(err, context.Canceled) || !errors.Is(err2, context.Canceled) || len(m) != 0 || loads.Load() != 1 {
		t.Errorf("got %v and %v, %v, after %d loads", err, m, err2, loads.Load())
	}
}

// A load that Close waits for ends with its context, however many loaders it would call.
func TestCloseDoesNotWaitForWhatALoadReadsAfterItsEnd(t *testing.T) {
	t.Parallel()
	n, d := one(t), newDoor(t)
	var below atomic.Int64
	inner := lethe.Memoize(n, "inner", func(context.Context, int) (int, error) { below.Add(1); return 0, nil })
	outer := lethe.Memoize(n, "outer", func(ctx context.Context, _ int) (int, error) {
		d.pass()
		<-ctx.Done()
		for i := range 10 {
			if _, err := inner.Get(ctx, i); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
		}
		return 0, ctx.Err()
	}, lethe.WithTimeout(100*time.Millisecond))
	got := make(chan error, 1)
	go func() { _, err := outer.Get(context.Background(), 1); got <- err }()
	take(t, "it loads", d.entered)
	d.unlock()
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if err := take(t, "Get ends", got); err == nil {
		t.Error("it came in time: this run shows nothing")
	}
	if below.Load() != 0 {
		t.Errorf("%d loaders were called with a context that had ended", below.Load())
	}
}

func TestCloseWaitsForLoadsAndReceiversUnderWay(t *testing.T) {
	t.Parallel()
	n, d := one(t), newDoor(t)
	f := lethe.Memoize(n, "f", func(context.Context, string) (int, error) { d.pass(); return 1, nil })
	heard := make(chan struct{})
	if err := n.Receive("r", func(ctx context.Context, _ event.Event) error {
		close(heard)
		<-ctx.Done() // ends with Close
		return ctx.Err()
	}); err != nil {
		t.Fatal(err)
	}
	got := make(chan error, 1)
	go func() { _, err := f.Get(context.Background(), "k"); got <- err }()
	take(t, "the load begins", d.entered)
	applied(t, []event.Target{event.Tag("a:b")}, n)
	take(t, "the receiver runs", heard)
	closed := make(chan struct{})
	go func() { defer close(closed); _ = n.Close() }()
	until(t, "the node is closing", func() bool { return n.Status().State == lethe.Closed })
	select {
	case <-closed:
		t.Fatal("Close returned while a load was under way")
	default:
	}
	d.unlock()
	take(t, "Close returns", closed)
	if err := take(t, "the read ends", got); err != nil {
		t.Fatal(err)
	}
}

func TestReadsAndCloseMayMeet(t *testing.T) {
	t.Parallel()
	n, b := one(t), newBook()
	f := lethe.Memoize(n, "f", b.load, lethe.WithoutHot())
	g := lethe.Memoize(n, "g", f.Get)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for n.Status().State != lethe.Closed {
				_, _ = f.Invalidate(context.Background(), "k")
				if _, err := g.Get(context.Background(), "k"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	until(t, "they read", func() bool { return b.loads("k") > 20 })
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
}
