package sim

import (
	"fmt"
	"time"
)

const (
	usec = int64(time.Microsecond)
	msec = int64(time.Millisecond)
	sec  = int64(time.Second)

	tick  = time.Second
	epoch = 1_700_000_000 * sec // Unix nanoseconds at the beginning of all things
)

// world is everything there is: a database, servers, a network, machines with nodes on them, and the truth.
type world struct {
	seed      uint64
	cl        *climate
	now       int64 // real time, which nobody in the world knows
	steps     int
	order     uint64
	q         queue
	hosts     []*host
	server    server
	db        [rows]int32
	truth     truth
	tokens    tokens
	witnesses []*witness
	graph     reads
	events    uint64 // ids of events given so far

	stamp   int32 // of the last thing that the truth noted; counts up
	stalled bool  // a reader is stopped in the middle of a check
	calm    bool  // no more faults: everything has to come right
	count   Counts
	bad     *Violation
	digest  uint64
	trace   *trace
}

// at arranges for who to act. in is the process it happens in, nil for the world outside.
func (w *world) at(t int64, in *node, who actor, code int) {
	w.order++
	w.q.push(event{at: t, order: w.order, code: code, who: who, in: in})
}

// next lets the next thing happen; false when there is none until the moment.
func (w *world) next(until int64) bool {
	for len(w.q.es) > 0 && w.q.es[0].at <= until {
		e := w.q.pop()
		if e.in != nil {
			if e.in.dead {
				continue
			}
			if till := e.in.h.stopped; till > e.at && till > w.now {
				w.at(till, e.in, e.who, e.code)
				continue
			}
		}
		if l, ok := e.who.(*loading); ok && e.code == loadOverdue && l.settled {
			continue
		}
		w.now = max(w.now, e.at)
		w.steps++
		w.digest = (w.digest ^ uint64(w.now) ^ uint64(e.code)<<56) * 1099511628211
		e.who.act(e.code)
		return true
	}
	return false
}

// mark is a moment in the order of things, for the truth.
func (w *world) mark() int32 {
	w.stamp++
	return w.stamp
}

func (w *world) newEvent() uint64 {
	w.events++
	return w.events
}

// Promise names what was broken.
type Promise string

// The promises of the design, and what each is watched by.
const (
	Exact    Promise = "1 exact"     // a read returned what was loaded before an invalidation that its node had applied
	Complete Promise = "2 complete"  // the cursor stands beyond what was neither applied nor fenced
	Bounded  Promise = "3 bounded"   // a read returned what was older than the bound, or a lease reaches too far
	Tellable Promise = "5 tellable"  // a Wait returned, or a token was called illegal, too early; or a read knew less than its token
	EndOfAll Promise = "end of life" // a value was served past it
	Recovers Promise = "recovers"    // the faults are over, and a node is not current
	Stuck    Promise = "stuck"       // a call never returned
)

// Violation is a broken promise: which, when and how.
type Violation struct {
	Promise Promise
	At      time.Duration // since the beginning of the run
	Step    int
	Text    string
}

func (v *Violation) String() string {
	return fmt.Sprintf("promise %s, at %v (step %d): %s", v.Promise, v.At, v.Step, v.Text)
}

// broken notes the first broken promise.
func (w *world) broken(p Promise, format string, args ...any) {
	if w.bad == nil {
		w.bad = &Violation{Promise: p, At: time.Duration(w.now), Step: w.steps, Text: fmt.Sprintf(format, args...)}
		w.log(nil, "BROKEN %s: %s", p, w.bad.Text)
	}
}
