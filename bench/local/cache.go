package local

import (
	"context"

	"github.com/nats-io/nats.go"

	"github.com/lethe-cache/lethe/bench/internal/suite"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

// cache is one contender as the measurements of this package see it. What a contender can't do is nil.
type cache struct {
	name  string
	get   func(k string) (*product, error) // loads what is missing, where the cache has a way to
	fill  func(keys []string) error
	has   func(k string) bool // without a load
	drop  func(k string)      // makes one key stale
	clear func()              // makes everything stale
	close func() error
	loads *loader

	settle func() error // waits until what was dropped is; nil where drop does
	node   *lethe.Node  // of Lethe, and its connection
	conn   *nats.Conn
	target func(k string) event.Target
}

// opener opens a cache with room for so many entries.
type opener func(ctx context.Context, room int) (*cache, error)

// open opens caches that live as long as the case.
func open(ctx context.Context, e *suite.Env, room int, openers ...opener) ([]*cache, error) {
	var all []*cache
	for _, o := range openers {
		c, err := o(ctx, room)
		if err != nil {
			return nil, err
		}
		e.Defer(c.close)
		all = append(all, c)
	}
	return all, nil
}

// hold fills c with keys until it has them all: some caches may decline, or take their time.
func (c *cache) hold(keys []string) error {
	missing := keys
	for range 100 {
		if err := c.fill(missing); err != nil {
			return err
		}
		var left []string
		for _, k := range missing {
			if !c.has(k) {
				left = append(left, k)
			}
		}
		if missing = left; len(missing) == 0 {
			return nil
		}
	}
	return wrong(c.name, "does not keep %d of %d keys", len(missing), len(keys))
}

// each fills a cache key by key.
func each(set func(k string, v *product) error) func([]string) error {
	return func(keys []string) error {
		for _, k := range keys {
			if err := set(k, newProduct(k)); err != nil {
				return err
			}
		}
		return nil
	}
}

func noError(fn func()) func() error {
	return func() error {
		fn()
		return nil
	}
}
