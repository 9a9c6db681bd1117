package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// The two consumers of a receiver.
const (
	onLog  = iota // events
	onDead        // ordered calls
)

// pull is a request for the next message of a consumer.
type pull struct {
	stream  string
	made    uint64          // the connection on which the consumer was last seen to be there
	until   time.Time       // when the request is over; zero: there is none
	refused context.Context //nolint:containedctx // the life of the request; ends when the server refuses it
	done    func()
	denied  bool // the server would not write the consumer's configuration; whether it is there is not known
}

// pullFor is how long a request waits on the server, pullSlack how much later its end is not waited for any more.
const (
	pullFor   = 15 * time.Second
	pullSlack = 2 * time.Second
)

// errGone says that a consumer, or its stream, is not there.
var errGone = errors.New("its consumer is gone")

// listen makes the inbox that messages come to, and begins anew on a new connection.
func (d *Durable) listen() error {
	for i := range d.pulls {
		d.pulls[i].end()
	}
	d.pulls[onDead].made = 0
	if d.sub != nil {
		return nil
	}
	sub, err := d.b.nc.ChanSubscribe(d.b.nc.NewInbox()+".*", d.pending)
	if err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	d.sub = sub
	return nil
}

func (p *pull) end() {
	if p.done != nil {
		p.done()
	}
	p.until, p.refused, p.done = time.Time{}, nil, nil
}

// take asks for the next messages, unless it has asked already, and waits for one, or for a reason to look around.
func (d *Durable) take(ctx context.Context) (*Handed, error) {
	over := d.next
	if !d.standby {
		for i := range d.pulls {
			p := &d.pulls[i]
			if p.until.IsZero() || time.Now().After(p.until.Add(pullSlack)) {
				if err := d.ask(ctx, i); err != nil {
					return nil, err
				}
			}
			if end := p.until.Add(pullSlack); end.Before(over) {
				over = end
			}
		}
	}
	timer := time.NewTimer(max(time.Until(over), time.Millisecond))
	defer timer.Stop()
	select {
	case m := <-d.pending:
		return d.arrived(m)
	case <-timer.C:
	case <-d.poke:
		d.paced()
	case <-ctx.Done():
	case <-d.refusal(onLog):
		return nil, d.refusedBy(onLog)
	case <-d.refusal(onDead):
		return nil, d.refusedBy(onDead)
	}
	return nil, nil
}

// paced lets a reader of Lag who asks all the time cost one look in a while, and no loop.
func (d *Durable) paced() {
	if soon := d.checked.Add(min(lagEvery, d.cfg.CheckEvery)); soon.Before(d.next) {
		d.next = soon
	}
}

func (d *Durable) refusal(i int) <-chan struct{} {
	if c := d.pulls[i].refused; c != nil {
		return c.Done()
	}
	return nil
}

func (d *Durable) refusedBy(i int) error {
	err := context.Cause(d.pulls[i].refused)
	d.pulls[i].end()
	return err
}

// ask sends a request for one message.
func (d *Durable) ask(ctx context.Context, i int) error {
	p := &d.pulls[i]
	p.end()
	body, err := json.Marshal(map[string]any{"batch": 1, "expires": pullFor})
	if err != nil {
		return fmt.Errorf("pull: %w", err)
	}
	subject := "$JS.API.CONSUMER.MSG.NEXT." + p.stream + "." + d.name
	p.refused, p.done = d.b.perms.during(ctx, subject)
	if err := d.b.nc.PublishRequest(subject, d.inbox(i), body); err != nil {
		p.end()
		return fmt.Errorf("pull: %w", err)
	}
	p.until = time.Now().Add(pullFor)
	return nil
}

// inbox is where what is asked of a consumer goes.
func (d *Durable) inbox(i int) string {
	return strings.TrimSuffix(d.sub.Subject, "*") + [...]string{onLog: "log", onDead: "dead"}[i]
}

// arrived reads what came: a message, or the end of a request.
func (d *Durable) arrived(m *nats.Msg) (*Handed, error) {
	if status := m.Header.Get("Status"); status != "" && len(m.Data) == 0 {
		i := onLog
		if m.Subject == d.inbox(onDead) {
			i = onDead
		}
		d.pulls[i].end()
		switch text := m.Header.Get("Description"); {
		case status == "404" || status == "408":
			return nil, nil
		case status == "503" || status == "409" && strings.Contains(text, "Deleted"):
			if p := &d.pulls[onDead]; i == onDead && p.denied { // events go on meanwhile
				p.made, p.until = 0, time.Now().Add(d.cfg.CheckEvery)
				return nil, nil
			}
			d.pulls[onDead].made, d.next = 0, time.Now()
			return nil, fmt.Errorf("%w (%s %s)", errGone, status, text)
		case status == "409" && strings.Contains(text, "Leadership"):
			return nil, nil
		default:
			return nil, fmt.Errorf("pull from %s: the server says %s %s", d.pulls[i].stream, status, text)
		}
	}
	md, err := m.Metadata()
	if err != nil {
		return nil, fmt.Errorf("a message that is none of a consumer's: %w", err)
	}
	switch md.Stream {
	case d.pulls[onLog].stream:
		d.pulls[onLog].end()
		d.lag.Store(md.NumPending + 1)
		return d.event(m, md), nil
	case d.pulls[onDead].stream:
		d.pulls[onDead].end()
		return d.order(m, md), nil
	}
	return nil, fmt.Errorf("a message of the stream %q, which was not asked for", md.Stream)
}
