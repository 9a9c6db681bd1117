package local

import (
	"context"

	"github.com/viccon/sturdyc"
)

// openSturdyc has no job that evicts, as its documentation advises where room is enough; that job could not be stopped either.
func openSturdyc(ctx context.Context, room int) (*cache, error) {
	const shards = 64
	// Shards fill unevenly, and a full one evicts.
	sc := sturdyc.New[*product](room*5/4+shards*16, shards, ttl, 10, sturdyc.WithNoContinuousEvictions())
	l := &loader{}
	ctx = deep(ctx)
	return &cache{
		name: "sturdyc", loads: l,
		get: func(k string) (*product, error) {
			return sc.GetOrFetch(ctx, k, func(ctx context.Context) (*product, error) { return l.load(ctx, k) })
		},
		has:  func(k string) bool { _, ok := sc.Get(k); return ok },
		drop: sc.Delete,
		clear: func() {
			for _, k := range sc.ScanKeys() {
				sc.Delete(k)
			}
		},
		close: func() error { return nil },
		fill:  each(func(k string, v *product) error { sc.Set(k, v); return nil }),
	}, nil
}
