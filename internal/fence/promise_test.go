package fence

import (
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// stored is a cached version of something whose truth is a counter.
type stored struct {
	Life
	memo    Memo
	version uint64
}

// node has a source of truth, a cache, and one thing that every entry depends on besides a label of its own.
type node struct {
	Gate
	time    atomic.Int64
	truth   atomic.Uint64
	applied atomic.Uint64 // the version whose invalidation has returned
	cache   [4]atomic.Pointer[stored]
}

func newConcurrentNode(cfg Config) *node {
	n := &node{Gate: Gate{Fence: New(cfg, 0), Lease: &atomic.Int64{}}}
	n.Now = n.time.Load
	n.Lease.Store(math.MaxInt64)
	return n
}

const shared = uint64(1) << 50

func (n *node) load(i int, life int64) {
	start := n.Now()
	birth := n.Clock()
	s := &stored{version: n.truth.Load()}
	s.Life = Life{Birth: birth, Start: start, Expires: start + life, End: start + life, Labels: []uint64{uint64(i + 1), shared, uint64(i + 100)}}
	n.cache[i].Store(s) // stored without asking: valid or not is the read's business
}

// read reports what a cache hit would have served, and what it had to be at least.
func (n *node) read(i int) (got, least uint64, hit bool) {
	least = n.applied.Load()
	s := n.cache[i].Load()
	if s == nil {
		return 0, 0, false
	}
	r := n.Read(&s.Life, &s.memo)
	return s.version, least, r.Verdict == Fresh && r.Leased() && r.Now < s.Expires
}

func TestNoReadThatBeginsAfterAnInvalidationServesWhatWasLoadedBefore(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]Config{
		"exact":            {Rotate: math.MaxInt64},
		"one slot":         {Slots: 1, Rotate: math.MaxInt64},
		"rotation by time": {Slots: 2, Rotate: 50},
		"rotation by size": {Slots: 2, Rotate: math.MaxInt64, MaxLabels: 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			life := int64(cfg.Rotate) / 2 // the slack is for a time that was read before the invalidation took its lock
			n := newConcurrentNode(cfg)
			var stop atomic.Bool
			var hits atomic.Uint64
			var wg sync.WaitGroup
			for w := range 3 {
				wg.Go(func() {
					mine := uint64(0)
					for i := w; !stop.Load(); i++ {
						got, least, hit := n.read(i % len(n.cache))
						if !hit {
							n.load(i%len(n.cache), life)
							continue
						}
						mine++
						if got < least {
							t.Errorf("served version %d after the invalidation by %d had returned", got, least)
							return
						}
					}
					hits.Add(mine)
				})
			}
			var writers sync.Mutex // versions are applied in order; invalidations of other things are not held up
			for w := range 2 {
				wg.Go(func() {
					for i := uint64(0); !stop.Load(); i++ {
						n.Invalidate(n.time.Add(1), i%2 == 0, 1<<51|i<<3|uint64(w)) // nobody's
						if i%8 != 0 {
							continue
						}
						writers.Lock()
						v := n.truth.Add(1)
						n.Invalidate(n.Now(), v%3 == 0, shared)
						n.applied.Store(v)
						writers.Unlock()
					}
				})
			}
			deadline := time.Now().Add(400 * time.Millisecond)
			for time.Now().Before(deadline) && !t.Failed() {
				n.read(0)
			}
			stop.Store(true)
			wg.Wait()
			if hits.Load() == 0 {
				t.Fatal("nothing was ever served: the test tried nothing")
			}
		})
	}
}
