package local

import (
	"context"
	"errors"

	"github.com/allegro/bigcache/v3"
	"github.com/cespare/xxhash/v2"
)

type xxHasher struct{}

func (xxHasher) Sum64(s string) uint64 { return xxhash.Sum64String(s) }

// newBigcache has the faster hash, and room for as many entries of a product.
func newBigcache(ctx context.Context, room int) (*bigcache.BigCache, error) {
	cfg := bigcache.DefaultConfig(ttl)
	cfg.Shards, cfg.CleanWindow, cfg.Verbose = 256, 0, false
	cfg.MaxEntriesInWindow, cfg.MaxEntrySize = max(room, cfg.Shards*16), 384
	cfg.HardMaxCacheSize = 64 + room*512>>20
	cfg.Hasher = xxHasher{}
	return bigcache.New(ctx, cfg)
}

// openBigcache keeps encoded products, and decodes them when they are read. It does not look at expiry when it is read.
func openBigcache(ctx context.Context, room int) (*cache, error) {
	bc, err := newBigcache(ctx, room)
	if err != nil {
		return nil, err
	}
	return &cache{
		name: "bigcache", loads: &loader{},
		get: func(k string) (*product, error) {
			b, err := bc.Get(k)
			if err != nil {
				return nil, err
			}
			return decodeProduct(b)
		},
		has:   func(k string) bool { _, err := bc.Get(k); return err == nil },
		drop:  func(k string) { _ = bc.Delete(k) }, // says that there was none
		clear: func() { _ = bc.Reset() },
		close: func() error { return errors.Join(bc.Reset(), bc.Close()) },
		fill: each(func(k string, v *product) error {
			b, err := encodeProduct(v)
			if err != nil {
				return err
			}
			return bc.Set(k, b)
		}),
	}, nil
}
