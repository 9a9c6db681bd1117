package local

import (
	"context"
	"time"

	"github.com/lethe-cache/lethe/bench/internal/suite"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

// million is how many entries are cached, where it is about many.
func million(e *suite.Env) int { return suite.Pick(e, 1_000_000, 50_000) }

// memory of a node that holds that many products.
const memory = 1 << 30

func drop() suite.Question {
	return suite.Question{
		ID: "drop", Title: "Making a million entries stale at once", Unit: "us", Rounds: 3,
		About: "How long it takes until none of a million entries (a quick run: 50,000) is served any more, on this node. Lethe forgets a tag that " +
			"all of them carry, and everything (event.All); a Reset raises the same fence. Its entries stay where they are until their room is " +
			"needed: no read returns them. Bigcache, gocache over it, otter and ristretto empty themselves; sturdyc has no call for it, so each of " +
			"its keys is deleted. Every round has a new cache, filled anew, the only one that is alive. Lethe's figure is the median of 31 drops, " +
			"each of which makes 200 entries stale that were just stored; `us, first` is that of the million, and `us, in a row` a drop in a loop of " +
			"a thousand, which finds everything in the processor's caches. 200 keys are asked for before each drop, when all must be there, and " +
			"after it, when none may.",
		Bars: []suite.Bar{{Of: "lethe", Bound: 2}, {Of: "lethe, everything", Bound: 2}},
		Cases: []suite.Case{{Name: "a million entries", Open: func(_ context.Context, e *suite.Env) ([]suite.Contender, error) {
			var all []suite.Contender
			for _, o := range []struct {
				name  string
				again int
				open  opener
			}{
				{"lethe", 30, letheWith("lethe", lethe.Config{MaxBytes: memory}, event.Tag(tag))},
				{"lethe, everything", 30, letheWith("lethe, everything", lethe.Config{MaxBytes: memory}, event.All())},
				{"bigcache, Reset", 0, openBigcache},
				{"otter, InvalidateAll", 0, otterWith("otter", true, false)},
				{"ristretto, Clear", 0, openRistretto},
				{"sturdyc, every key", 0, openSturdyc},
				{"gocache, Clear", 0, openGocache},
			} {
				n := million(e) / 100 // the round that does not count needs no million
				all = append(all, suite.Contender{Name: o.name, Run: func(ctx context.Context) (suite.Sample, error) {
					defer func() { n = million(e) }()
					return dropAll(ctx, o.open, n, o.again)
				}})
			}
			return all, nil
		}}},
	}
}

// dropAll fills a cache with n entries and drops them, and then again what was read since.
func dropAll(ctx context.Context, o opener, n, again int) (s suite.Sample, err error) {
	c, err := o(ctx, n)
	if err != nil {
		return nil, err
	}
	defer func() {
		if cerr := c.close(); err == nil {
			err = cerr
		}
	}()
	keys := keysOf("product-", n)
	if err := c.fill(keys); err != nil {
		return nil, err
	}
	var some []string
	for i := 0; i < n; i += max(n/200, 1) {
		some = append(some, keys[i])
	}
	for _, k := range some {
		if !c.has(k) {
			return nil, wrong(c.name, "does not have %s of %d entries", k, n)
		}
	}
	var us []float64
	for range 1 + again {
		if err := c.hold(some); err != nil {
			return nil, err
		}
		begin := time.Now()
		c.clear()
		us = append(us, float64(time.Since(begin))/1e3)
		for _, k := range some {
			if c.has(k) {
				return nil, wrong(c.name, "still has %s", k)
			}
		}
	}
	s = suite.Sample{"us": suite.Median(us), "us, first": us[0]}
	if again > 0 {
		const row = 1000
		begin := time.Now()
		for range row {
			c.clear()
		}
		s["us, in a row"] = float64(time.Since(begin)) / 1e3 / row
	}
	return s, nil
}
