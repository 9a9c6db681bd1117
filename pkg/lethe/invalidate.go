package lethe

import (
	"context"
	"fmt"
	"time"

	"github.com/lethe-cache/lethe/pkg/event"
)

// Invalidate forgets here, then publishes. No targets: nothing, zero Token, nil. A bad target: its error, nothing published.
// Error wrapping ErrNotPublished: forgotten here, elsewhere perhaps not; the Token is that of what was sent. Call it after the
// commit: until then a load may read, and keep, the old value. Of a function with a former name, both names are published. With the
// ctx of a receiver the event says so, and that receiver is not called for it.
func (n *Node) Invalidate(ctx context.Context, targets ...event.Target) (event.Token, error) {
	for i, t := range targets {
		if err := t.Err(); err != nil {
			return event.Token{}, &Error{Op: "invalidate", Name: fmt.Sprintf("targets[%d]", i), Err: err}
		}
	}
	if n.closed.Load() {
		return event.Token{}, ErrClosed
	}
	if len(targets) == 0 {
		return event.Token{}, nil
	}
	if shapes := n.forget(touch{source: n.source, reason: event.ReasonFrom(ctx)}, targets); shapes > 0 {
		n.widened(shapes, n.source, "", targets[0].Subject()) // the event comes back as an echo, which forgets and counts nothing
	}
	return n.bus.Invalidate(ctx, n.underAllNames(targets))
}

// Publish sends events under their own ids, as a relay does. An event about a function with a former name (WithFormerName) is
// followed by the same about its other name, under an id that is derived from the event's, so that a repetition is recognised.
// With the ctx of a receiver, what an event lacks of actor, reason and cause is the receiver's event's.
func (n *Node) Publish(ctx context.Context, events ...event.Event) (event.Token, error) {
	if n.closed.Load() {
		return event.Token{}, ErrClosed
	}
	return n.bus.Publish(ctx, n.published(ctx, events)...)
}

// Forget fences targets on this node only; for a Publisher's own use after a commit. Bad targets are passed over.
func (n *Node) Forget(targets ...event.Target) { n.forget(touch{source: n.source}, targets) }

// forget raises the fences of targets: the hard ones with one stamp, the soft ones with another.
func (n *Node) forget(why touch, targets []event.Target) (shapes int) {
	var room [32]uint64
	var hard, soft raised
	hard.labels = room[:0]
	if need := len(targets) + 2; need > len(room) {
		hard.labels = make([]uint64, 0, need)
	}
	b := labeller{n: n}
	for i := range targets {
		t := &targets[i]
		if t.Err() != nil {
			continue
		}
		l, ok, shape := b.label(*t)
		if shape {
			shapes++
		}
		switch {
		case !ok:
		case t.IsSoft():
			soft = soft.add(l)
		default:
			hard = hard.add(l)
		}
	}
	if len(hard.labels)+len(soft.labels) == 0 {
		return shapes
	}
	var now int64
	if why.at.IsZero() {
		why.at = time.Now()
		now = int64(why.at.Sub(n.base))
	} else {
		now = n.now()
	}
	if ls := soft.all(); len(ls) > 0 {
		n.touches.add(n.fence.Invalidate(now, true, ls...), &why)
	}
	if ls := hard.all(); len(ls) > 0 {
		n.touches.add(n.fence.Invalidate(now, false, ls...), &why)
	}
	return shapes
}
