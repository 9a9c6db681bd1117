package lethe_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/lethe-cache/lethe/internal/bus"
	"github.com/lethe-cache/lethe/pkg/embedded"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

// lossy is a live feed that drops, repeats, delays and reorders messages.
type lossy struct {
	bus.Feed
	on             *atomic.Bool
	dropped, other *atomic.Int64

	mu      sync.Mutex // guards what follows
	stopped bool
	back    []bus.Arrival // overtaken by the next
}

func (f *lossy) Start(deliver func(bus.Arrival)) error {
	return f.Feed.Start(func(a bus.Arrival) {
		f.mu.Lock()
		defer f.mu.Unlock()
		p := rand.IntN(100)
		switch {
		case !f.on.Load() || p >= 24:
			deliver(a)
		case p < 8:
			f.dropped.Add(1)
		case p < 12:
			f.other.Add(1)
			deliver(a)
			deliver(a)
		case p < 18:
			f.other.Add(1)
			f.back = append(f.back, a)
			return
		default:
			f.other.Add(1)
			time.AfterFunc(time.Duration(rand.IntN(50))*time.Millisecond, func() {
				f.mu.Lock()
				defer f.mu.Unlock()
				if !f.stopped {
					deliver(a)
				}
			})
		}
		for _, b := range f.back {
			deliver(b)
		}
		f.back = nil
	})
}

func (f *lossy) Stop() {
	f.Feed.Stop()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stopped = true
}

func TestALossyFeedHealsAndMakesNoReadOlderThanTheBound(t *testing.T) {
	t.Parallel()
	srv := must[*embedded.Server](t)(embedded.Start(within(t), embedded.Config{}))
	t.Cleanup(func() { _ = srv.Close() })
	var on atomic.Bool
	var dropped, other atomic.Int64
	w := &world{t: t, slow: brief, rest: 50 * time.Millisecond, pause: 100 * time.Millisecond, bound: 5 * time.Second}
	for range 3 {
		nc := must[*nats.Conn](t)(srv.Connect())
		t.Cleanup(nc.Close)
		n := must[*lethe.Node](t)(lethe.OpenWithFeed(t.Context(), lethe.Config{Conn: nc, MaxStaleness: 5 * time.Second, MaxLoad: time.Minute}, func(f bus.Feed) bus.Feed {
			return &lossy{Feed: f, on: &on, dropped: &dropped, other: &other}
		}))
		t.Cleanup(func() { _ = n.Close() })
		w.join(n)
	}
	for _, m := range w.nodes {
		if err := m.n.Ready(within(t)); err != nil {
			t.Fatal(err)
		}
	}
	on.Store(true)
	end := time.Now().Add(12 * time.Second)
	w.run(context.Background(), 60, 8, func() bool { return time.Now().After(end) })
	on.Store(false)
	w.healed()
	healed := 0.0
	for _, m := range w.nodes {
		healed += metric(t, m.n, "lethe_gaps_healed_total")
	}
	if dropped.Load() == 0 || other.Load() == 0 || healed == 0 || w.behind.Load() == 0 {
		t.Errorf("%d dropped, %d repeated, delayed or reordered, %v gaps healed, %d reads behind: this run shows nothing",
			dropped.Load(), other.Load(), healed, w.behind.Load())
	}
	t.Logf("%d reads checked; %d dropped, %d repeated, delayed or reordered, %v gaps healed", w.checked.Load(), dropped.Load(), other.Load(), healed)
}

// healed fails unless every node is current again and obeys.
func (w *world) healed() {
	w.t.Helper()
	for _, m := range w.nodes {
		until(w.t, "the node is current", func() bool { return m.n.Status().State == lethe.Current })
	}
	r := rand.New(rand.NewPCG(3, 3))
	for range 10 {
		if err := w.write(within(w.t), r); err != nil {
			w.t.Fatal(err)
		}
		for _, m := range w.nodes {
			for range 20 {
				if err := w.read(within(w.t), m, r); err != nil {
					w.t.Fatal(err)
				}
			}
		}
	}
}
