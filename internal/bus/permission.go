package bus

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"
)

// permissions hears what the server forbids. It says so some time after the act, to the whole connection: a request that is
// forbidden would just stay without an answer.
type permissions struct {
	mu      sync.Mutex // guards what follows
	closed  bool
	waiting map[asked]struct{}
	denied  func(subject string, err error) // of a subscription

	forbidden func(subject string, err error) // of a publish
	leave     func()                          // the connection's error handler
}

// asked is what is under way and may be refused.
type asked interface {
	about() string // subject
	refused(error)
}

// attempt is a request under way.
type attempt struct {
	subject string
	cancel  context.CancelCauseFunc
}

func (a *attempt) about() string     { return a.subject }
func (a *attempt) refused(err error) { a.cancel(err) }

func (q *question) about() string     { return q.subject }
func (q *question) refused(err error) { q.end(nil, err) }

// listen hears what the connection's error handler hears, which goes on hearing everything.
func (p *permissions) listen(nc *nats.Conn, denied func(subject string, err error)) {
	p.mu.Lock()
	p.waiting = make(map[asked]struct{})
	p.denied = denied
	p.mu.Unlock()
	p.leave = joinHub(nc, p)
}

// close ends it, and leaves nothing of it at the connection.
func (p *permissions) close() {
	p.mu.Lock()
	p.closed, p.waiting = true, nil
	p.mu.Unlock()
	p.leave()
}

// hear ends the requests that the server has refused. Its words are: Permissions Violation for Publish to "subject".
func (p *permissions) hear(err error) {
	_, rest, ok := strings.Cut(err.Error(), `"`)
	subject, _, ok2 := strings.Cut(rest, `"`)
	if !ok || !ok2 {
		return
	}
	no := &Refusal{Description: fmt.Sprintf("no permission for %q; the account or user of this connection needs it", subject)}
	subscription := strings.Contains(strings.ToLower(err.Error()), "subscription to")
	if subscription {
		no.Description = fmt.Sprintf("no permission to subscribe to %q; the account or user of this connection needs it", subject)
	}
	p.mu.Lock()
	closed, denied, forbidden := p.closed, p.denied, p.forbidden
	for a := range p.waiting {
		if !subscription && a.about() == subject {
			a.refused(no)
		}
	}
	p.mu.Unlock()
	switch {
	case closed:
	case subscription:
		denied(subject, no)
	case forbidden != nil:
		forbidden(subject, no)
	}
}

// during returns a context that ends when the server refuses a publish to subject.
func (p *permissions) during(ctx context.Context, subject string) (_ context.Context, done func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	a := &attempt{subject, cancel}
	p.add(a)
	return ctx, func() {
		p.remove(a)
		cancel(nil)
	}
}

// add begins to listen for the refusal of a.
func (p *permissions) add(a asked) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waiting != nil {
		p.waiting[a] = struct{}{}
	}
}

func (p *permissions) remove(a asked) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.waiting, a)
}
