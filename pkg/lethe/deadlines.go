package lethe

import (
	"sync"
	"time"
)

// deadlines ends the loads of one function whose time is up. All have the same time, so they are up in the order they began, and one
// timer serves them all: it goes off when the oldest is due, or was to be.
type deadlines struct {
	mu    sync.Mutex // guards what follows
	first *deadline
	last  *deadline
	timer *time.Timer // nil until there is a load
	armed bool
}

// deadline is that of one load, which embeds it.
type deadline struct {
	at         int64                  // on the node's clock
	load       interface{ overrun() } // told at most once, when it is not done by then
	prev, next *deadline
	listed     bool
}

// add begins to watch d, which is due after span.
func (ds *deadlines) add(n *Node, d *deadline, span time.Duration) {
	ds.mu.Lock()
	defer ds.mu.Unlock()
	d.at = n.now() + int64(span) // under the lock: the list is in this order
	d.prev, d.listed = ds.last, true
	if ds.last != nil {
		ds.last.next = d
	} else {
		ds.first = d
	}
	ds.last = d
	switch {
	case ds.armed:
	case ds.timer == nil:
		ds.armed, ds.timer = true, time.AfterFunc(span, func() { ds.ring(n) })
	default:
		ds.armed = true
		ds.timer.Reset(span)
	}
}

// done ends the watch. The timer stays as it is: nearly always there is a next load before it goes off.
func (ds *deadlines) done(n *Node, d *deadline) {
	ds.mu.Lock()
	defer ds.mu.Unlock()
	ds.unlink(d)
	if n.closed.Load() && ds.first == nil && ds.timer != nil {
		ds.armed = !ds.timer.Stop()
	}
}

// end stops the timer once the node's loads are over. Else it would keep the closed node and all it
// has in memory until it goes off.
func (ds *deadlines) end() {
	ds.mu.Lock()
	defer ds.mu.Unlock()
	if ds.first == nil && ds.timer != nil {
		ds.armed = !ds.timer.Stop()
	}
}

func (ds *deadlines) unlink(d *deadline) {
	if !d.listed {
		return
	}
	d.listed = false
	if d.prev != nil {
		d.prev.next = d.next
	} else {
		ds.first = d.next
	}
	if d.next != nil {
		d.next.prev = d.prev
	} else {
		ds.last = d.prev
	}
	d.prev, d.next = nil, nil
}

// ring tells the loads that are due, and sets the timer for the oldest that is left.
func (ds *deadlines) ring(n *Node) {
	for _, d := range ds.due(n.now()) {
		d.load.overrun()
	}
}

func (ds *deadlines) due(now int64) (due []*deadline) {
	ds.mu.Lock()
	defer ds.mu.Unlock()
	for d := ds.first; d != nil && d.at <= now; d = ds.first {
		ds.unlink(d)
		due = append(due, d)
	}
	if ds.armed = ds.first != nil; ds.armed {
		ds.timer.Reset(time.Duration(ds.first.at - now))
	}
	return due
}
