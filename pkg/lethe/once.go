package lethe

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"
	"unicode"

	"github.com/lethe-cache/lethe/internal/bus"
	"github.com/lethe-cache/lethe/pkg/event"
)

// OncePerFleet has each event received by one node of the fleet instead of by every node: one that registers a receiver of this name.
// The events are kept for it by a durable consumer of the stream, from the moment the first node ever registered it, whether or
// not a node runs.
//
// The receiver is called when its node has applied the event, for one event at a time in the whole fleet, in the order of the stream. A nil
// error acknowledges. An error, a panic or a timeout is a failed try: it is called again, by whichever node, up to WithRetry's tries
// (8 from 1 s on), while what comes after waits; then the event becomes a dead letter and the next has its turn. When a node dies in the
// middle, another has the event after 45 s, when it is closed at once.
//
// It is called at least once: twice when a node dies after the call, or is paused in it. So it has to be idempotent; Event.ID is the
// same every time. When it lost events (nobody took them for as long as the stream keeps them, or its consumer or the stream was
// removed) one node is called with an event of TypeReset, which is tried, and in the end a dead letter, as any other.
//
// A node has at most 64 of them.
func OncePerFleet() ReceiveOption {
	return receiveOption(func(r *receiver) { r.shared = true })
}

// Bounds and defaults of once-per-fleet receivers.
const (
	onceMost    = 64
	onceTries   = 8
	onceBackoff = time.Second
	onceApplied = 10 * time.Second // for this node to apply the event; then another may try
	onceWeigh   = 5 * time.Second  // between two looks at how many wait, during a call
	onceLate    = 2 * time.Second  // until it is handed out again after that
	onceLeft    = 32               // how often nodes may be given an event, beyond three times the tries, without that a call ends
)

// onceTimes are the times of once-per-fleet receivers. Tests shorten a node's.
type onceTimes struct {
	ackWait    time.Duration // more than a call may take
	call       time.Duration // of every receiver
	checkEvery time.Duration
}

func onceDefaults() onceTimes {
	return onceTimes{ackWait: 45 * time.Second, call: receiveTimeout, checkEvery: 30 * time.Second}
}

// once is what a once-per-fleet receiver has beside what all have.
type once struct {
	durable  *bus.Durable
	subjects []string
	letters  atomic.Uint64
}

func (o *once) attached() float64 {
	if o.durable.Attached() {
		return 1
	}
	return 0
}

// prepareOnce checks what only matters here: what becomes a subject and a header.
func (r *receiver) prepareOnce() error {
	for _, c := range r.name {
		if unicode.IsControl(c) {
			return errors.New("OncePerFleet: the name has a control character")
		}
	}
	if r.tries == 0 {
		r.tries, r.backoff = onceTries, onceBackoff
	}
	r.once.subjects = r.subjects()
	return nil
}

// share adds a once-per-fleet receiver; rs.mu is held.
func (rs *receivers) share(r *receiver) error {
	count := 0
	for _, other := range rs.all {
		if other.shared {
			count++
		}
	}
	if count >= onceMost {
		return &Error{Op: "receive", Name: r.name, Err: fmt.Errorf("OncePerFleet: this node has %d of them, which is the most; let one receiver do the work of several", onceMost)}
	}
	r.once.durable = r.n.bus.OpenDurable(bus.DurableConfig{
		Receiver: r.name, Subjects: r.once.subjects, Filters: r.words(), Version: version(),
		AckWait: r.n.times.ackWait, CheckEvery: r.n.times.checkEvery,
	})
	rs.all = append(slices.Clone(rs.all), r)
	rs.wg.Go(r.workOnce)
	return nil
}

// doubt passes on that the node has forgotten everything.
func (rs *receivers) doubt(cause string) {
	for _, r := range rs.list() {
		if r.shared {
			r.once.durable.Doubt(cause)
		}
	}
}

// workOnce runs until the node is closed.
func (r *receiver) workOnce() {
	defer r.once.durable.Close()
	for {
		h, err := r.once.durable.Next(r.n.stop)
		if err != nil {
			return
		}
		r.handle(h)
	}
}

// handle deals with one message in this node's hands. What it tells the server may not arrive: then the message is handed out again.
func (r *receiver) handle(h *bus.Handed) {
	d, log := r.once.durable, r.n.log.With("receiver", r.name, "event", h.ID, "type", h.Type, "tries", h.Tries)
	ctx := context.WithoutCancel(r.n.stop) // what is done is said, also while the node is being closed
	var err error
	switch {
	case h.Sys != "" || len(h.Targets) == 0 && h.Manifest == nil || !h.Ordered && !r.passes(&h.Event):
		err = d.Skip(ctx, h)
	case !h.Ordered && r.spared(&h.Event):
		err = d.Done(ctx, h)
	case h.Tries > uint64(3*r.tries+onceLeft):
		err = r.bury(ctx, h, fmt.Errorf("handed to nodes %d times, and no call has ended", h.Tries-1))
	default:
		switch why := r.attempt(h); {
		case why == nil:
			err = d.Done(ctx, h)
		case r.n.stop.Err() != nil:
			d.Again(h, 0)
		case errors.Is(why, errNotApplied):
			log.Warn("lethe: this node has not applied an event in time: another may call the receiver", "error", why)
			d.Again(h, onceLate)
		case h.Tries >= uint64(r.tries):
			log.Error("lethe: a receiver failed for good: the event becomes a dead letter", "error", why)
			err = r.bury(ctx, h, why)
		default:
			log.Warn("lethe: a receiver failed, it is tried again", "error", why)
			d.Again(h, r.pause(h.Tries))
		}
	}
	if err != nil {
		log.Warn("lethe: a once-per-fleet receiver could not tell the server how it went; the event may come again", "error", err)
	}
}

func (r *receiver) bury(ctx context.Context, h *bus.Handed, why error) error {
	err := r.once.durable.Bury(ctx, h, why)
	if err == nil && h.Letter == 0 {
		r.once.letters.Add(1)
	}
	return err
}

var errNotApplied = errors.New("lethe: not applied in time")

// attempt calls the receiver once this node has applied the event, and keeps the message in hand meanwhile: for as long as a call
// may take, so that one that hangs does not keep the event for ever.
func (r *receiver) attempt(h *bus.Handed) error {
	ctx, cancel := context.WithTimeout(r.n.stop, onceApplied)
	defer cancel()
	over, end := context.WithCancel(r.n.stop)
	held, drop := context.WithCancel(over)
	kept := make(chan struct{})
	go func() {
		defer close(kept)
		r.keep(over, held.Done(), h)
	}()
	defer func() { drop(); end(); <-kept }()
	if err := r.n.bus.Wait(ctx, h.Token); err != nil && !errors.Is(err, event.ErrInvalid) { // a token beyond the stream's end: of one that was restored
		return fmt.Errorf("%w: %w", errNotApplied, err)
	}
	defer time.AfterFunc(r.n.times.call, drop).Stop()
	return r.try(h.Event)
}

// try calls the receiver and counts.
func (r *receiver) try(e event.Event) error {
	err := r.call(e)
	if err == nil {
		r.runs[runOK].Add(1)
	}
	return err
}

// keep says that the message is worked on while it is held, and looks at how many wait while the call is not over.
func (r *receiver) keep(over context.Context, held <-chan struct{}, h *bus.Handed) {
	r.once.durable.Working(h) // it may have waited for its turn
	tick, weigh := time.NewTicker(r.n.times.ackWait/3), time.NewTicker(onceWeigh)
	defer tick.Stop()
	defer weigh.Stop()
	for {
		select {
		case <-tick.C:
			r.once.durable.Working(h)
		case <-weigh.C:
			r.once.durable.Weigh(over)
		case <-held:
			tick.Stop()
			held = nil
		case <-over.Done():
			return
		}
	}
}

// pause before the try after this one.
func (r *receiver) pause(tries uint64) time.Duration {
	d := r.backoff
	for i := uint64(1); i < tries && d < maxBackoff; i++ {
		d *= 2
	}
	if d = min(d, maxBackoff); d >= 4 {
		d -= rand.N(d / 4) //nolint:gosec // jitter is no secret
	}
	return d
}
