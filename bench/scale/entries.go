package scale

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"github.com/lethe-cache/lethe/bench/internal/suite"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

func entries() suite.Question {
	q := suite.Question{
		ID: "entries", Title: "A node with more and more entries: a hit",
		About: "Chance keys of all that are cached, values of 100 bytes, the hot tier at its default of 16,384 values: the more entries, the more hits come from " +
			"the bulk tier, are found outside the processor's caches, and are decoded. *ns* is the median of batches of a hundred hits, each seen to be a hit. *B/entry* " +
			"is the heap's growth by filling, after a collection, of both tiers; the bulk tier grows in steps, so it is more than what an entry is. " +
			"*GC pause us* is the longest time that a forced collection stopped the world, *GC ms* its length.",
		Unit: "ns", Rounds: rounds,
	}
	for _, n := range []int{1000, 10_000, 100_000, 1_000_000} {
		q.Cases = append(q.Cases, suite.Case{
			Name: count(n) + " entries", Full: n > 100_000,
			Open: func(ctx context.Context, e *suite.Env) ([]suite.Contender, error) { return openEntries(ctx, e, n) },
		})
	}
	return q
}

func openEntries(ctx context.Context, e *suite.Env, n int) ([]suite.Contender, error) {
	l, err := openLocal(ctx, e, lethe.Config{MaxBytes: 1 << 30})
	if err != nil {
		return nil, err
	}
	f := lethe.Memoize(l.node, event.Name[int]("value"), l.load)
	empty := heap()
	for k := range n {
		if _, err := f.Get(ctx, k); err != nil {
			return nil, err
		}
	}
	bytes := (heap() - empty) / float64(n)
	if bytes <= 0 {
		return nil, errors.New("the heap has not grown")
	}
	hits := suite.Pick(e, 200_000, 50_000)
	return one(func(ctx context.Context) (suite.Sample, error) {
		before := l.loads.Load()
		ns, err := timed(hits, func() error {
			k := rand.N(n)
			v, err := f.Get(ctx, k)
			if err == nil && len(v) < len(filler) {
				err = fmt.Errorf("key %d has the value %q", k, v)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		if loads := l.loads.Load() - before; loads > 0 {
			return nil, fmt.Errorf("%d of %d hits were loads", loads, hits)
		}
		took, pause := collection()
		return suite.Sample{
			"ns": suite.Median(ns), "ns p99": suite.Quantile(ns, 0.99), "B/entry": bytes,
			"GC ms": float64(took.Microseconds()) / 1e3, "GC pause us": float64(pause.Nanoseconds()) / 1e3,
		}, nil
	}), nil
}

// collection forces one and returns how long it took and its longest pause.
func collection() (took, pause time.Duration) {
	var before, after debug.GCStats
	debug.ReadGCStats(&before)
	begin := time.Now()
	runtime.GC()
	took = time.Since(begin)
	debug.ReadGCStats(&after)
	if n := int(after.NumGC - before.NumGC); n > 0 && n <= len(after.Pause) {
		pause = slices.Max(after.Pause[:n])
	}
	return took, pause
}
