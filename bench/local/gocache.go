package local

import (
	"context"
	"errors"
	"fmt"

	gocache "github.com/eko/gocache/lib/v4/cache"
	"github.com/eko/gocache/lib/v4/marshaler"
	"github.com/eko/gocache/lib/v4/store"
	bigcachestore "github.com/eko/gocache/store/bigcache/v4"
)

// openGocache is gocache over bigcache, read through its own msgpack marshaler.
func openGocache(ctx context.Context, room int) (*cache, error) {
	bc, err := newBigcache(ctx, room)
	if err != nil {
		return nil, err
	}
	m := marshaler.New(gocache.New[any](bigcachestore.NewBigcache(bc)))
	ctx = deep(ctx)
	return &cache{
		name: "gocache", loads: &loader{},
		get: func(k string) (*product, error) {
			v := new(product)
			_, err := m.Get(ctx, k, v)
			return v, err
		},
		has:   func(k string) bool { _, err := m.Get(ctx, k, new(product)); return err == nil },
		drop:  func(k string) { _ = m.Delete(ctx, k) }, // says that there was none
		clear: func() { _ = m.Clear(ctx) },
		close: func() error { return errors.Join(bc.Reset(), bc.Close()) },
		fill:  each(func(k string, v *product) error { return m.Set(ctx, k, v) }),
	}, nil
}

// openLoadable is gocache's own way to load what is missing. It stores in the background, in the order of loads.
func openLoadable(ctx context.Context, room int) (*cache, error) {
	bc, err := newBigcache(ctx, room)
	if err != nil {
		return nil, err
	}
	l := &loader{}
	lc := gocache.NewLoadable(func(ctx context.Context, key any) ([]byte, []store.Option, error) {
		k, ok := key.(string)
		if !ok {
			return nil, nil, fmt.Errorf("%T is no key", key)
		}
		v, err := l.load(ctx, k)
		if err != nil {
			return nil, nil, err
		}
		b, err := encodeProduct(v)
		return b, nil, err
	}, gocache.New[[]byte](bigcachestore.NewBigcache(bc)))
	ctx = deep(ctx)
	return &cache{
		name: "gocache loadable", loads: l,
		get: func(k string) (*product, error) {
			b, err := lc.Get(ctx, k)
			if err != nil {
				return nil, err
			}
			return decodeProduct(b)
		},
		close: func() error { return errors.Join(lc.Close(), bc.Reset(), bc.Close()) },
	}, nil
}
