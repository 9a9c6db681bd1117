package local

import (
	"bytes"
	"context"
	"errors"
	"strings"

	gocache "github.com/eko/gocache/lib/v4/cache"
	bigcachestore "github.com/eko/gocache/store/bigcache/v4"
	"github.com/maypok86/otter/v2"

	"github.com/lethe-cache/lethe/bench/internal/suite"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

func bulkHit() suite.Question {
	const peer = "bigcache and the same decode"
	ten := func(k string) product { return *newProduct(k) }
	sameTen := func(k string, v product) bool { return v.SKU == k }
	padding := strings.Repeat("x", 100-keySize)
	return suite.Question{
		ID: "bulk-hit", Title: "Hit of an encoded value", Unit: "ns/op",
		About: "A read of a value that is kept encoded, decoded for the caller alone. Lethe reads WithoutHot, from its bulk tier, and checks its " +
			"labels, TTL and lease as ever. Everyone uses the same msgpack codec, through the same two functions; Lethe stands there with its own " +
			"one as well. Bigcache is raw, with the hash that is its fastest, and does not look at expiry; gocache is its plain cache over the " +
			"same bigcache, without its marshaler; otter keeps the bytes and decodes them without a copy. Keys have 64 bytes; values are a struct " +
			"of ten fields (210 bytes encoded), and 100 bytes, which take hardly any decoding; 512 keys, or 65,536 in random order (cold).",
		Bars: []suite.Bar{{Of: "lethe", To: peer, Bound: 1.25}},
		Cases: []suite.Case{
			{Name: "10 fields", Open: bulkCase(512, ten, sameTen)},
			{Name: "100 bytes", Open: bulkCase(512, func(k string) []byte { return []byte(k + padding) }, func(k string, v []byte) bool {
				return len(v) == 100 && bytes.HasPrefix(v, []byte(k))
			})},
			{Name: "10 fields, cold", Full: true, Open: bulkCase(1<<16, ten, sameTen)},
		},
	}
}

// bulk is one contender: how it keeps and reads values of V.
type bulk[V any] struct {
	name string
	set  func(k string, v V) error
	get  func(k string) (V, error)
}

func bulkCase[V any](n int, made func(k string) V, same func(k string, v V) bool) func(context.Context, *suite.Env) ([]suite.Contender, error) {
	return func(ctx context.Context, e *suite.Env) ([]suite.Contender, error) {
		bulks, err := openBulks(ctx, e, n, made)
		if err != nil {
			return nil, err
		}
		keys := keysOf("product-", n)
		for _, b := range bulks {
			for _, k := range keys {
				if err := b.set(k, made(k)); err != nil {
					return nil, err
				}
			}
		}
		shuffle(keys)
		var all []suite.Contender
		for _, b := range bulks {
			at := 0
			all = append(all, suite.Contender{Name: b.name, Run: func(context.Context) (suite.Sample, error) {
				return timed(e, 1, func(_, n int) error {
					for range n {
						k := keys[at&(len(keys)-1)]
						at++
						if v, err := b.get(k); err != nil || !same(k, v) {
							return wrong(b.name, "did not return %s: %v", k, err)
						}
					}
					return nil
				})
			}})
		}
		return all, nil
	}
}

func openBulks[V any](ctx context.Context, e *suite.Env, n int, made func(k string) V) ([]bulk[V], error) {
	bc, err := newBigcache(ctx, n)
	if err != nil {
		return nil, err
	}
	e.Defer(func() error { return errors.Join(bc.Reset(), bc.Close()) })
	below, err := newBigcache(ctx, n)
	if err != nil {
		return nil, err
	}
	e.Defer(func() error { return errors.Join(below.Reset(), below.Close()) })
	gc := gocache.New[[]byte](bigcachestore.NewBigcache(below))
	oc, err := otter.New(&otter.Options[string, []byte]{MaximumSize: 4 * n, ExpiryCalculator: otter.ExpiryWriting[string, []byte](ttl)})
	if err != nil {
		return nil, err
	}
	e.Defer(noError(func() { oc.InvalidateAll(); oc.StopAllGoroutines() }))
	ctx = deep(ctx)
	own, err := letheBulk(ctx, e, "lethe, its own codec", made)
	if err != nil {
		return nil, err
	}
	ours, err := letheBulk(ctx, e, "lethe", made, lethe.WithCodec(codec{}))
	if err != nil {
		return nil, err
	}
	return []bulk[V]{
		ours, own,
		encoded[V]("bigcache and the same decode", bc.Set, bc.Get),
		encoded[V]("gocache and the same decode",
			func(k string, b []byte) error { return gc.Set(ctx, k, b) },
			func(k string) ([]byte, error) { return gc.Get(ctx, k) }),
		encoded[V]("otter and the same decode",
			func(k string, b []byte) error { oc.Set(k, b); return nil },
			func(k string) ([]byte, error) {
				b, ok := oc.GetIfPresent(k)
				if !ok {
					return nil, errors.New("no such key")
				}
				return b, nil
			}),
	}, nil
}

// encoded puts the codec over a cache of bytes.
func encoded[V any](name string, set func(string, []byte) error, get func(string) ([]byte, error)) bulk[V] {
	return bulk[V]{
		name: name,
		set: func(k string, v V) error {
			b, err := codec{}.Append(nil, v)
			if err != nil {
				return err
			}
			return set(k, b)
		},
		get: func(k string) (v V, err error) {
			b, err := get(k)
			if err != nil {
				return v, err
			}
			err = codec{}.Decode(b, &v)
			return v, err
		},
	}
}

// letheBulk is a node whose reads all come from the bulk tier.
func letheBulk[V any](ctx context.Context, e *suite.Env, name string, made func(k string) V, opts ...lethe.Option) (bulk[V], error) {
	node, stop, err := openNode(ctx, lethe.Config{MaxBytes: 128 << 20})
	if err != nil {
		return bulk[V]{}, err
	}
	e.Defer(stop)
	filled := false
	f := lethe.Memoize(node, "bench.product", func(_ context.Context, k string) (v V, err error) {
		if filled {
			return v, errors.New("a load instead of a hit")
		}
		return made(k), nil
	}, append(opts, lethe.WithoutHot(), lethe.WithTTL(ttl), lethe.WithTags(func(string, V) []string { return []string{tag} }))...)
	return bulk[V]{
		name: name,
		set: func(k string, _ V) error {
			filled = false
			defer func() { filled = true }()
			_, err := f.Get(ctx, k)
			return err
		},
		get: func(k string) (V, error) { return f.Get(ctx, k) },
	}, nil
}
