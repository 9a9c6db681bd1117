package fence

import "sync/atomic"

// table is a hash table of stamps with one writer at a time (who holds Fence.mu) and any number of lock-free readers. Cells
// are never freed or moved; growth makes a larger copy and publishes it.
type table struct{ cells []cell }

// cell is written by atomic stores once a reader may look at it; the writer alone may read it plainly.
type cell struct{ label, stamp uint64 }

const (
	minCells = 16
	leap     = 4096 // up to here a table grows fourfold: less is copied, and little memory lies idle
)

func newTable(cells int) *table { return &table{cells: make([]cell, cells)} }

// find returns the stamp of label; label is never 0.
func (t *table) find(label uint64) uint64 {
	mask := uint64(len(t.cells) - 1)
	for i := label & mask; ; i = (i + 1) & mask {
		switch c := &t.cells[i]; atomic.LoadUint64(&c.label) {
		case label:
			return atomic.LoadUint64(&c.stamp)
		case 0:
			return 0
		}
	}
}

// raise sets the stamp of label and says whether it is new here. A new cell gets its stamp before its label: a reader that
// finds the label finds the stamp, and one that doesn't never looks at it, so that a plain write will do.
func (t *table) raise(label, stamp uint64) (fresh bool) {
	mask := uint64(len(t.cells) - 1)
	for i := label & mask; ; i = (i + 1) & mask {
		switch c := &t.cells[i]; c.label {
		case label:
			atomic.StoreUint64(&c.stamp, stamp)
			return false
		case 0:
			c.stamp = stamp
			atomic.StoreUint64(&c.label, label)
			return true
		}
	}
}

// full is at three quarters: 2^16 labels fit into 2^17 cells wherever they fall.
func (t *table) full(used int) bool { return 4*used >= 3*len(t.cells) }

// grown returns a larger copy. Nobody sees it yet, so its cells are written plainly.
func (t *table) grown() *table {
	n := 2 * len(t.cells)
	if n < leap {
		n *= 2
	}
	g := newTable(n)
	mask := uint64(n - 1)
	for _, c := range t.cells {
		if c.label == 0 {
			continue
		}
		i := c.label & mask
		for g.cells[i].label != 0 {
			i = (i + 1) & mask
		}
		g.cells[i] = c
	}
	return g
}
