package lethe

import (
	"errors"
	"slices"
	"sync"

	"github.com/google/uuid"

	"github.com/lethe-cache/lethe/internal/bus"
	"github.com/lethe-cache/lethe/pkg/event"
)

// Bounds of receivers.
const (
	maxHeld = 8192 // events that arrived beyond a hole; over it the receivers get a TypeLagged instead
	maxSeen = 4096 // ids remembered to hear an event once that was stored twice
)

// receivers are a node's receivers and the order they hear events in: that of the stream, each after it was applied.
type receivers struct {
	wg sync.WaitGroup

	mu     sync.Mutex // guards what follows
	closed bool
	all    []*receiver
	cursor uint64
	held   map[uint64]event.Event // beyond the cursor
	seen   map[string]struct{}
	order  []string // of seen, oldest first
}

func (rs *receivers) add(r *receiver) error {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if rs.closed {
		return ErrClosed
	}
	for _, other := range rs.all {
		if other.name == r.name {
			return &Error{Op: "receive", Name: r.name, Err: errors.New("a receiver of this name is there already; names are unique on a node")}
		}
	}
	if r.shared {
		return rs.share(r)
	}
	rs.all = append(slices.Clone(rs.all), r)
	rs.wg.Go(r.work)
	return nil
}

// arrived takes an event that was just applied. It is heard when the cursor passes it, or at once where it has no place in the
// stream.
func (rs *receivers) arrived(d *bus.Delivery) {
	if len(d.Targets) == 0 {
		return
	}
	rs.mu.Lock()
	defer rs.mu.Unlock()
	switch {
	case len(rs.all) == 0:
	case d.Sequence == 0:
		rs.tell(d.Event)
	case d.Sequence <= rs.cursor:
	case len(rs.held) >= maxHeld:
		for _, r := range rs.all {
			if !r.shared {
				r.fallBehind()
			}
		}
	default:
		if rs.held == nil {
			rs.held = map[uint64]event.Event{}
		}
		rs.held[d.Sequence] = d.Event
	}
}

// passed tells what the cursor has passed.
func (rs *receivers) passed(cursor uint64) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	var due []uint64
	for s := range rs.held {
		if s <= cursor {
			due = append(due, s)
		}
	}
	slices.Sort(due)
	for _, s := range due {
		e := rs.held[s]
		delete(rs.held, s)
		rs.tell(e)
	}
	rs.cursor = max(rs.cursor, cursor)
}

// reset tells that continuity was lost. What was held is covered by that, and what arrived beyond the new position arrives again.
func (rs *receivers) reset(e event.Event) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rs.cursor = 0
	clear(rs.held)
	rs.tell(e)
}

// tell offers e to every receiver whose filters it passes, unless they have had it.
func (rs *receivers) tell(e event.Event) {
	if _, err := uuid.Parse(e.ID); err == nil {
		id := e.Source + "\x00" + e.ID
		if _, dup := rs.seen[id]; dup {
			return
		}
		if rs.seen == nil {
			rs.seen = map[string]struct{}{}
		}
		if len(rs.order) >= maxSeen {
			delete(rs.seen, rs.order[0])
			rs.order = rs.order[1:]
		}
		rs.seen[id] = struct{}{}
		rs.order = append(rs.order, id)
	}
	for _, r := range rs.all {
		if !r.shared && r.passes(&e) {
			r.offer(e)
		}
	}
}

func (rs *receivers) list() []*receiver {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	return rs.all
}

// close waits for the receivers; their contexts have ended.
func (rs *receivers) close() {
	rs.mu.Lock()
	rs.closed = true
	rs.mu.Unlock()
	rs.wg.Wait()
}
