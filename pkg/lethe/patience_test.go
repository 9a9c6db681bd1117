package lethe_test

import (
	"context"
	"maps"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

// hanging is a loader whose first loads hang, each at a door of its own. It tells how many loads have begun and how many ran at once.
type hanging struct {
	book        *book
	doors       []*door
	begun       atomic.Int64
	running     atomic.Int64
	mostRunning atomic.Int64
}

func newHanging(t *testing.T, hang int) *hanging {
	t.Helper()
	h := &hanging{book: newBook()}
	for range hang {
		h.doors = append(h.doors, newDoor(t))
	}
	return h
}

func (h *hanging) load(_ context.Context, k string) (int, error) {
	v := h.book.read(k)
	i := int(h.begun.Add(1)) - 1
	if n := h.running.Add(1); n > h.mostRunning.Load() {
		h.mostRunning.Store(n)
	}
	defer h.running.Add(-1)
	if i < len(h.doors) {
		h.doors[i].pass()
	}
	return v, nil
}

// patientNode is a node whose loads may hang for longer than a test waits.
func patientNode(t *testing.T) *lethe.Node { return one(t, lethe.Config{MaxLoad: time.Hour}) }

func async[V any](get func() (V, error)) <-chan V {
	got := make(chan V, 1)
	go func() {
		if v, err := get(); err == nil {
			got <- v
		}
	}()
	return got
}

func TestAReadDoesNotWaitForALoadThatAnInvalidationHasMadeUseless(t *testing.T) {
	t.Parallel()
	for name, target := range map[string]event.Target{"key": event.Key("f", "k"), "function": event.Function("f"), "all": event.All()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n, h := patientNode(t), newHanging(t, 1)
			f := lethe.Memoize(n, "f", h.load)
			lethe.Usually(n, "f", time.Hour) // it is not patience that ends
			first := async(func() (int, error) { return f.Get(context.Background(), "k") })
			take(t, "the first load has read", h.doors[0].entered)
			h.book.write("k")
			applied(t, []event.Target{target}, n)
			if v := must[int](t)(f.Get(within(t), "k")); v != 1 {
				t.Fatalf("got %v", v)
			}
			h.doors[0].unlock()
			if v := take(t, "the first read ends", first); v != 0 {
				t.Fatalf("the first got %v", v)
			}
			r, err := f.Lookup(t.Context(), "k") // of the two loads, the one that began later is kept
			wantLookup(t, r, err, 1, lethe.Hit, lethe.Hot)
		})
	}
}

// A tag is known when a load has ended: until then it may be good for whoever asked after the tag was invalidated.
func TestAReadLosesPatienceWithALoadThatMayBeUseless(t *testing.T) {
	t.Parallel()
	n, h := patientNode(t), newHanging(t, 2)
	f := lethe.Memoize(n, "f", h.load)
	first := async(func() (int, error) { return f.Get(context.Background(), "k") })
	take(t, "the first load has read", h.doors[0].entered)
	h.book.write("k")
	applied(t, []event.Target{event.Tag("some:tag")}, n)
	begun := time.Now()
	second := async(func() (int, error) { return f.Get(context.Background(), "k") })
	take(t, "the second loads", h.doors[1].entered)
	if waited := time.Since(begun); waited < time.Second {
		t.Fatalf("it waited %v: most loads are good, and a source that is slow must not be asked twice", waited)
	}
	third := async(func() (int, error) { return f.Get(context.Background(), "k") })
	h.doors[1].unlock()
	for _, ch := range []<-chan int{second, third} {
		if v := take(t, "a read ends beside the load that hangs", ch); v != 1 {
			t.Fatalf("got %v", v)
		}
	}
	h.doors[0].unlock()
	if v := take(t, "the first ends", first); v != 0 {
		t.Fatalf("got %v", v)
	}
	if n := h.begun.Load(); n != 2 {
		t.Fatalf("%d loads, want two", n)
	}
	r, err := f.Lookup(t.Context(), "k")
	wantLookup(t, r, err, 1, lethe.Hit, lethe.Hot)
}

func TestNoMoreThanTwoLoadsOfAKeyRunAtOnce(t *testing.T) {
	t.Parallel()
	n, h := patientNode(t), newHanging(t, 2)
	f := lethe.Memoize(n, "f", h.load)
	var got []<-chan int
	for i := range 5 { // two hang, and the others wait for one of them
		got = append(got, async(func() (int, error) { return f.Get(context.Background(), "k") }))
		if i < 2 {
			take(t, "a load hangs", h.doors[i].entered)
		}
		h.book.write("k")
		applied(t, []event.Target{f.Target("k")}, n)
	}
	until(t, "the others wait", func() bool { return metric(t, n, "lethe_loads_shared_total", "function", "f") == 3 })
	if n := h.begun.Load(); n != 2 {
		t.Fatalf("%d loads have begun", n)
	}
	h.doors[0].unlock() // the one they do not wait for: they find out by their patience
	for i, ch := range got[2:] {
		if v := take(t, "those end that waited", ch); v < i+2 {
			t.Fatalf("read %d got %v", i+2, v)
		}
	}
	h.doors[1].unlock()
	take(t, "the second ends", got[1])
	if n := h.mostRunning.Load(); n > 2 {
		t.Fatalf("%d loads ran at once", n)
	}
}

func TestWithoutALeaseAndInABypassAReadLosesPatienceToo(t *testing.T) {
	t.Parallel()
	for name, ctx := range map[string]context.Context{"without a lease": context.Background(), "bypass": lethe.WithBypass(context.Background())} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n, h := patientNode(t), newHanging(t, 1)
			f := lethe.Memoize(n, "f", h.load)
			if name == "without a lease" {
				lethe.HoldLease(n)
			}
			async(func() (int, error) { return f.Get(ctx, "k") })
			take(t, "the first load has read", h.doors[0].entered)
			h.book.write("k")
			if v := take(t, "the second ends", async(func() (int, error) { return f.Get(ctx, "k") })); v != 1 {
				t.Fatalf("got %v", v)
			}
		})
	}
}

func TestGetManyDoesNotWaitForALoadThatAnInvalidationHasMadeUseless(t *testing.T) {
	t.Parallel()
	n, h := patientNode(t), newHanging(t, 1)
	var batches atomic.Int64
	f := lethe.Memoize(n, "f", h.load, lethe.WithBatch(func(_ context.Context, ks []string) (map[string]int, error) {
		batches.Add(1)
		m := map[string]int{}
		for _, k := range ks {
			m[k] = h.book.read(k)
		}
		return m, nil
	}))
	async(func() (int, error) { return f.Get(context.Background(), "k") })
	take(t, "the load has read", h.doors[0].entered)
	h.book.write("k")
	applied(t, []event.Target{f.Target("k")}, n)
	if m := must[map[string]int](t)(f.GetMany(within(t), []string{"k", "l"})); !maps.Equal(m, map[string]int{"k": 1, "l": 0}) || batches.Load() != 1 {
		t.Fatalf("got %v in %d batches", m, batches.Load())
	}
	applied(t, []event.Target{event.Function("f"), event.Tag("some:tag")}, n)
	if m := must[map[string]int](t)(f.GetMany(within(t), []string{"k", "l"})); !maps.Equal(m, map[string]int{"k": 1, "l": 0}) || batches.Load() != 2 {
		t.Fatalf("got %v in %d batches", m, batches.Load())
	}
}

// A slow function's callers are patient: nearly every one of its loads has seen some invalidation.
func TestPatienceFollowsHowLongLoadsTake(t *testing.T) {
	t.Parallel()
	n := one(t, lethe.Config{MaxLoad: time.Minute})
	lethe.Memoize(n, "f", newBook().load)
	for usual, want := range map[time.Duration]time.Duration{0: time.Second, 10 * time.Millisecond: time.Second, 2 * time.Second: 8 * time.Second, time.Hour: time.Minute} {
		lethe.Usually(n, "f", usual)
		if got := lethe.Patience(n, "f", time.Minute); got != want {
			t.Errorf("loads of %v: %v, want %v", usual, got, want)
		}
	}
	if got := lethe.Patience(n, "f", 500*time.Millisecond); got != 500*time.Millisecond {
		t.Errorf("loads that end after 500 ms: %v", got)
	}
}

func TestGetManyChecksWhatOthersLoadItself(t *testing.T) {
	t.Parallel()
	n, h := patientNode(t), newHanging(t, 1)
	f := lethe.Memoize(n, "f", h.load, lethe.WithTags(func(string, int) []string { return []string{"some:tag"} }),
		lethe.WithBatch(func(_ context.Context, ks []string) (map[string]int, error) {
			return map[string]int{ks[0]: h.book.read(ks[0])}, nil
		}))
	lethe.Usually(n, "f", time.Hour) // nobody loses patience
	async(func() (int, error) { return f.Get(context.Background(), "k") })
	take(t, "the load has read", h.doors[0].entered)
	h.book.write("k")
	applied(t, []event.Target{event.Tag("some:tag")}, n)
	second := async(func() (map[string]int, error) { return f.GetMany(context.Background(), []string{"k"}) })
	until(t, "GetMany waits for the load", func() bool { return metric(t, n, "lethe_loads_shared_total", "function", "f") == 1 })
	h.doors[0].unlock()
	if m := take(t, "GetMany ends", second); m["k"] != 1 {
		t.Fatalf("what began after the invalidation got %v", m)
	}
}
