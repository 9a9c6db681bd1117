package lethe_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/lethe-cache/lethe/internal/bus"
	"github.com/lethe-cache/lethe/pkg/embedded"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

// tap is a live feed that the test can close for a while: what arrives meanwhile is kept back.
type tap struct {
	bus.Feed
	mu      sync.Mutex // guards what follows
	deliver func(bus.Arrival)
	shut    bool
	kept    []bus.Arrival
}

func (f *tap) Start(deliver func(bus.Arrival)) error {
	f.mu.Lock()
	f.deliver = deliver
	f.mu.Unlock()
	return f.Feed.Start(func(a bus.Arrival) {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.shut {
			f.kept = append(f.kept, a)
			return
		}
		deliver(a)
	})
}

func (f *tap) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.shut = true
}

func (f *tap) open() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.shut = false
	for _, a := range f.kept {
		f.deliver(a)
	}
	f.kept = nil
}

// tapped opens two nodes on one server; the feed of the second has a tap.
func tapped(t *testing.T) (far, near *lethe.Node, feed *tap) {
	t.Helper()
	srv := must[*embedded.Server](t)(embedded.Start(within(t), embedded.Config{}))
	t.Cleanup(func() { _ = srv.Close() })
	feed = &tap{}
	wrap := func(inner bus.Feed) bus.Feed { feed.Feed = inner; return feed }
	var nodes [2]*lethe.Node
	for i, w := range []func(bus.Feed) bus.Feed{nil, wrap} {
		nc := must[*nats.Conn](t)(srv.Connect())
		t.Cleanup(nc.Close)
		nodes[i] = must[*lethe.Node](t)(lethe.OpenWithFeed(within(t), lethe.Config{Conn: nc}, w))
		t.Cleanup(func() { _ = nodes[i].Close() })
	}
	for _, n := range nodes {
		if err := n.Ready(within(t)); err != nil {
			t.Fatal(err)
		}
	}
	return nodes[0], nodes[1], feed
}

// watched is a context that tells when somebody first waits for it.
type watched struct {
	context.Context
	once   sync.Once
	waited chan struct{}
}

func watch(ctx context.Context) *watched { return &watched{Context: ctx, waited: make(chan struct{})} }

func (w *watched) Done() <-chan struct{} {
	w.once.Do(func() { close(w.waited) })
	return w.Context.Done()
}

func TestAReadWithATokenWaitsUntilItsNodeHasAppliedIt(t *testing.T) {
	t.Parallel()
	far, near, feed := tapped(t)
	b := newBook()
	f := lethe.Memoize(near, "f", b.load)
	must[int](t)(f.Get(t.Context(), "k"))
	feed.close()
	b.write("k")
	tok := must[event.Token](t)(far.Invalidate(t.Context(), f.Target("k")))
	r, err := f.Lookup(t.Context(), "k")
	wantLookup(t, r, err, 0, lethe.Hit, lethe.Hot) // without the token: not applied yet
	ctx := watch(t.Context())
	got := make(chan lethe.Result[int], 1)
	go func() {
		r, err := f.Lookup(lethe.WithToken(ctx, tok), "k")
		if err != nil {
			t.Error(err)
		}
		got <- r
	}()
	take(t, "the read waits", ctx.waited)
	feed.open()
	if r := take(t, "the read ends", got); r.Value != 1 || r.Cache != lethe.Miss {
		t.Fatalf("%+v", r)
	}
	r, err = f.Lookup(lethe.WithToken(t.Context(), tok), "k")
	wantLookup(t, r, err, 1, lethe.Hit, lethe.Hot)
}

// A caller that noted the clock before it waited for its token would take the load it finds for one begun after the event.
func TestTheClockIsNotedAfterTheTokenWasWaitedFor(t *testing.T) {
	t.Parallel()
	far, near, feed := tapped(t)
	b, d := newBook(), newDoor(t)
	var held atomic.Bool
	f := lethe.Memoize(near, "f", func(context.Context, string) (int, error) {
		v := b.read("k")
		if !held.Swap(true) {
			d.pass()
		}
		return v, nil
	})
	feed.close()
	first := make(chan int, 1)
	go func() { v, _ := f.Get(context.Background(), "k"); first <- v }()
	take(t, "a load has read the old value", d.entered)
	b.write("k")
	tok := must[event.Token](t)(far.Invalidate(t.Context(), f.Target("k")))
	ctx := watch(t.Context())
	got := make(chan int, 1)
	go func() {
		v, err := f.Get(lethe.WithToken(ctx, tok), "k")
		if err != nil {
			t.Error(err)
		}
		got <- v
	}()
	take(t, "the read waits for its token", ctx.waited)
	feed.open()
	until(t, "it has joined the load, or made its own", func() bool {
		return metric(t, near, "lethe_loads_shared_total", "function", "f") == 1 || b.loads("k") == 2
	})
	d.unlock()
	take(t, "the first ends", first)
	if v := take(t, "the second ends", got); v != 1 {
		t.Fatal("a read with a token got what was loaded before it")
	}
}

func TestATokenThatIsNotReachedBypassesAfterASecondSpentOnce(t *testing.T) {
	t.Parallel()
	near, nc, _ := cutOff(t)
	b := newBook()
	child := lethe.Memoize(near, "child", b.load)
	var children []string // so many that a second for each is more than a busy machine takes
	for i := range 64 {
		children = append(children, strconv.Itoa(i))
	}
	parent := lethe.Memoize(near, "parent", func(ctx context.Context, _ string) (int, error) {
		sum := 0
		for _, k := range children {
			r, err := child.Lookup(ctx, k)
			if err != nil || r.Cache != lethe.Bypassed {
				t.Errorf("nested: %+v, %v", r, err)
			}
			sum += r.Value
		}
		return sum, nil
	}, lethe.WithPolicy(lethe.ServeStale(time.Hour)))
	for _, k := range children {
		must[int](t)(child.Get(t.Context(), k))
		b.write(k)
	}
	at := near.Position()
	nc.Close() // the lease goes on for a while, the position does not
	tok := event.NewToken(at.Fleet(), at.Epoch(), at.Sequence()+1000)
	begun := time.Now()
	r, err := parent.Lookup(lethe.WithToken(t.Context(), tok), "k")
	wantLookup(t, r, err, len(children), lethe.Bypassed, "")
	if took := time.Since(begun); took > time.Duration(len(children))*time.Second/2 {
		t.Fatalf("took %v, want about a second", took)
	}
	if _, ok := parent.Peek(t.Context(), "k"); ok {
		t.Fatal("a read that bypasses was stored")
	}
}

func TestWithBypassCallsTheLoaderAndStoresNothing(t *testing.T) {
	t.Parallel()
	n, b := one(t), newBook()
	f := lethe.Memoize(n, "f", b.load)
	must[int](t)(f.Get(t.Context(), "k"))
	b.write("k")
	r, err := f.Lookup(lethe.WithBypass(t.Context()), "k")
	wantLookup(t, r, err, 1, lethe.Bypassed, "")
	r, err = f.Lookup(t.Context(), "k")
	wantLookup(t, r, err, 0, lethe.Hit, lethe.Hot)
	if m := must[map[string]int](t)(f.GetMany(lethe.WithBypass(t.Context()), []string{"k"})); m["k"] != 1 {
		t.Fatalf("got %v", m)
	}
}

// A load led by a read without the token may have read children from a cache that is behind it.
func TestAReadThatBypassesJoinsNoOrdinaryLoad(t *testing.T) {
	t.Parallel()
	n, b, d := one(t), newBook(), newDoor(t)
	var held atomic.Bool
	f := lethe.Memoize(n, "f", func(context.Context, string) (int, error) {
		v := b.read("k")
		if !held.Swap(true) {
			d.pass()
		}
		return v, nil
	})
	done := make(chan struct{})
	go func() { defer close(done); _, _ = f.Get(context.Background(), "k") }()
	take(t, "an ordinary load has read", d.entered)
	b.write("k")
	r, err := f.Lookup(lethe.WithBypass(within(t)), "k")
	wantLookup(t, r, err, 1, lethe.Bypassed, "")
	d.unlock()
	take(t, "the ordinary load ends", done)
}

func TestWaitRefusesWhatCanNeverCome(t *testing.T) {
	t.Parallel()
	n := one(t)
	if err := n.Wait(t.Context(), event.Token{}); err != nil {
		t.Fatalf("the zero token: %v", err)
	}
	at := n.Position()
	if err := n.Wait(t.Context(), at); err != nil {
		t.Fatalf("its own position: %v", err)
	}
	if err := n.Wait(within(t), event.NewToken("other", at.Epoch(), 1)); !errors.Is(err, event.ErrInvalid) {
		t.Fatalf("another fleet's: %v", err)
	}
	if err := n.Wait(within(t), event.NewToken(at.Fleet(), at.Epoch(), at.Sequence()+1_000_000)); !errors.Is(err, event.ErrInvalid) {
		t.Fatalf("one above the leader's last: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := n.Wait(ctx, event.NewToken(at.Fleet(), at.Epoch(), at.Sequence()+1_000_000)); err == nil {
		t.Fatal("an ended context waited with success")
	}
}
