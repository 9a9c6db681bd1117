package outbox

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// post is where a relay stands: which bus is agreed on, and whether it is the one that works.
type post struct {
	mu      sync.Mutex    // guards what follows
	changed chan struct{} // closed when any of it changes
	agreed  place         // the bus of both the database and the publisher
	ok      bool          // it is agreed
	err     error         // ErrOtherBus
	working bool
	overdue int64         // the work is another's, and rows up to this number are tried here as well; 0 = none
	term    int           // counts each time that the work, a trial, the bus or a debt was gained
	renewed time.Duration // when the last beat that succeeded began
	worker  string        // who has the lease
	held    time.Duration // how long this relay has seen it there
	debt    int           // not 0: everything is owed to the bus, for this reason
	closed  bool
}

func (p *post) init() { p.changed = make(chan struct{}) }

// view is a copy of a post.
type view struct {
	agreed  place
	ok      bool
	err     error
	working bool
	overdue int64
	term    int
	renewed time.Duration
	worker  string
	held    time.Duration
	closed  bool
	changed <-chan struct{}
}

func (p *post) look() view {
	p.mu.Lock()
	defer p.mu.Unlock()
	return view{p.agreed, p.ok, p.err, p.working, p.overdue, p.term, p.renewed, p.worker, p.held, p.closed, p.changed}
}

// set puts up what a beat has found.
func (p *post) set(agreed place, v *verdict, renewed time.Duration) (gained bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	active, was := v.work || v.overdue > 0, p.working || p.overdue > 0
	gained = active && (!was || v.work && !p.working || agreed != p.agreed || v.debt != 0 && v.debt != p.debt)
	if gained {
		p.term++
	}
	told := p.ok != v.ok || p.agreed != agreed || p.working != v.work || (p.err == nil) != (v.err == nil)
	p.agreed, p.ok, p.working, p.overdue, p.err, p.renewed = agreed, v.ok, v.work, v.overdue, v.err, renewed
	p.worker, p.held, p.debt = v.worker, v.held, v.debt
	if told {
		p.tell()
	}
	return gained
}

// paid notes that everything was announced. Where the same debt is found again, the database has gone back, and it is paid again.
func (p *post) paid() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.debt = 0
}

// tell wakes who waits for a change, with the lock held.
func (p *post) tell() {
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *post) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.closed, p.working, p.overdue = true, false, 0
		p.tell()
	}
}

// turn is what a relay may publish at the moment.
type turn struct {
	at    place
	term  int
	trial int64 // of a relay without the lease: rows up to this number, one at a time; 0 = all
}

// may says whether this relay may begin to publish now: it has the lease, or rows are overdue, it has shown so lately, and its
// publisher is where the database is announced.
func (r *Relay) may() (turn, bool) {
	v := r.post.look()
	if !v.working && v.overdue == 0 || r.life.Err() != nil || r.now()-v.renewed >= r.times.fresh {
		return turn{}, false
	}
	if at, known := r.where(); !known || at != v.agreed {
		poke(r.beatNow)
		return turn{}, false
	}
	return turn{v.agreed, v.term, v.overdue}, true
}

// where is the bus that the publisher is on; it is known of every publisher that does not tell.
func (r *Relay) where() (at place, known bool) {
	if r.stream == nil {
		return place{}, true
	}
	at.fleet, at.epoch = r.stream()
	return at, at.epoch != ""
}

// Err is nil, or why this process must not work with the database at the moment: an error that wraps ErrOtherBus. It costs no
// I/O. Rows may be written all the same; they are announced by who is on the recorded bus.
func (r *Relay) Err() error { return r.post.look().err }

// Ready returns nil once it is settled that the database is announced on the bus of this process. When ctx ends first it is
// why not: ErrOtherBus, or the context's error with what is missing; after Close ErrClosed.
func (r *Relay) Ready(ctx context.Context) error {
	for {
		v := r.post.look()
		switch {
		case v.closed || r.life.Err() != nil:
			return ErrClosed
		case v.ok:
			return nil
		}
		select {
		case <-v.changed:
		case <-r.life.Done():
		case <-ctx.Done():
			if v.err != nil {
				return fmt.Errorf("%w (%w)", v.err, ctx.Err())
			}
			if _, known := r.where(); !known {
				return fmt.Errorf("outbox: not ready: the publisher does not know its stream yet: %w", ctx.Err())
			}
			return fmt.Errorf("outbox: not ready: %w", errors.Join(errors.New("the database has not answered"), ctx.Err()))
		}
	}
}
