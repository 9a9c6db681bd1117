package bus

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/lethe-cache/lethe/pkg/event"
)

// Handed is a message in this node's hands.
type Handed struct {
	event.Received
	// Tries is how often it was handed to a node, this time included.
	Tries uint64
	// Ordered says that it is no event of the log but a call that was ordered: a letter that is to be tried again, or the word that
	// events were lost.
	Ordered bool
	// Letter is the sequence of the dead letter it repeats; 0 = none.
	Letter uint64

	msg      *nats.Msg
	sequence uint64 // in its stream
}

func (d *Durable) event(m *nats.Msg, md *nats.MsgMetadata) *Handed {
	h := &Handed{Received: event.Decode(d.b.cfg.Fleet, m.Subject, m.Header, m.Data), Tries: md.NumDelivered, msg: m, sequence: md.Sequence.Stream}
	h.Token = event.NewToken(d.b.cfg.Fleet, d.known.epoch, h.sequence)
	return h
}

// order reads a call that was ordered. The token is what the node has to have applied before it.
func (d *Durable) order(m *nats.Msg, md *nats.MsgMetadata) *Handed {
	h := &Handed{Ordered: true, Tries: md.NumDelivered, msg: m, sequence: md.Sequence.Stream}
	h.Letter, _ = strconv.ParseUint(last(m.Header, HeaderLetter), 10, 64)
	if cause := last(m.Header, HeaderReset); cause != "" {
		h.Event = event.Event{
			ID: last(m.Header, HeaderEvent), Source: d.b.cfg.Source, Type: event.TypeReset, Time: md.Timestamp,
			Targets: []event.Target{event.All()}, Reason: cause,
		}
	} else {
		h.Received = event.Decode(d.b.cfg.Fleet, last(m.Header, HeaderSubject), m.Header, m.Data)
	}
	if t, err := event.ParseToken(last(m.Header, HeaderToken)); err == nil && t.Fleet() == d.b.cfg.Fleet {
		h.Token = t
	}
	return h
}

// Bounds in time of what is told to the server of a message.
const (
	ackFor  = 5 * time.Second
	buryFor = 10 * time.Second
)

// Working says that the message is still being worked on: it is not handed to another node for another AckWait.
func (d *Durable) Working(h *Handed) { _ = d.b.nc.Publish(h.msg.Reply, []byte("+WPI")) }

// Again has the message handed out again, to any node, not before delay has passed.
func (d *Durable) Again(h *Handed, delay time.Duration) {
	text := "-NAK"
	if delay > 0 {
		text = fmt.Sprintf(`-NAK {"delay": %d}`, delay.Nanoseconds())
	}
	_ = d.b.nc.Publish(h.msg.Reply, []byte(text)) // else AckWait passes
}

// Done says that the receiver has handled it; a letter that it repeats is removed. With an error the message may be handed out again.
func (d *Durable) Done(ctx context.Context, h *Handed) error {
	ctx, cancel := context.WithTimeout(ctx, ackFor)
	defer cancel()
	if h.Letter != 0 {
		if err := d.remove(ctx, h.Letter); err != nil {
			return err
		}
	}
	return d.finish(ctx, h)
}

// Skip passes by an event that is not for this receiver, unless another version of the program, with other filters, has the say by now.
func (d *Durable) Skip(ctx context.Context, h *Handed) error {
	ctx, cancel := context.WithTimeout(ctx, ackFor)
	defer cancel()
	ci, err := d.info(ctx)
	if err == nil && ci.Config.Metadata[metaFilters] == d.cfg.Filters {
		return d.acked(ctx, h)
	}
	d.next = time.Now()
	d.Again(h, 0)
	return err
}

// finish acknowledges it, and removes an order, which nobody needs any more.
func (d *Durable) finish(ctx context.Context, h *Handed) error {
	if err := d.acked(ctx, h); err != nil || !h.Ordered {
		return err
	}
	return d.remove(ctx, h.sequence)
}

// acked waits until the server knows.
func (d *Durable) acked(ctx context.Context, h *Handed) error {
	if _, err := d.b.request(ctx, d.b.nc, &nats.Msg{Subject: h.msg.Reply, Data: []byte("+ACK")}); err != nil {
		return fmt.Errorf("acknowledge: %w", err)
	}
	return nil
}

// remove takes a message off the stream of dead letters; that it is gone already is as good.
func (d *Durable) remove(ctx context.Context, sequence uint64) error {
	err := d.b.call(ctx, "STREAM.MSG.DELETE."+d.pulls[onDead].stream, map[string]any{"seq": sequence, "no_erase": true}, nil)
	if isNoMessage(err) {
		return nil
	}
	return err
}

// Bury gives up: the message becomes a dead letter, and only when that is stored is it acknowledged. A letter that was tried again
// stays as it is. With an error nothing is lost: the message is handed out again.
func (d *Durable) Bury(ctx context.Context, h *Handed, why error) error {
	ctx, cancel := context.WithTimeout(ctx, buryFor)
	defer cancel()
	if h.Letter == 0 {
		if err := d.write(ctx, h, why); err != nil {
			d.Again(h, ackFor)
			return fmt.Errorf("dead letter: %w", err)
		}
	}
	return d.finish(ctx, h)
}
