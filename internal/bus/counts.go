package bus

import (
	"maps"
	"sync"
	"sync/atomic"

	"github.com/lethe-cache/lethe/internal/cursor"
	"github.com/lethe-cache/lethe/pkg/event"
)

// counts are for Status.
type counts struct {
	forged, foreign, overflows, published, storms, mended, denied atomic.Uint64

	mu                        sync.Mutex // guards what follows
	resets, rejected, widened map[string]uint64
}

// bump returns m with one more of key; no key is nothing to count.
func bump(m map[string]uint64, key string) map[string]uint64 {
	if key == "" {
		return m
	}
	if m == nil {
		m = make(map[string]uint64)
	}
	m[key]++
	return m
}

func (c *counts) judge(r *event.Received) {
	if r.Rejected == "" && r.Widened == "" {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rejected, c.widened = bump(c.rejected, r.Rejected), bump(c.widened, r.Widened)
}

func (c *counts) widen(reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.widened = bump(c.widened, reason)
}

// reset counts a Reset; the start of a node is none.
func (c *counts) reset(cause string) {
	if cause == string(cursor.Start) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.resets = bump(c.resets, cause)
}

func (c *counts) maps(s *Status) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s.Resets, s.Rejected, s.Widened = maps.Clone(c.resets), maps.Clone(c.rejected), maps.Clone(c.widened)
}
