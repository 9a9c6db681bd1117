package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

// Keys come in groups; a key's tag is row:g<group>/k<key>.
const (
	keysMost  = 64
	groupSize = 8
)

// Names of the memoized functions. All read the same rows.
const (
	fnItem  event.Name[int] = "chaos.item"  // Bypass without a lease; GetMany in batches
	fnStale event.Name[int] = "chaos.stale" // a short life, then stale while one load runs
	fnServe event.Name[int] = "chaos.serve" // ServeStale without a lease
	fnBulk  event.Name[int] = "chaos.bulk"  // every read decodes
	fnPair  event.Name[int] = "chaos.pair"  // of item, of this key and its neighbour
	fnDeep  event.Name[int] = "chaos.deep"  // of pair
)

const serveLimit = 15 * time.Second

func tagOf(k int) string    { return fmt.Sprintf("row:g%d/k%d", k/groupSize, k) }
func prefixOf(k int) string { return fmt.Sprintf("row:g%d/", k/groupSize) }
func neighbour(k int) int   { return k/groupSize*groupSize + (k+1)%groupSize }

// row is what the database has of a key.
type row struct {
	Key     int
	Version int64
}

type pair struct{ A, B row }

// functions are the memoized functions of a node.
type functions struct {
	item, stale, serve, bulk *lethe.Func[int, row]
	pair, deep               *lethe.Func[int, pair]
}

func memoize(n *lethe.Node, db *database) *functions {
	load := func(ctx context.Context, k int) (row, error) {
		rows, err := db.rows(ctx, k)
		return rows[k], err
	}
	tags := lethe.WithTags(func(k int, _ row) []string { return []string{tagOf(k)} })
	f := &functions{
		item: lethe.Memoize(n, fnItem, load, tags, lethe.WithTTL(10*time.Minute),
			lethe.WithBatch(func(ctx context.Context, ks []int) (map[int]row, error) { return db.rows(ctx, ks...) })),
		stale: lethe.Memoize(n, fnStale, load, tags, lethe.WithTTL(2*time.Second), lethe.WithStale(20*time.Second)),
		serve: lethe.Memoize(n, fnServe, load, tags, lethe.WithPolicy(lethe.ServeStale(serveLimit))),
		bulk: lethe.Memoize(n, fnBulk, func(ctx context.Context, k int) (row, error) {
			lethe.AddTags(ctx, tagOf(k))
			return load(ctx, k)
		}, lethe.WithoutHot(), lethe.WithRefreshAhead(0.5), lethe.WithTTL(20*time.Second)),
	}
	f.pair = lethe.Memoize(n, fnPair, func(ctx context.Context, k int) (p pair, err error) {
		if p.A, err = f.item.Get(ctx, k); err != nil {
			return p, err
		}
		p.B, err = f.item.Get(ctx, neighbour(k))
		return p, err
	})
	f.deep = lethe.Memoize(n, fnDeep, f.pair.Get)
	return f
}

// kinds of invalidations, by how often of a hundred.
const (
	byKeys     = "keys"
	byTag      = "tag"
	byPrefix   = "prefix"
	byFunction = "function"
	byAll      = "all"
	bySoft     = "soft"
)

func pickKind(r *rand.Rand) string {
	switch p := r.IntN(100); {
	case p < 40:
		return byKeys
	case p < 70:
		return byTag
	case p < 84:
		return byPrefix
	case p < 90:
		return byFunction
	case p < 92:
		return byAll
	default:
		return bySoft
	}
}

// targets are what forgets keys, of one group, in every function.
func targets(kind string, keys []int) []event.Target {
	var ts []event.Target
	switch kind {
	case byKeys:
		for _, k := range keys {
			ts = append(ts, fnItem.Key(k), fnStale.Key(k), fnServe.Key(k), fnBulk.Key(k))
		}
	case byTag:
		for _, k := range keys {
			ts = append(ts, event.Tag(tagOf(k)))
		}
	case bySoft:
		for _, k := range keys {
			ts = append(ts, event.Tag(tagOf(k)).Soft())
		}
	case byPrefix:
		ts = append(ts, event.TagPrefix(prefixOf(keys[0])))
	case byFunction:
		ts = append(ts, fnItem.All(), fnStale.All(), fnServe.All(), fnBulk.All())
	case byAll:
		ts = append(ts, event.All())
	}
	return ts
}
