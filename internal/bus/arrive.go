package bus

import (
	"errors"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/lethe-cache/lethe/internal/cursor"
	"github.com/lethe-cache/lethe/pkg/event"
)

// roundMost bounds how many arrivals are handled before the position is shown and others get their turn.
const roundMost = 64

// deliver is what the Feed calls. It deals with the arrival at once if nobody else has the turn, and goes away if somebody has:
// an event is applied on the goroutine that brought it, without a detour, and the client's callback never waits.
//
//  1. Who can take the turn deals with what is in the queue, and then with the arrival.
//  2. Who can't puts it into the queue, and wakes the loop: the one that has the turn may have looked into the queue before.
func (b *Bus) deliver(a Arrival) {
	if !b.turn.TryLock() {
		b.queue.put(a)
		b.queue.poke()
		return
	}
	defer b.turn.Unlock()
	l := &b.loop
	if l.closed {
		return
	}
	b.check()
	b.arrivals() // what came before
	b.arrived(a)
	l.unshown++
	if a.More && l.unshown < roundMost {
		return // it is shown with the one that waits behind it
	}
	b.show()
	if due := l.follower.Due(); due != 0 && due < l.armed {
		b.queue.poke() // the loop sleeps longer than it may
	}
}

// arrivals deals with what is in the queue.
func (b *Bus) arrivals() {
	for range roundMost {
		select {
		case a := <-b.queue.ch:
			b.queue.took(a)
			b.arrived(a)
			continue
		default:
		}
		break
	}
	if !b.queue.empty() {
		b.queue.poke()
	}
	if b.queue.overflowed() {
		b.counts.overflows.Add(1)
		b.do(b.loop.follower.Overflowed(b.cfg.Now()))
	}
}

// arrived handles one message of the live feed: applied at once, accounted for then.
func (b *Bus) arrived(a Arrival) {
	if a.Conn > b.loop.conn {
		b.connection()
	}
	if b.deaf.Load() {
		b.deaf.Store(false)
		b.why.set(areaFeed, nil)
		b.board.poke()
	}
	s := a.Stamp
	b.forged(s, a.Header)
	if a.Foreign {
		b.counts.foreign.Add(1)
		return
	}
	subject := a.Subject
	if s.Sequence != 0 {
		subject = s.Subject // somebody may have the server send an answer, stamp and all, to a live subject of his choice
	}
	lost := b.apply(s, subject, a.Header, a.Data, true)
	if s.Sequence == 0 {
		return
	}
	now := b.cfg.Now()
	if lost != "" {
		b.do(b.loop.follower.Lost(s.Sequence, lost == b.loop.lost, now))
	}
	b.do(b.loop.follower.Live(cursor.Arrival{
		Message: cursor.Message{Seq: s.Sequence, Time: s.Time.UnixNano()}, At: b.credit(a), Conn: a.Conn, Number: a.Number,
	}, now))
}

// credit is the moment that an arrival proves the feed to be alive at. What the server republishes comes when it is stored,
// or not at all: the moment it came. A consumer may lag (flow control, a slow link, a replica behind its leader) and bring
// the old in a steady stream, so there it is the moment the message was stored, as the leader's last answer translates it to
// the node's clock, never later than it came. What is stored after the answer that a Reset stood on is not put before it.
func (b *Bus) credit(a Arrival) int64 {
	if !b.cfg.Consumer {
		return a.At
	}
	stored := b.loop.since + 1
	if clock := b.clock.Load(); clock != 0 {
		stored = max(stored, a.Stamp.Time.UnixNano()+clock)
	}
	return min(a.At, stored)
}

// told hears how the feed is; nil = it works.
func (b *Bus) told(err error) {
	if errors.Is(err, errSilent) {
		b.cfg.Logger.Warn("the consumer has fallen silent and is made anew", "stream", b.stream)
	}
	b.why.set(areaFeed, err)
	b.board.poke()
}

// apply hands an event to the node. It returns the id of a "lost".
func (b *Bus) apply(s Stamp, subject string, header nats.Header, data []byte, live bool) (lost string) {
	d := Delivery{Received: event.Decode(b.cfg.Fleet, subject, header, data), Live: live}
	b.judge(&d.Received)
	if b.loop.follower.Behind() > 0 {
		b.loop.senders.add(d.Source)
	} else {
		b.loop.senders.forget()
	}
	if d.Sys != "" {
		if d.Sys == event.SysLost {
			return d.ID
		}
		return ""
	}
	echo := b.echoes.take(d.Source, d.ID)
	if len(d.Targets) == 0 && d.Manifest == nil {
		return "" // it concerns nobody
	}
	if s.Sequence != 0 {
		d.Sequence, d.Stored, d.Echo = s.Sequence, s.Time, echo
		if v := b.loop.follower.View(); v.Standing {
			d.Token = event.NewToken(b.cfg.Fleet, v.Epoch, s.Sequence)
		}
	}
	b.cfg.Handler.Apply(&d)
	return ""
}

// forged counts messages whose publisher plays the server, and says so once a minute.
func (b *Bus) forged(s Stamp, h nats.Header) {
	if !s.Forged {
		return
	}
	b.counts.forged.Add(1)
	source := h.Get("ce-source")
	if b.loop.complain.may("forged "+source, time.Now()) {
		b.cfg.Logger.Warn("a message carries Nats- headers that only the server may set; they are ignored", "source", source, "subject", s.Subject)
	}
}

// judge counts what was refused or widened, and says so once per source and minute.
func (b *Bus) judge(r *event.Received) {
	b.counts.judge(r)
	if r.Rejected == "" && r.Widened == "" {
		return
	}
	if b.loop.complain.may(r.Source, time.Now()) {
		b.cfg.Logger.Warn("an event could not be taken as it is; what is not understood forgets more, never less",
			"source", r.Source, "id", r.ID, "rejected", r.Rejected, "widened", r.Widened, "dropped", r.Dropped, "detail", r.Detail)
	}
}

// complaints limits log lines: one a key and minute. Keys over its bound are not told apart: the node's log has a budget.
type complaints struct {
	last  map[string]time.Time
	since time.Time
}

const (
	complaintsMost = 256
	complaintBytes = 256 // of a key that are told apart
)

func (c *complaints) may(key string, now time.Time) bool {
	if len(key) > complaintBytes {
		key = strings.Clone(key[:complaintBytes])
	}
	if at, ok := c.last[key]; ok && now.Sub(at) < time.Minute {
		return false
	}
	if c.last == nil || now.Sub(c.since) >= time.Minute {
		c.last, c.since = make(map[string]time.Time), now
	}
	if len(c.last) < complaintsMost {
		c.last[key] = now
	}
	return true
}
