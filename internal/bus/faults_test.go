package bus_test

import (
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/lethe-cache/lethe/internal/bus"
)

// faulty is a Feed that treats single messages badly. wrap is Config.Feed.
type faulty struct {
	bus.Feed
	mu      sync.Mutex // guards what follows
	deliver func(bus.Arrival)
	treat   func(bus.Arrival) []bus.Arrival
	held    []bus.Arrival
}

func (f *faulty) wrap(cfg *bus.Config) {
	cfg.Feed = func(inner bus.Feed) bus.Feed { f.Feed = inner; return f }
}

func (f *faulty) Start(deliver func(bus.Arrival)) error {
	f.deliver = deliver
	return f.Feed.Start(func(a bus.Arrival) {
		f.mu.Lock()
		out := []bus.Arrival{a}
		if f.treat != nil {
			out = f.treat(a)
		}
		f.mu.Unlock()
		for _, a := range out {
			deliver(a)
		}
	})
}

// with treats what comes from now on.
func (f *faulty) with(treat func(bus.Arrival) []bus.Arrival) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.treat = treat
}

// release delivers what was held, as it comes late from the network.
func (f *faulty) release() {
	f.mu.Lock()
	held := f.held
	f.held = nil
	f.mu.Unlock()
	for _, a := range held {
		f.deliver(a)
	}
}

// faultyPair is a node that publishes and one with a bad feed.
func (w way) faultyPair(t *testing.T) (good, bad *node, f *faulty) {
	t.Helper()
	srv := serve(t)
	f = &faulty{}
	good, bad = w.open(t, connect(t, srv)), w.open(t, connect(t, srv), f.wrap)
	ready(t, good, bad)
	return good, bad, f
}

func aSingleLostMessageIsFetched(t *testing.T, w way) {
	good, bad, f := w.faultyPair(t)
	lost := 0
	f.with(func(a bus.Arrival) []bus.Arrival {
		if lost == 0 {
			lost++
			return nil
		}
		return []bus.Arrival{a}
	})
	invalidate(t, good, "a:1")
	last := invalidate(t, good, "a:2")
	wait(t, last, bad)
	if bad.forgot("a:1") == 0 || bad.forgot("a:2") == 0 {
		t.Fatalf("applied %d and %d times", bad.forgot("a:1"), bad.forgot("a:2"))
	}
	if s := bad.Status(); s.GapsHealed == 0 || len(bad.causes()) != 1 {
		t.Errorf("%d gaps healed, resets %v: it has to heal without a Reset", s.GapsHealed, bad.causes())
	}
}

func aLostTailIsFetchedWithoutAnyFurtherEvent(t *testing.T, w way) {
	good, bad, f := w.faultyPair(t)
	f.with(func(bus.Arrival) []bus.Arrival { return nil }) // and from now on the feed is dead
	token := invalidate(t, good, "a:1")
	wait(t, token, bad)
	if bad.forgot("a:1") != 1 {
		t.Fatalf("applied %d times", bad.forgot("a:1"))
	}
	eventually(t, "a lease although the live feed is dead", bad.leased)
}

func repeatedReorderedAndDelayedMessagesHeal(t *testing.T, w way) {
	good, bad, f := w.faultyPair(t)
	n := 0
	f.with(func(a bus.Arrival) []bus.Arrival {
		n++
		switch n % 3 {
		case 0:
			return []bus.Arrival{a, a} // repeated
		case 1:
			f.held = append(f.held, a) // delayed
			return nil
		default:
			held := f.held
			f.held = nil
			return append([]bus.Arrival{a}, held...) // reordered
		}
	})
	tags := make([]string, 30)
	for i := range tags {
		tags[i] = tag(i)
		invalidate(t, good, tags[i])
	}
	last := invalidate(t, good, "last:1")
	wait(t, last, bad)
	for _, tag := range tags {
		if bad.forgot(tag) == 0 {
			t.Errorf("%s was never applied", tag)
		}
	}
	f.with(nil)
	f.release() // what comes when it was fetched long ago is compared and ignored
	wait(t, invalidate(t, good, "end:1"), bad)
	if len(bad.causes()) != 1 {
		t.Errorf("resets %v: it has to heal without a Reset", bad.causes())
	}
}

func aFullQueueIsAHoleAndNotAReset(t *testing.T, w way) {
	good, bad, f := w.faultyPair(t)
	stop := make(chan struct{})
	bad.mu.Lock() // its Handler hangs
	token := invalidate(t, good, "a:1")
	for begun := time.Now(); bad.hanging.Load() == 0; runtime.Gosched() { // with the turn in its hand
		if time.Since(begun) > patience {
			bad.mu.Unlock()
			t.Fatal("nothing arrived")
		}
	}
	go func() {
		defer close(stop)
		filler := bus.Arrival{Subject: "lethe.v1.live.other.x", Data: make([]byte, 4096)}
		for range 12_000 { // more than the queue takes, in number and in bytes
			f.deliver(filler)
		}
	}()
	select {
	case <-stop:
	case <-time.After(patience):
		bad.mu.Unlock()
		t.Fatal("what arrives waits for what is dealt with")
	}
	for i := range 20 {
		token = invalidate(t, good, tag(i))
	}
	bad.mu.Unlock()
	wait(t, token, bad)
	for i := range 20 {
		if bad.forgot(tag(i)) == 0 {
			t.Errorf("%s was never applied", tag(i))
		}
	}
	if s := bad.Status(); s.Overflows == 0 || len(bad.causes()) != 1 {
		t.Errorf("%d overflows, resets %v", s.Overflows, bad.causes())
	}
}
