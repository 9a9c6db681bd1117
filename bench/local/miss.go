package local

import (
	"context"
	"runtime"
	"strconv"

	"github.com/lethe-cache/lethe/bench/internal/suite"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

func miss() suite.Question {
	return suite.Question{
		ID: "miss", Title: "Miss with a trivial loader", Unit: "ns/op",
		About: "A read of a key that was never there: the cache calls the loader, which only makes a struct of ten fields, keeps what it brings, " +
			"and evicts what has no room (65,536 entries; groupcache 4 MiB, Lethe's bulk tier 32 MiB). A load of Lethe runs on a goroutine of " +
			"its own, so that a caller may leave and others may share it; it gets a context that records what it reads, ends in time, and the " +
			"entry is kept both decoded and encoded. Sturdyc and otter keep the pointer; groupcache, a group of one node, and gocache's " +
			"loadable cache (which keeps in the background, on another goroutine) encode, and decode for the caller. " +
			"Each key is made in the loop, which costs all the same; it stands there as a row of its own. Each read must have loaded once, and " +
			"return its own value.",
		Bars: []suite.Bar{{Of: "lethe", To: "sturdyc", Bound: 3}},
		Cases: []suite.Case{
			{Name: "one caller", Open: missCase(1)},
			{Name: "parallel", Open: missCase(runtime.GOMAXPROCS(0)), Full: true},
		},
	}
}

func missCase(goroutines int) func(context.Context, *suite.Env) ([]suite.Contender, error) {
	return func(ctx context.Context, e *suite.Env) ([]suite.Contender, error) {
		caches, err := open(ctx, e, 1<<16,
			letheWith("lethe", lethe.Config{MaxHot: -1, MaxBytes: 32 << 20}, event.All()),
			openSturdyc, otterWith(otterOwnTTL, true, true), openGroupcache, openLoadable, justKeys)
		if err != nil {
			return nil, err
		}
		var all []suite.Contender
		for _, c := range caches {
			places := make([]place, goroutines)
			all = append(all, suite.Contender{Name: c.name, Run: func(context.Context) (suite.Sample, error) {
				return c.misses(e, places)
			}})
		}
		return all, nil
	}
}

// misses reads keys that are new, on as many goroutines as there are places.
func (c *cache) misses(e *suite.Env, places []place) (suite.Sample, error) {
	loads, reads := c.loads.calls.Load(), 0
	for _, p := range places {
		reads -= p.at
	}
	s, err := timed(e, len(places), func(g, n int) error {
		family := "new-" + strconv.Itoa(g) + "-"
		for range n {
			k := keyOf(family, places[g].at)
			places[g].at++
			if v, err := c.get(k); err != nil || v.SKU != k {
				return wrong(c.name, "did not return %s: %v, %v", k, v, err)
			}
		}
		return nil
	})
	for _, p := range places {
		reads += p.at
	}
	if got := c.loads.calls.Load() - loads; err == nil && got != int64(reads) {
		err = wrong(c.name, "loaded %d times in %d reads", got, reads)
	}
	return s, err
}

// justKeys is what the loop costs without a cache: the key and the value.
func justKeys(ctx context.Context, _ int) (*cache, error) {
	l := &loader{}
	return &cache{
		name: "the loader alone", loads: l, close: func() error { return nil },
		get: func(k string) (*product, error) { return l.load(ctx, k) },
	}, nil
}
