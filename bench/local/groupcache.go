package local

import (
	"context"
	"strconv"
	"sync/atomic"

	"github.com/golang/groupcache"
)

//nolint:gochecknoglobals // groupcache has one table of names for the whole process
var groups atomic.Int64

// openGroupcache is one node's group: it owns every key. A group can't be closed, so it is a small one.
func openGroupcache(ctx context.Context, _ int) (*cache, error) {
	l := &loader{}
	g := groupcache.NewGroup("products-"+strconv.FormatInt(groups.Add(1), 10), 4<<20,
		groupcache.GetterFunc(func(ctx context.Context, k string, dest groupcache.Sink) error {
			v, err := l.load(ctx, k)
			if err != nil {
				return err
			}
			b, err := encodeProduct(v)
			if err != nil {
				return err
			}
			return dest.SetBytes(b)
		}))
	ctx = deep(ctx)
	return &cache{
		name: "groupcache", loads: l,
		get: func(k string) (*product, error) {
			var b []byte
			if err := g.Get(ctx, k, groupcache.AllocatingByteSliceSink(&b)); err != nil {
				return nil, err
			}
			return decodeProduct(b)
		},
		close: func() error { return nil },
	}, nil
}
