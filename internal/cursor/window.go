package cursor

// window is how much one Fetch asks for: no more than has come through lately. A server ends a connection whose unsent bytes
// exceed its max_pending, whatever they are; a node that asks for more than that would be cut off, ask again, and never
// catch up.
//
// It works as congestion control does. It begins at the least on every connection, and doubles with every answer that has
// come whole, up to the most. A connection that is lost during a Fetch, or a Fetch that fails midway, halves the most. Each
// steadyFor whole answers after that the most grows by an eighth: what was in the way may be gone.
type window struct {
	least, full int // bounds of size and most
	size        int // bytes that the next Fetch asks for
	most        int // bytes that were not too much, as far as is known
	steady      int // whole answers since most has changed
}

// Bounds of a window. An answer has at least one message, and a window's least has room for one of the largest.
const (
	fetchLeast   = 64 << 10
	fetchMost    = 8 << 20
	messagesMost = 512
	messageBytes = 256 // of one message, at the least: what the server adds on the way is not in its account of bytes
	steadyFor    = 32
)

func newWindow(least, full int) window {
	return window{least: least, full: full, size: least, most: full}
}

// messages is how many of them the next Fetch asks for at most.
func (w *window) messages() int { return min(w.size/messageBytes, messagesMost) }

// anew begins at the least: another connection leads to another server, which may allow less.
func (w *window) anew() { w.size = w.least }

// whole notes an answer that came whole.
func (w *window) whole() {
	if w.size < w.most {
		w.size = min(2*w.size, w.most)
		return
	}
	w.steady++
	if w.steady >= steadyFor {
		w.steady = 0
		w.most = min(w.most+w.most/8, w.full)
	}
}

// lost notes that the present size was too much.
func (w *window) lost() {
	w.most = max(w.size/2, w.least)
	w.size, w.steady = w.most, 0
}
