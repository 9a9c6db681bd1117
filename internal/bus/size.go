package bus

import (
	"context"
	"errors"
	"fmt"

	"github.com/cespare/xxhash/v2"
	"github.com/nats-io/nats.go"

	"github.com/lethe-cache/lethe/pkg/event"
)

// wireSize is what the server compares with its max_payload: a message's headers, as they are written, and its data.
func wireSize(h nats.Header, data []byte) int {
	size := len(data)
	if len(h) > 0 {
		size += len("NATS/1.0\r\n\r\n")
	}
	for key, values := range h {
		for _, value := range values {
			size += len(key) + len(value) + len(": \r\n")
		}
	}
	return size
}

// payloadMost is the max_payload of the server that this connection is on, which another server of the cluster may have otherwise;
// 0 = not known yet.
func (b *Bus) payloadMost() int { return int(b.nc.MaxPayload()) }

// fits says whether the server takes m with its headers complete.
func (b *Bus) fits(m *nats.Msg) error {
	most := b.payloadMost()
	if size := wireSize(m.Header, m.Data); most > 0 && size > most {
		return &TooLarge{Subject: m.Subject, Size: size, Limit: most}
	}
	return nil
}

// headersRoom is kept free for what an event has besides its targets, where max_payload is small.
const headersRoom = 2 << 10

// batchMost is how many bytes of targets one event of group commit has: what always fits into an event, or less for a server with a
// small max_payload. It need not be exact: what turns out to be too large is cut when it is sent.
func (b *Bus) batchMost() int {
	if most := b.payloadMost(); most > 0 {
		return min(event.MaxTargets, max(most-headersRoom, most/2))
	}
	return event.MaxTargets
}

// posting is how the parts of an event are published.
type posting struct {
	named  bool        // the event has an id of its own, under which the server drops repetitions
	wanted func() bool // somebody still waits
}

// id is the one under which the server drops repetitions of e.
func (p posting) id(e *event.Event) string {
	if p.named {
		return e.ID
	}
	return ""
}

// post publishes e, which is m, in parts where the server takes no message as large as the whole. Each part has some of the targets,
// and all else. The id of a part of a named event is made of that event's and of what the part says, so that no part is taken for the
// whole or for another part, however large max_payload is when it is tried again.
func (b *Bus) post(ctx context.Context, e event.Event, m event.Message, p posting) (receipt, error) {
	r, err := b.publish(ctx, m, p.id(&e), p.wanted)
	var large *TooLarge
	if !errors.As(err, &large) || len(e.Targets) < 2 {
		return r, err
	}
	var sum tally
	b.parts(ctx, e, p, &sum)
	return sum.receipt()
}

// parts publishes the two halves of e, and each of those in halves where it is still too large. It ends with the first error that is
// not for good: what follows on the subject may not overtake it.
func (b *Bus) parts(ctx context.Context, e event.Event, p posting, sum *tally) (goOn bool) {
	half := len(e.Targets) / 2
	for _, targets := range [][]event.Target{e.Targets[:half], e.Targets[half:]} {
		part := e
		part.Targets = targets
		if p.named {
			part.ID = partID(e.ID, targets)
		} else if part.ID = event.NewID(); !b.cfg.PublishOnly {
			b.echoes.add(part.Source, part.ID)
		}
		m, err := event.Encode(b.cfg.Fleet, part)
		if err != nil {
			sum.add(receipt{}, err)
			return false
		}
		r, err := b.publish(ctx, m, p.id(&part), p.wanted)
		var large *TooLarge
		switch {
		case errors.As(err, &large) && len(targets) > 1:
			if part.ID = e.ID; !b.parts(ctx, part, p, sum) {
				return false
			}
		case errors.As(err, &large): // the others can be announced
			sum.add(r, err)
		default:
			sum.add(r, err)
			if err != nil {
				return false
			}
		}
	}
	return true
}

// partID is the id of the part of an event that has these targets.
func partID(id string, targets []event.Target) string {
	d := xxhash.New()
	for _, t := range targets {
		_, _ = d.WriteString(t.String())
		_, _ = d.Write([]byte{0})
	}
	return fmt.Sprintf("%s.%016x", id, d.Sum64())
}
