package local

import (
	"context"

	"github.com/maypok86/otter/v2"
)

// otterOwnTTL is otter with the expiry that its documentation shows for values that are written once and read.
const otterOwnTTL = "otter, its own TTL"

// otterWith opens otter; expires adds its own TTL, loads reads with a loader.
func otterWith(name string, expires, loads bool) opener {
	return func(ctx context.Context, room int) (*cache, error) {
		o := &otter.Options[string, *product]{MaximumSize: room}
		if expires {
			o.ExpiryCalculator = otter.ExpiryWriting[string, *product](ttl)
		}
		oc, err := otter.New(o)
		if err != nil {
			return nil, err
		}
		l := &loader{}
		var load otter.Loader[string, *product] = otter.LoaderFunc[string, *product](l.load)
		ctx = deep(ctx)
		c := &cache{
			name: name, loads: l,
			get: func(k string) (*product, error) {
				v, ok := oc.GetIfPresent(k)
				if !ok {
					return nil, wrong(name, "misses")
				}
				return v, nil
			},
			has:   func(k string) bool { _, ok := oc.GetIfPresent(k); return ok },
			drop:  func(k string) { oc.Invalidate(k) },
			clear: oc.InvalidateAll,
			close: noError(func() { oc.InvalidateAll(); oc.StopAllGoroutines() }),
			fill:  each(func(k string, v *product) error { oc.Set(k, v); return nil }),
		}
		if loads {
			c.get = func(k string) (*product, error) { return oc.Get(ctx, k, load) }
		}
		return c, nil
	}
}
