package local

import (
	"context"

	"github.com/dgraph-io/ristretto/v2"
)

// openRistretto has a TTL on every entry. It may decline to keep some, and takes its time with all.
func openRistretto(_ context.Context, room int) (*cache, error) {
	const name = "ristretto"
	rc, err := ristretto.NewCache(&ristretto.Config[string, *product]{
		NumCounters: int64(room) * 10, MaxCost: int64(room), BufferItems: 64, IgnoreInternalCost: true,
	})
	if err != nil {
		return nil, err
	}
	return &cache{
		name: name, loads: &loader{},
		get: func(k string) (*product, error) {
			v, ok := rc.Get(k)
			if !ok {
				return nil, wrong(name, "misses")
			}
			return v, nil
		},
		has:   func(k string) bool { _, ok := rc.Get(k); return ok },
		drop:  rc.Del,
		clear: rc.Clear,
		close: noError(rc.Close),
		fill: func(keys []string) error {
			for i, k := range keys {
				rc.SetWithTTL(k, newProduct(k), 1, ttl)
				if i%1024 == 0 {
					rc.Wait() // its buffer drops what it has no room for
				}
			}
			rc.Wait()
			return nil
		},
	}, nil
}
