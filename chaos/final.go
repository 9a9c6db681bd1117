package main

import (
	"context"
	"fmt"
	"time"

	"github.com/lethe-cache/lethe/chaos/judge"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

// final waits for the last token of the run and then reads every key of every function until each comes from the cache. Every
// read on the way has to bring what the command says is the truth.
func (m *member) final(ctx context.Context, c command) error {
	t, err := event.ParseToken(c.Token)
	if err != nil {
		return err
	}
	if err := m.node.Wait(ctx, t); err != nil {
		return fmt.Errorf("the last token: %w", err)
	}
	for _, k := range c.Covers {
		for name, f := range map[event.Name[int]]*lethe.Func[int, row]{fnItem: m.f.item, fnStale: m.f.stale, fnServe: m.f.serve, fnBulk: m.f.bulk} {
			err := cached(ctx, name, k.Key, func() (judge.Outcome, bool, error) {
				res, err := f.Lookup(ctx, k.Key)
				return judge.Outcome(res.Cache), res.Value.Version == k.Version, err
			})
			if err != nil {
				return err
			}
		}
	}
	truth := map[int]int64{}
	for _, k := range c.Covers {
		truth[k.Key] = k.Version
	}
	for _, k := range c.Covers {
		for name, f := range map[event.Name[int]]*lethe.Func[int, pair]{fnPair: m.f.pair, fnDeep: m.f.deep} {
			err := cached(ctx, name, k.Key, func() (judge.Outcome, bool, error) {
				res, err := f.Lookup(ctx, k.Key)
				return judge.Outcome(res.Cache), res.Value.A.Version == k.Version && res.Value.B.Version == truth[neighbour(k.Key)], err
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// cached reads until it is a hit. An older version is wrong however it came, but for one that is served stale: after a soft
// invalidation that may be, once, and the judge knows which was the last.
func cached(ctx context.Context, name event.Name[int], key int, read func() (judge.Outcome, bool, error)) error {
	for {
		how, right, err := read()
		switch {
		case err != nil:
			return fmt.Errorf("%s(%d): %w", name, key, err)
		case !right && how != judge.Stale:
			return fmt.Errorf("%s(%d): %w: a %s", name, key, errWrong, how)
		case how == judge.Hit:
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s(%d) never came from the cache, at last a %s: %w", name, key, how, ctx.Err())
		case <-time.After(10 * time.Millisecond):
		}
	}
}
