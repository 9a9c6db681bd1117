package lethe_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/lethe-cache/lethe/pkg/embedded"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

// crowd counts how many are in at a time.
type crowd struct{ in, most, all atomic.Int64 }

func (c *crowd) enter() { c.all.Add(1); raise(&c.most, c.in.Add(1)) }
func (c *crowd) leave() { c.in.Add(-1) }

func TestAfterAResetNoMoreThanMaxLoadsRunAtOnceAndEveryReadIsAnswered(t *testing.T) {
	t.Parallel()
	const most, readers = 8, 1000
	srv := must[*embedded.Server](t)(embedded.Start(within(t), embedded.Config{}))
	t.Cleanup(func() { _ = srv.Close() })
	nc := must[*nats.Conn](t)(srv.Connect())
	t.Cleanup(nc.Close)
	n := must[*lethe.Node](t)(lethe.Open(within(t), lethe.Config{Conn: nc, MaxLoads: most, MaxStaleness: 5 * time.Second}))
	t.Cleanup(func() { _ = n.Close() })
	if err := n.Ready(within(t)); err != nil {
		t.Fatal(err)
	}
	var now atomic.Pointer[crowd]
	now.Store(&crowd{})
	f := lethe.Memoize(n, "f", func(_ context.Context, k int) (int, error) {
		c := now.Load()
		c.enter()
		defer c.leave()
		<-time.After(time.Millisecond)
		return k, nil
	})
	read := func(beforeReading func()) {
		var wg sync.WaitGroup
		for k := range readers {
			wg.Go(func() {
				if beforeReading != nil {
					beforeReading()
				}
				if v, err := f.Get(within(t), k); err != nil || v != k {
					t.Errorf("%d: %v, %v", k, v, err)
				}
			})
		}
		wg.Wait()
	}
	read(nil)
	if c := now.Load(); c.most.Load() != most || c.all.Load() != readers {
		t.Errorf("from the first lease on: %d at once in %d loads", c.most.Load(), c.all.Load())
	}
	lethe.EndSurge(n)
	now.Store(&crowd{})
	must[event.Token](t)(f.InvalidateAll(t.Context()))
	read(nil)
	if c := now.Load(); c.most.Load() <= most {
		t.Errorf("outside of a surge %d loads at once: they are bounded, or this run shows nothing", c.most.Load())
	}

	js := must[jetstream.JetStream](t)(jetstream.New(nc))
	if err := js.DeleteStream(within(t), event.StreamName("default")); err != nil {
		t.Fatal(err)
	}
	// It may be over before anybody looks; then the reads are those of the surge after it.
	until(t, "a Reset begins", func() bool { return n.Status().State != lethe.Current || n.Status().Resets == 1 })
	now.Store(&crowd{})
	read(nil) // without a lease: each read is a load
	if c := now.Load(); c.most.Load() > most {
		t.Errorf("while the Reset ran: %d at once in %d loads", c.most.Load(), c.all.Load())
	}
	until(t, "the Reset is done", func() bool { return n.Status().State == lethe.Current && n.Status().Resets == 1 })
	now.Store(&crowd{})
	must[event.Token](t)(f.InvalidateAll(t.Context()))
	read(nil)
	if c := now.Load(); c.most.Load() != most || c.all.Load() != readers {
		t.Errorf("after it: %d at once in %d loads", c.most.Load(), c.all.Load())
	}
	if w := metric(t, n, "lethe_loads_waiting", "function", "f"); w != 0 {
		t.Errorf("%v wait", w)
	}
}

func TestLoadsOfLoadsTakeNoTurnsSoRecursionEnds(t *testing.T) {
	t.Parallel()
	n := one(t, lethe.Config{MaxLoads: 1})
	var fib, even, odd *lethe.Func[int, int]
	fib = lethe.Memoize(n, "fib", func(ctx context.Context, i int) (int, error) {
		if i < 2 {
			return i, nil
		}
		m, err := fib.GetMany(ctx, []int{i - 1, i - 2})
		return m[i-1] + m[i-2], err
	})
	even = lethe.Memoize(n, "even", func(ctx context.Context, i int) (int, error) {
		if i == 0 {
			return 1, nil
		}
		return odd.Get(ctx, i-1)
	})
	odd = lethe.Memoize(n, "odd", func(ctx context.Context, i int) (int, error) {
		if i == 0 {
			return 0, nil
		}
		return even.Get(ctx, i-1)
	}, lethe.WithBatch(func(ctx context.Context, ks []int) (map[int]int, error) {
		found := map[int]int{}
		for _, k := range ks {
			v, err := even.Get(ctx, k-1)
			if err != nil {
				return nil, err
			}
			found[k] = v
		}
		return found, nil
	}))
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			if v, err := fib.Get(within(t), 40+i%3); err != nil || v < 102334155 {
				t.Errorf("%v, %v", v, err)
			}
		})
		wg.Go(func() {
			if v, err := even.Get(within(t), i); err != nil || v != 1-i%2 {
				t.Errorf("even %d: %v, %v", i, v, err)
			}
		})
		wg.Go(func() {
			if m, err := odd.GetMany(within(t), []int{i + 1, i + 2}); err != nil || m[i+1] != 1-i%2 {
				t.Errorf("odd %d: %v, %v", i+1, m, err)
			}
		})
	}
	wg.Wait()
}

// busy is a node on which one load of "f" may run at a time, and its place is taken until the door opens.
func busy(t *testing.T, load func(context.Context, string) (int, error), opts ...lethe.Option) (*lethe.Node, *lethe.Func[string, int], *door) {
	t.Helper()
	n, d := one(t, lethe.Config{MaxLoads: 1}), newDoor(t)
	f := lethe.Memoize(n, "f", func(ctx context.Context, k string) (int, error) {
		if k == "first" {
			d.pass()
		}
		return load(ctx, k)
	}, opts...)
	go func() { _, _ = f.Get(context.Background(), "first") }()
	take(t, "the first load begins", d.entered)
	return n, f, d
}

// waits returns when so many loads of "f" wait.
func waits(t *testing.T, n *lethe.Node, want float64) {
	t.Helper()
	until(t, fmt.Sprintf("%v loads wait", want), func() bool { return metric(t, n, "lethe_loads_waiting", "function", "f") == want })
}

func TestALoadThatALoadWaitsForStartsAtOnce(t *testing.T) {
	t.Parallel()
	var f *lethe.Func[string, int]
	n, g, d := busy(t, func(ctx context.Context, k string) (int, error) {
		if k == "first" {
			return f.Get(ctx, "second")
		}
		return 2, nil
	})
	f = g
	got := make(chan int, 2)
	for i, k := range []string{"third", "second"} {
		go func() { v, _ := f.Get(context.Background(), k); got <- v }()
		waits(t, n, float64(i+1))
	}
	d.unlock()
	for range 2 {
		if v := take(t, "a read is answered", got); v != 2 {
			t.Fatalf("got %v", v)
		}
	}
	if v := must[int](t)(f.Get(within(t), "first")); v != 2 {
		t.Fatalf("got %v", v)
	}
}

func TestALoadThatGetsNoTurnInItsTimeSaysSoAndCallsNoLoader(t *testing.T) {
	t.Parallel()
	b := newBook()
	n, f, d := busy(t, b.load, lethe.WithTimeout(200*time.Millisecond))
	_, err := f.Get(within(t), "second")
	var own *lethe.Error
	if !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &own) || own.Op != "load" || !strings.Contains(err.Error(), "MaxLoads") {
		t.Fatalf("got %v", err)
	}
	_, err = f.Fill(within(t), func(context.Context) (map[string]int, error) { t.Error("the Fill ran"); return nil, nil })
	if !contains(err, "MaxLoads") {
		t.Fatalf("Fill: %v", err)
	}
	waits(t, n, 0)
	if got := b.loads("second"); got != 0 {
		t.Fatalf("%d loads", got)
	}
	d.unlock()
	until(t, "it gets its turn", func() bool {
		_, err := f.Get(within(t), "second")
		return err == nil
	})
}

func TestWhoStopsWaitingLeavesHisLoadInTheQueueForOthers(t *testing.T) {
	t.Parallel()
	b := newBook()
	n, f, d := busy(t, b.load)
	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan error, 1)
	go func() { _, err := f.Get(ctx, "second"); left <- err }()
	waits(t, n, 1)
	cancel()
	if err := take(t, "the caller leaves", left); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	waits(t, n, 1)
	d.unlock()
	until(t, "it is loaded and kept", func() bool { _, ok := f.Peek(t.Context(), "second"); return ok })
}

func TestALoadThatWaitedForItsTurnIsBornWhenItBegins(t *testing.T) {
	t.Parallel()
	b := newBook()
	n, f, d := busy(t, b.load, lethe.WithTTL(5*time.Second))
	got := make(chan lethe.Result[int], 1)
	go func() { r, _ := f.Lookup(context.Background(), "second"); got <- r }()
	waits(t, n, 1)
	v := b.write("second")
	applied(t, []event.Target{f.Target("second")}, n)
	asked := time.Now()
	until(t, "more than its TTL passes", func() bool { return time.Since(asked) > 6*time.Second })
	d.unlock()
	if r := take(t, "it is loaded", got); r.Value != v || r.Age > 5*time.Second {
		t.Fatalf("%+v", r)
	}
	r, err := f.Lookup(t.Context(), "second")
	wantLookup(t, r, err, v, lethe.Hit, lethe.Hot)
	if c := metric(t, n, "lethe_loads_fenced_total", "function", "f"); c != 0 {
		t.Errorf("%v loads fenced: it was born when it was asked for", c)
	}
}

func TestALoadThatGetsItsTurnWithoutALeaseIsNotKept(t *testing.T) {
	t.Parallel()
	const places = 64 // the default
	n, _, cut := cutOff(t)
	b, d := newBook(), newDoor(t)
	var at atomic.Int64
	f := lethe.Memoize(n, "f", func(ctx context.Context, k int) (int, error) {
		if k < places {
			at.Add(1)
			d.pass()
		}
		return b.load(ctx, "k")
	})
	for k := range places {
		go func() { _, _ = f.Get(context.Background(), k) }()
	}
	until(t, "every place is taken", func() bool { return at.Load() == places })
	got := make(chan error, 2)
	for _, ctx := range []context.Context{context.Background(), lethe.WithBypass(context.Background())} {
		go func() { _, err := f.Get(ctx, places); got <- err }()
	}
	waits(t, n, 2)
	cut()
	d.unlock()
	for range 2 {
		if err := take(t, "it is loaded", got); err != nil {
			t.Fatal(err)
		}
	}
	until(t, "the others, which had begun before, end", func() bool { return lethe.BulkLen(n) >= places })
	if entries := lethe.BulkLen(n); entries != places {
		t.Fatalf("%d entries", entries)
	}
}

func TestAReadThatBypassesIsNotKeptHoweverLongItWaitedForItsTurn(t *testing.T) {
	t.Parallel()
	b := newBook()
	n, f, d := busy(t, b.load)
	got := make(chan error, 1)
	go func() { _, err := f.Get(lethe.WithBypass(context.Background()), "second"); got <- err }()
	waits(t, n, 1)
	d.unlock()
	if err := take(t, "it is loaded", got); err != nil {
		t.Fatal(err)
	}
	if _, ok := f.Peek(t.Context(), "second"); ok {
		t.Fatal("it was kept")
	}
}

func TestALoadWhoseNodeGetsItsLeaseBackBeforeItsTurnIsKept(t *testing.T) {
	t.Parallel()
	b := newBook()
	n, f, d := busy(t, b.load)
	var r lethe.Result[int]
	got := make(chan struct{})
	lethe.EndLease(n) // until the next is granted
	go func() { defer close(got); r, _ = f.Lookup(context.Background(), "second") }()
	waits(t, n, 1)
	until(t, "the node is current again", func() bool { return n.Status().State == lethe.Current })
	d.unlock()
	take(t, "it is loaded", got)
	if r.Cache != lethe.Bypassed {
		t.Fatalf("%+v: this run shows nothing", r)
	}
	if _, ok := f.Peek(t.Context(), "second"); !ok {
		t.Fatal("it was not kept: every key has to be loaded twice")
	}
}

func TestABatchTakesOneTurn(t *testing.T) {
	t.Parallel()
	b := newBook()
	n, f, d := busy(t, b.load, lethe.WithBatch(func(_ context.Context, ks []string) (map[string]int, error) {
		m := map[string]int{}
		for _, k := range ks {
			m[k] = b.read(k)
		}
		return m, nil
	}))
	got := make(chan map[string]int, 1)
	go func() { m, _ := f.GetMany(context.Background(), []string{"a", "b", "c", "d"}); got <- m }()
	waits(t, n, 1)
	d.unlock()
	if m := take(t, "the batch is loaded", got); len(m) != 4 {
		t.Fatalf("%v", m)
	}
}
