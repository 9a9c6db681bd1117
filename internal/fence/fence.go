package fence

import (
	"sync"
	"sync/atomic"
	"time"
)

// Config of a Fence. The zero value of a field is its default.
type Config struct {
	Slots     int           // of the table of maxima, a power of two; 65,536 (512 KiB)
	Rotate    time.Duration // a generation is open at least this long, unless it is full; must exceed the longest life of an entry and the longest load; 1 h 1 min
	MaxLabels int           // at which a generation is closed early; 2^20 (32 MiB)
}

// Fence is the clock of a node and what was invalidated when. All methods are safe for concurrent use.
type Fence struct {
	clock atomic.Uint64
	slots []atomic.Uint64
	gens  atomic.Pointer[generations]

	rotate    int64
	maxLabels int

	mu sync.Mutex // serialises writers: slots, generations and clock move under it
}

// New returns a Fence whose clock stands at 1, opened at now (nanoseconds of the node's monotonic clock).
func New(cfg Config, now int64) *Fence {
	if cfg.Slots == 0 {
		cfg.Slots = 1 << 16
	}
	if cfg.Rotate == 0 {
		cfg.Rotate = time.Hour + time.Minute
	}
	if cfg.MaxLabels == 0 {
		cfg.MaxLabels = 1 << 20
	}
	f := &Fence{slots: make([]atomic.Uint64, cfg.Slots), rotate: int64(cfg.Rotate), maxLabels: cfg.MaxLabels}
	f.gens.Store(&generations{cur: newGeneration(now, nil), old: newGeneration(now, nil)})
	f.clock.Store(1)
	return f
}

// Clock is the node's logical time. An entry's birth is a Clock read before its load begins.
func (f *Fence) Clock() uint64 { return f.clock.Load() }

// Invalidate raises the fences of labels and returns their stamp. When it has returned, no entry born before with one of the
// labels passes a Check. now is the node's monotonic time; several callers may be late with it by no more than what Config.Rotate has
// beyond the longest life and the longest load.
func (f *Fence) Invalidate(now int64, soft bool, labels ...uint64) uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	g := f.gens.Load()
	full := g.cur.labels() > 0 && g.cur.labels()+len(labels) > f.maxLabels
	if full || now-g.cur.opened >= f.rotate {
		g = g.next(now, f.rotate)
		f.gens.Store(g)
	}
	stamp := f.clock.Load() + 1
	stamps := g.cur.ledger(soft)
	for len(labels) > 0 {
		batch := labels[:min(len(labels), nearby)]
		labels = labels[len(batch):]
		f.near(stamps, batch)
		for _, l := range batch {
			l = nonzero(l)
			// (1) the map, (2) the slot: a check that passes the slot has begun before; one that doesn't finds the stamp in the map.
			stamps.raise(l, stamp)
			f.slot(l).Store(stamp)
		}
	}
	f.clock.Store(stamp) // (3) the clock, last
	return stamp
}

// nearby labels are few enough for the nearest cache to hold all that raising them writes.
const nearby = 64

// near brings what raising labels writes into the cache. Loads of memory that is far away go on side by side, but nothing
// goes on beside an atomic store. It returns what it found, lest nothing be loaded.
func (f *Fence) near(stamps *ledger, labels []uint64) (found uint64) {
	for _, l := range labels {
		l = nonzero(l)
		found |= f.slot(l).Load() | stamps.near(l)
	}
	return found
}

// Verdict of a check.
type Verdict uint8

// The verdicts, from the mildest: a higher one forbids more.
const (
	Fresh Verdict = iota // nothing it carries was invalidated after its birth
	Soft                 // softly invalidated: may be served while one load runs
	Hard                 // invalidated: must not be served
)

// Check says whether what was born at birth and carries labels may be served.
func (f *Fence) Check(birth uint64, labels ...uint64) Verdict {
	for i, l := range labels {
		if f.slot(nonzero(l)).Load() > birth {
			return f.exact(birth, labels[i:])
		}
	}
	return Fresh
}

func (f *Fence) exact(birth uint64, labels []uint64) Verdict {
	g := f.gens.Load()
	v := Fresh
	for _, l := range labels {
		hard, soft := g.stamps(nonzero(l))
		if hard > birth {
			return Hard
		}
		if soft > birth {
			v = Soft
		}
	}
	return v
}

// Stamps returns when label was last invalidated, as far as it is still known; 0 is never.
func (f *Fence) Stamps(label uint64) (hard, soft uint64) {
	return f.gens.Load().stamps(nonzero(label))
}

// Labels is the number of labels held, of both generations.
func (f *Fence) Labels() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	g := f.gens.Load()
	return g.cur.labels() + g.old.labels()
}

func (f *Fence) slot(label uint64) *atomic.Uint64 {
	return &f.slots[(label>>32)&uint64(len(f.slots)-1)]
}

// nonzero keeps 0 free as the mark of an empty cell.
func nonzero(label uint64) uint64 {
	if label == 0 {
		return 1
	}
	return label
}
