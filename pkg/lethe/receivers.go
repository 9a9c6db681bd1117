package lethe

import (
	"cmp"
	"errors"
	"slices"
	"sync"

	"github.com/google/uuid"

	"github.com/lethe-cache/lethe/internal/bus"
	"github.com/lethe-cache/lethe/pkg/event"
)

// Bounds of receivers.
const (
	maxHeld  = 8192 // events that arrived beyond a hole; over it the receivers get a TypeLagged instead
	keptHeld = 64   // room kept for the next that are held
	maxSeen  = 4096 // ids remembered to hear an event once that was stored twice
)

// receivers are a node's receivers and the order they hear events in: that of the stream, each after it was applied.
type receivers struct {
	wg sync.WaitGroup

	mu     sync.Mutex // guards what follows
	closed bool
	all    []*receiver
	cursor uint64
	held   []holding // beyond the cursor
	mixed  bool      // held is not in the order of the stream
	seen   map[identity]struct{}
	order  []identity // of seen; when it is full the oldest stands where the next goes
	next   int
}

// holding is an event that waits for the cursor to pass it.
type holding struct {
	sequence uint64
	event    event.Event
}

// identity is what makes two events the same.
type identity struct{ source, id string }

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
		if n := len(rs.held); n > 0 && rs.held[n-1].sequence >= d.Sequence {
			rs.mixed = true
		}
		rs.held = append(rs.held, holding{d.Sequence, d.Event})
	}
}

// passed tells what the cursor has passed.
func (rs *receivers) passed(cursor uint64) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if rs.mixed {
		// Stable, so that of an event that arrived twice the later counts, as it does where it is applied.
		slices.SortStableFunc(rs.held, func(a, b holding) int { return cmp.Compare(a.sequence, b.sequence) })
		rs.mixed = false
	}
	due := 0
	for ; due < len(rs.held) && rs.held[due].sequence <= cursor; due++ {
		if h := rs.held[due]; due+1 == len(rs.held) || rs.held[due+1].sequence != h.sequence {
			rs.tell(h.event)
		}
	}
	if rs.held = slices.Delete(rs.held, 0, due); len(rs.held) == 0 && cap(rs.held) > keptHeld {
		rs.held = nil
	}
	rs.cursor = max(rs.cursor, cursor)
}

// reset tells that continuity was lost. What was held is covered by that, and what arrived beyond the new position arrives again.
func (rs *receivers) reset(e event.Event) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rs.cursor = 0
	rs.held, rs.mixed = nil, false
	rs.tell(e)
}

// tell offers e to every receiver whose filters it passes, unless they have had it.
func (rs *receivers) tell(e event.Event) {
	if uuid.Validate(e.ID) == nil {
		id := identity{e.Source, e.ID}
		if _, dup := rs.seen[id]; dup {
			return
		}
		rs.remember(id)
	}
	for _, r := range rs.all {
		if !r.shared && r.passes(&e) && !r.spared(&e) {
			r.offer(e)
		}
	}
}

func (rs *receivers) remember(id identity) {
	if rs.seen == nil {
		rs.seen = map[identity]struct{}{}
	}
	rs.seen[id] = struct{}{}
	if len(rs.order) < maxSeen {
		rs.order = append(rs.order, id)
		return
	}
	delete(rs.seen, rs.order[rs.next])
	rs.order[rs.next] = id
	rs.next = (rs.next + 1) % maxSeen
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
