package lethe

import (
	"context"
	"math"
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

	bulkMost int   // the largest entry that bulk takes, with its key
	hotMost  int64 // the largest that the hot tier takes
	hotBytes atomic.Int64
	weights  weigher

	bulkEvicted  [3]atomic.Uint64 // by bigcache.RemoveReason - 1
	hotEvicted   atomic.Uint64
	bulkTooLarge atomic.Uint64 // over bulkMost
	bulkDiffers  atomic.Uint64 // would come back different
	hotTooLarge  atomic.Uint64 // over hotMost
}

// hotItem is a *hotEntry of some K and V. The key of the hot tier is a hash; the item knows its whole key.
type hotItem interface {
	bytes() uint32
	sampled() bool
	compare() // with what was stored; runs user code
	verify()  // the same, also of one that is not sampled
}

// tooLarge is the part of a tier, or of a shard of bulk, over which an entry is not offered to it: a quarter. It would push out too
// many others, and a shard that has not grown yet takes for sure only what is under half of its largest size (bigcache v3.1.0,
// BytesQueue.Push): for more it throws out all it has, and then takes it not at all.
const tooLarge = 4

// shardsOf is how many shards bulk has: few where memory is small, since a quarter of one is the largest entry; at least 4 MiB each.
func shardsOf(megabytes int) int { return 1 << min(max(bits.Len(uint(megabytes))-3, 0), 8) }

// bulkHeader is what bigcache writes beside key and entry: its header, and the length of all in the queue.
const bulkHeader = 18 + 5

func newTiers(cfg *Config) (*tiers, error) {
	megabytes, maxTTL := int(cfg.MaxBytes>>20), cfg.MaxTTL
	shards := shardsOf(megabytes)
	t := &tiers{watched: make(chan hotItem, 64), bulkMost: megabytes << 20 / shards / tooLarge, hotMost: cfg.MaxHotBytes / tooLarge}
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
	// Each entry weighs at least the part of MaxHotBytes that MaxHot gives it, so that one bound is both.
	least := uint32(min((cfg.MaxHotBytes+int64(cfg.MaxHot)-1)/int64(cfg.MaxHot), math.MaxUint32))
	hot, err := otter.New(&otter.Options[uint64, hotItem]{
		MaximumWeight: uint64(cfg.MaxHotBytes),
		Weigher:       func(_ uint64, e hotItem) uint32 { return max(e.bytes(), least) },
		Executor:      func(fn func()) { fn() },
		OnDeletion: func(e otter.DeletionEvent[uint64, hotItem]) {
			t.hotBytes.Add(-int64(e.Value.bytes()))
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

// fits says whether bulk takes an entry.
func (t *tiers) fits(text string, encoded []byte) bool {
	return bulkHeader+len(text)+len(encoded) <= t.bulkMost
}

// setHot offers an item to the hot tier; whether it stays is for its admission to say.
func (t *tiers) setHot(hash uint64, e hotItem) {
	t.hotBytes.Add(int64(e.bytes()))
	t.hot.Set(hash, e)
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

// Sum64 is never 0, which bigcache takes for a deleted entry: when it evicts one of that hash, it leaves the place where it stood in
// its index, and a read finds there whatever was written since. A hash of 0 can be made on purpose.
func (xxHasher) Sum64(s string) uint64 { return max(xxhash.Sum64String(s), 1) }
