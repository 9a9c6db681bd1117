package fence

import "sync/atomic"

// table is a hash table of stamps with one writer at a time (who holds Fence.mu) and any number of lock-free readers. Cells
// are never freed or moved; growth makes a larger copy and publishes it. At 24 bytes a cell and at most half full, 2^20 labels
// take 48 MiB.
type table struct {
	cells []cell
	used  int // the writer's
}

type cell struct{ label, hard, soft atomic.Uint64 }

const minCells = 64

func newTable(cells int) *table { return &table{cells: make([]cell, cells)} }

// find returns the stamps of label; label is never 0.
func (t *table) find(label uint64) (hard, soft uint64) {
	mask := uint64(len(t.cells) - 1)
	for i := label & mask; ; i = (i + 1) & mask {
		switch t.cells[i].label.Load() {
		case label:
			return t.cells[i].hard.Load(), t.cells[i].soft.Load()
		case 0:
			return 0, 0
		}
	}
}

// raise sets a stamp of label. A new cell gets its stamp before its label: a reader that finds the label finds the stamp.
func (t *table) raise(label, stamp uint64, soft bool) {
	mask := uint64(len(t.cells) - 1)
	for i := label & mask; ; i = (i + 1) & mask {
		c := &t.cells[i]
		have := c.label.Load()
		if have != 0 && have != label {
			continue
		}
		if soft {
			c.soft.Store(stamp)
		} else {
			c.hard.Store(stamp)
		}
		if have == 0 {
			c.label.Store(label)
			t.used++
		}
		return
	}
}

func (t *table) full() bool { return 2*t.used >= len(t.cells) }

func (t *table) grown() *table {
	g := newTable(2 * len(t.cells))
	for i := range t.cells {
		c := &t.cells[i]
		l := c.label.Load()
		if l == 0 {
			continue
		}
		if h := c.hard.Load(); h != 0 {
			g.raise(l, h, false)
		}
		if s := c.soft.Load(); s != 0 {
			g.raise(l, s, true)
		}
	}
	return g
}
