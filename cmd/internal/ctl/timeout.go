package ctl

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
)

// TimeoutHeader says how long the asker of a question waits for the answer, from when it sends the question, like 5s. A node does not begin
// what comes later than that, and commits no change after it. Without the header a question may wait for as long as it takes.
const TimeoutHeader = "Lethe-Timeout"

// Bounds on what a node knows of when a question was sent to it.
const (
	arrivalEvery = 200 * time.Millisecond // how often the connection is measured
	arrivalFor   = time.Second            // how long a measurement may take
	arrivalPause = time.Millisecond       // between two looks at what was not handed over yet
	leastTimeout = time.Second            // a shorter timeout counts as this one: a question may seem older than it is by a measurement
)

// arrivals knows the earliest moment at which the server can have sent what is handed over now. No two clocks are compared. The server
// keeps the order of a connection, so what arrives behind a PONG was sent after its PING. A process that stood still finds the
// questions of that time in front of the next PONG.
type arrivals struct {
	nc    *nats.Conn
	since atomic.Pointer[time.Time]
}

// newArrivals comes before the subscriptions: nothing is sent to them before that.
func newArrivals(nc *nats.Conn) *arrivals {
	a := &arrivals{nc: nc}
	now := time.Now()
	a.since.Store(&now)
	return a
}

// measure goes on until life ends.
func (a *arrivals) measure(life context.Context, subs []*nats.Subscription) {
	for life.Err() == nil {
		a.once(life, subs)
		select {
		case <-life.Done():
		case <-time.After(arrivalEvery):
		}
	}
}

// once is one measurement:
//
//  1. The time is read, and then a PING is sent.
//  2. With its PONG, all that the server sent before has been read.
//  3. What was read is handed over. The client counts a message as pending until its handler has returned, so none of those can
//     meet the time that is stored next.
func (a *arrivals) once(life context.Context, subs []*nats.Subscription) {
	ctx, cancel := context.WithTimeout(life, arrivalFor)
	defer cancel()
	asked := time.Now()
	if a.nc.FlushWithContext(ctx) != nil {
		return
	}
	for _, sub := range subs {
		if !handedOver(ctx, sub) {
			return
		}
	}
	a.since.Store(&asked)
}

// handedOver waits until what is pending now is no longer: until nothing is, or one that came later has its turn.
func handedOver(ctx context.Context, sub *nats.Subscription) bool {
	last := int64(0)
	for {
		waiting, _, err := sub.Pending()
		if err != nil {
			return false
		}
		begun, err := sub.Delivered()
		if err != nil {
			return false
		}
		if last == 0 {
			last = begun + int64(waiting) // or one more, which has begun between the two looks
		}
		if waiting == 0 || begun > last {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(arrivalPause):
		}
	}
}

// left is how long the asker of a question that is handed over now, with this timeout, still waits, at least. A refusal means that this
// may be over.
func (a *arrivals) left(text string, now time.Time) (time.Duration, *Refusal) {
	if text == "" {
		return requestTime, nil
	}
	timeout, err := time.ParseDuration(text)
	if err != nil || timeout <= 0 {
		return 0, Refuse(http.StatusBadRequest, TimeoutHeader, "%q: want how long you wait for the answer, like 5s; nothing was done", text)
	}
	// The clock that times are compared by stands still while the machine sleeps, and the other one does not.
	since := *a.since.Load()
	age := max(now.Sub(since), now.Round(0).Sub(since.Round(0)))
	left := min(max(timeout, leastTimeout)-age, requestTime)
	if left <= 0 {
		return 0, later("nothing was done: this node stood still or was cut off, and the request may have waited here for %v, longer than its asker does (%v): "+
			"look at what is there now, and ask again", age.Round(time.Millisecond), timeout)
	}
	return left, nil
}
