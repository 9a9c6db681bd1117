package local

import (
	"context"
	"runtime"

	"github.com/lethe-cache/lethe/bench/internal/suite"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

const invalidations = 10_000 // a second

func hotHit() suite.Question {
	const n = 512
	bars := []suite.Bar{
		{Of: "lethe", To: otterOwnTTL, Bound: 1.25},
		{Of: "lethe", Bound: 0.001, Unit: "allocs/op", Case: "quiet"},
	}
	for _, peer := range []string{"ristretto", "sturdyc", "gocache"} {
		bars = append(bars, suite.Bar{Of: "lethe", To: peer, Bound: 1})
	}
	return suite.Question{
		ID: "hot-hit", Title: "Hit of a decoded value", Unit: "ns/op",
		About: "A read of a value that is in memory, decoded: 512 keys of 64 bytes, a pointer to a struct of ten fields. Lethe is a whole node " +
			"on an embedded server: every read looks at its labels (function, key, a tag and its two boundaries), its TTL and the node's lease by " +
			"a clock read in the call, its metrics are on, and its context is five values deep. Otter stands there with its own TTL, read both " +
			"without and with a loader, and without a TTL, which no cache of a fleet could do; ristretto has a TTL; sturdyc reads by GetOrFetch; " +
			"gocache decodes from bigcache by its marshaler each time, and has no TTL of an entry to look at. While 10,000 keys a second are " +
			"made stale, it is Node.Forget on Lethe's node and the call that deletes on each peer's cache, of keys that are not those read, and " +
			"that no one holds (which costs a peer less, and Lethe the same); \"as events\" they come from a second node, a hundred keys an event, and " +
			"all that publishes, carries and applies them takes its time from the same cores. Parallel is all cores reading the same 512 keys, in time for one " +
			"read of the whole; cold is 65,536 keys in random order, all of them in the hot tier. Each value is looked at (its first field is " +
			"its key), and no read may have loaded. Allocations are those of the whole process, so the bar of none allows what the node and its " +
			"server do in the background: under a thousandth.",
		Bars: bars,
		Cases: []suite.Case{
			{Name: "quiet", Open: hotCase(n, 1, false)},
			{Name: "10,000 invalidations a second", Open: hotCase(n, 1, true)},
			{Name: "parallel", Open: hotCase(n, runtime.GOMAXPROCS(0), false)},
			{Name: "cold", Open: hotCase(1<<16, 1, false), Full: true},
		},
	}
}

func hotCase(n, goroutines int, writes bool) func(context.Context, *suite.Env) ([]suite.Contender, error) {
	return func(ctx context.Context, e *suite.Env) ([]suite.Contender, error) {
		openers := []opener{
			letheWith("lethe", lethe.Config{MaxHot: -1, MaxBytes: 64 << 20}, event.All()),
			otterWith(otterOwnTTL, true, false), otterWith("otter, its own TTL, Get with a loader", true, true), otterWith("otter without TTL", false, false),
			openRistretto, openSturdyc, openGocache,
		}
		if writes {
			openers = append(openers, letheEvents)
		}
		caches, err := open(ctx, e, max(4*n, 1<<14), openers...)
		if err != nil {
			return nil, err
		}
		keys, others := keysOf("product-", n), keysOf("other-", 1<<16)
		for _, c := range caches {
			if err := c.hold(keys); err != nil {
				return nil, err
			}
		}
		shuffle(keys) // what was stored one after the other is not read so
		var all []suite.Contender
		for _, c := range caches {
			all = append(all, suite.Contender{Name: c.name, Run: func(context.Context) (suite.Sample, error) {
				if !writes {
					return c.hits(e, keys, goroutines)
				}
				stop := steady(invalidations, func(i int) { c.drop(others[i&(len(others)-1)]) })
				s, err := c.hits(e, keys, goroutines)
				rate := stop()
				if err == nil && c.settle != nil {
					err = c.settle()
				}
				if err == nil && rate < invalidations/2 {
					err = wrong(c.name, "got %.0f invalidations a second", rate)
				}
				if err == nil {
					s["invalidations/s"] = rate
				}
				return s, err
			}})
		}
		return all, nil
	}
}

// hits reads keys, of which there are a power of two, in turn, on so many goroutines. Every read has to be a hit.
func (c *cache) hits(e *suite.Env, keys []string, goroutines int) (suite.Sample, error) {
	loads, mask := c.loads.calls.Load(), len(keys)-1
	places := make([]place, goroutines)
	s, err := timed(e, goroutines, func(g, n int) error {
		get, at := c.get, places[g].at+g*len(keys)/goroutines
		for range n {
			k := keys[at&mask]
			at++
			if v, err := get(k); err != nil || v.SKU != k {
				return wrong(c.name, "did not return %s: %v, %v", k, v, err)
			}
		}
		places[g].at += n
		return nil
	})
	if got := c.loads.calls.Load() - loads; err == nil && got != 0 {
		err = wrong(c.name, "loaded %d times instead of hitting", got)
	}
	return s, err
}
