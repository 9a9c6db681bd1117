package fence

import (
	"math/bits"
	"sync/atomic"
)

// ledger has the last stamp of each label. It is cut into segments by the labels' highest bits, so that growth copies a
// sixteenth at a time: at 2^20 labels an invalidation waits for the copy of 2^16 cells or so, not of a million. 2^20 labels
// take 16 segments of 2^17 cells of 16 bytes, 32 MiB.
type ledger struct {
	tabs [segments]atomic.Pointer[table] // nil: no label yet

	// The writer's; apart from what readers load.
	used   [segments]int
	labels int
	last   uint64 // the highest stamp
	first  int    // cells of a segment's first table
}

const segments = 16

// expect makes room at once for as many labels as a generation before held.
func (l *ledger) expect(labels int) {
	l.first = max(minCells, 1<<bits.Len(uint(labels/segments*4/3)))
}

func segment(label uint64) uint64 { return label / (1 << 64 / segments) }

func (l *ledger) find(label uint64) uint64 {
	if t := l.tabs[segment(label)].Load(); t != nil {
		return t.find(label)
	}
	return 0
}

// near loads what raise is going to write. It returns what it found, lest nothing be loaded.
func (l *ledger) near(label uint64) uint64 {
	if t := l.tabs[segment(label)].Load(); t != nil {
		return atomic.LoadUint64(&t.cells[label&uint64(len(t.cells)-1)].label)
	}
	return 0
}

func (l *ledger) raise(label, stamp uint64) {
	s := segment(label)
	t := l.tabs[s].Load()
	if t == nil {
		t = newTable(l.first)
		l.tabs[s].Store(t)
	} else if t.full(l.used[s]) {
		t = t.grown()
		l.tabs[s].Store(t)
	}
	if t.raise(label, stamp) {
		l.used[s]++
		l.labels++
	}
	l.last = stamp
}
