package scale

import (
	"context"
	"runtime"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/lethe-cache/lethe/bench/internal/suite"
	"github.com/lethe-cache/lethe/pkg/embedded"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

// local is a node with its bus, all in this process.
type local struct {
	node  *lethe.Node
	loads atomic.Int64
}

func openLocal(ctx context.Context, e *suite.Env, cfg lethe.Config) (*local, error) {
	srv, err := embedded.Start(ctx, embedded.Config{})
	if err != nil {
		return nil, err
	}
	e.Defer(srv.Close)
	nc, err := srv.Connect()
	if err != nil {
		return nil, err
	}
	e.Defer(func() error { nc.Close(); return nil })
	cfg.Conn, cfg.Fleet = nc, "local"
	l := &local{}
	if l.node, err = lethe.Open(ctx, cfg); err != nil {
		return nil, err
	}
	e.Defer(l.node.Close)
	ready, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	return l, l.node.Ready(ready)
}

// load is a loader whose values are of 100 bytes or so.
func (l *local) load(_ context.Context, k int) (string, error) {
	l.loads.Add(1)
	return value(k), nil
}

const filler = "the quick brown fox jumps over the lazy dog, and the lazy dog sleeps on beside the river "

func value(k int) string { return filler + strconv.Itoa(k) }

// heap is what is in use after a collection.
func heap() float64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

// timed calls op n times, a hundred at a time, and returns the nanoseconds that one took of each hundred: a clock read costs as
// much as a hit.
func timed(n int, op func() error) ([]float64, error) {
	const batch = 100
	ns := make([]float64, 0, n/batch)
	for range n / batch {
		begin := time.Now()
		for range batch {
			if err := op(); err != nil {
				return nil, err
			}
		}
		ns = append(ns, float64(time.Since(begin).Nanoseconds())/batch)
	}
	return ns, nil
}
