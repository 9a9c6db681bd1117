package bus

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// answers hears what servers answer to what was published: one subscription for all of it, and for each publish no more than a
// place in a map. The client's own requests do as much with a context, a timer and a subject of its own for each, which is most of
// what a publish on an idle connection takes before it leaves.
type answers struct {
	nc     *nats.Conn
	refuse *permissions

	mu     sync.Mutex // guards what follows
	closed bool
	sub    *nats.Subscription
	prefix string
	next   uint64
	open   map[string]*question // by reply subject
}

// question is one publish that waits to be answered.
type question struct {
	subject, reply string
	conn           uint64        // the connection it was asked on; on another one nobody answers it
	ended          chan struct{} // closed when answer and err stand
	answer         *nats.Msg
	err            error
	once           sync.Once
}

func (q *question) end(answer *nats.Msg, err error) {
	q.once.Do(func() {
		q.answer, q.err = answer, err
		close(q.ended)
	})
}

// ask publishes m and returns what its answer ends.
func (a *answers) ask(m *nats.Msg) (*question, error) {
	q := &question{subject: m.Subject, conn: connNumber(a.nc), ended: make(chan struct{})}
	if err := a.add(q); err != nil {
		return nil, err
	}
	m.Reply = q.reply
	if err := a.nc.PublishMsg(m); err != nil {
		a.forget(q)
		return nil, fmt.Errorf("publish to %s: %w", m.Subject, err)
	}
	return q, nil
}

func (a *answers) add(q *question) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return ErrClosed
	}
	if a.sub == nil || !a.sub.IsValid() {
		prefix := a.nc.NewInbox() + "."
		sub, err := a.nc.Subscribe(prefix+"*", a.hear)
		if err != nil {
			return fmt.Errorf("subscribe to answers: %w", err)
		}
		a.sub, a.prefix, a.open = sub, prefix, make(map[string]*question)
	}
	a.next++
	q.reply = a.prefix + strconv.FormatUint(a.next, 36)
	a.open[q.reply] = q
	a.refuse.add(q)
	return nil
}

func (a *answers) forget(q *question) {
	a.mu.Lock()
	delete(a.open, q.reply)
	a.mu.Unlock()
	a.refuse.remove(q)
}

// errBroken says that a question may have reached the server, and its answer can't come any more.
var errBroken = errors.New("the connection broke before the answer came: what was asked for may have happened or not")

// broken ends what was asked on connections before this one.
func (a *answers) broken(conn uint64) {
	a.mu.Lock()
	var cut []*question
	for _, q := range a.open {
		if q.conn < conn {
			cut = append(cut, q)
		}
	}
	a.mu.Unlock()
	for _, q := range cut {
		q.end(nil, errBroken)
	}
}

// hear is the client's callback.
func (a *answers) hear(m *nats.Msg) {
	a.mu.Lock()
	q := a.open[m.Subject]
	a.mu.Unlock()
	if q == nil {
		return // nobody waits any more
	}
	if len(m.Data) == 0 && m.Header.Get("Status") == "503" {
		q.end(nil, nats.ErrNoResponders)
		return
	}
	q.end(m, nil)
}

// request is the requester of a Bus: its error is the refusal where there was one.
func (b *Bus) request(ctx context.Context, _ *nats.Conn, m *nats.Msg) (*nats.Msg, error) {
	q, err := b.answers.ask(m)
	if err != nil {
		return nil, err
	}
	answer, err := b.answers.wait(ctx, q, nil)
	if err == nil && b.why.get(areaInbox) != nil {
		b.why.set(areaInbox, nil)
	}
	return answer, err
}

// hears says whether answers arrive by a subscription to subject.
func (a *answers) hears(subject string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.sub != nil && subject == a.prefix+"*"
}

// within is wait for at most d.
func (a *answers) within(ctx context.Context, q *question, d time.Duration) (*nats.Msg, error) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	return a.wait(ctx, q, timer.C)
}

// wait returns the answer to q. When it is late that is context.DeadlineExceeded, when ctx ends first its error.
func (a *answers) wait(ctx context.Context, q *question, late <-chan time.Time) (*nats.Msg, error) {
	defer a.forget(q)
	select {
	case <-q.ended:
		return q.answer, q.err
	case <-late:
		return nil, context.DeadlineExceeded
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// close ends the subscription.
func (a *answers) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed = true
	if a.sub != nil {
		_ = a.sub.Unsubscribe()
	}
}
