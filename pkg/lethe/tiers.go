package lethe

import (
	"context"
	"math/bits"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/allegro/bigcache/v3"
	"github.com/cespare/xxhash/v2"
	"github.com/maypok86/otter/v2"
)

// tiers is where a node keeps values: encoded ones in bulk, off the garbage collector's books, and in front of them the decoded
// values of what is read most. Neither decides what may be served; deleting only returns memory.
type tiers struct {
	bulk *bigcache.BigCache
	hot  *otter.Cache[uint64, hotItem]

	// Whether to write an entry is decided and done under the lock of its key, in both tiers, so that no store or promotion undoes a
	// later one.
	locks [256]sync.Mutex

	watched chan hotItem // sampled entries that left the hot tier, to be compared; when it is full they are not

	bulkEvicted  [3]atomic.Uint64 // by bigcache.RemoveReason - 1
	hotEvicted   atomic.Uint64
	bulkRejected atomic.Uint64 // larger than a shard
}

// hotItem is a *hotEntry of some K and V. The key of the hot tier is a hash; the item knows its whole key.
type hotItem interface {
	sampled() bool
	compare() // with what was stored; runs user code
}

func newTiers(maxBytes int64, maxHot int, maxTTL time.Duration) (*tiers, error) {
	t := &tiers{watched: make(chan hotItem, 64)}
	// A shard holds the largest entry, so few shards where memory is small: at least 1 MiB each.
	megabytes := int(maxBytes >> 20)
	shards := 1 << min(bits.Len(uint(megabytes))-1, 8)
	bulk, err := bigcache.New(context.Background(), bigcache.Config{
		Shards:             shards,
		LifeWindow:         maxTTL + time.Minute, // bookkeeping only: reads look at the entry's own end of life
		MaxEntriesInWindow: shards * 16,
		MaxEntrySize:       256,
		HardMaxCacheSize:   megabytes,
		Hasher:             xxHasher{},
		OnRemoveWithReason: func(_ string, _ []byte, reason bigcache.RemoveReason) {
			if i := int(reason) - 1; i >= 0 && i < len(t.bulkEvicted) {
				t.bulkEvicted[i].Add(1)
			}
		},
	})
	if err != nil {
		return nil, err
	}
	hot, err := otter.New(&otter.Options[uint64, hotItem]{
		MaximumSize: maxHot,
		Executor:    func(fn func()) { fn() },
		OnDeletion: func(e otter.DeletionEvent[uint64, hotItem]) {
			if e.WasEvicted() {
				t.hotEvicted.Add(1)
			}
			if e.Value.sampled() {
				select {
				case t.watched <- e.Value:
				default:
				}
			}
		},
	})
	if err != nil {
		return nil, err
	}
	t.bulk, t.hot = bulk, hot
	return t, nil
}

func (t *tiers) lock(hash uint64) *sync.Mutex { return &t.locks[hash%uint64(len(t.locks))] }

// find returns the encoded entry of a text. Bulk compares a key with what it has and hands it to the hash; it does not keep it
// (bigcache v3.1.0, shard.get: the logger, which would, is off), so the bytes need not be copied to be a string.
func (t *tiers) find(text []byte) ([]byte, bool) {
	b, err := t.bulk.Get(unsafe.String(unsafe.SliceData(text), len(text))) //nolint:gosec // see above
	return b, err == nil
}

// watch compares sampled values as they leave the hot tier, away from its locks.
func (t *tiers) watch(stop context.Context) {
	for {
		select {
		case e := <-t.watched:
			e.compare()
		case <-stop.Done():
			return
		}
	}
}

func (t *tiers) close() {
	t.hot.StopAllGoroutines()
	t.hot.InvalidateAll()
	_ = t.bulk.Close()
	_ = t.bulk.Reset()
}

type xxHasher struct{}

func (xxHasher) Sum64(s string) uint64 { return xxhash.Sum64String(s) }
