package bus

import (
	"context"
	"errors"
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
	waiting map[*attempt]struct{}
	denied  func(subject string, err error) // of a subscription

	forbidden func(subject string, err error) // of a publish
}

// attempt is a request under way.
type attempt struct {
	subject string
	cancel  context.CancelCauseFunc
}

// listen puts itself in front of the connection's error handler, which goes on hearing everything.
func (p *permissions) listen(nc *nats.Conn, denied func(subject string, err error)) {
	p.waiting = make(map[*attempt]struct{})
	p.denied = denied
	before := nc.ErrorHandler()
	nc.SetErrorHandler(func(nc *nats.Conn, sub *nats.Subscription, err error) {
		if errors.Is(err, nats.ErrPermissionViolation) {
			p.hear(err)
		}
		if before != nil {
			before(nc, sub, err)
		}
	})
}

// close makes the handler deaf; it can't be taken out of the chain again.
func (p *permissions) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed, p.waiting, p.denied = true, nil, nil
}

// hear ends the requests that the server has refused. Its words are: Permissions Violation for Publish to "subject".
func (p *permissions) hear(err error) {
	_, rest, ok := strings.Cut(err.Error(), `"`)
	subject, _, ok2 := strings.Cut(rest, `"`)
	if !ok || !ok2 {
		return
	}
	no := &Refusal{Description: fmt.Sprintf("no permission for %q; the account or user of this connection needs it", subject)}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	if strings.Contains(strings.ToLower(err.Error()), "subscription to") {
		no.Description = fmt.Sprintf("no permission to subscribe to %q; the account or user of this connection needs it", subject)
		p.denied(subject, no)
		return
	}
	for a := range p.waiting {
		if a.subject == subject {
			a.cancel(no)
		}
	}
	if p.forbidden != nil {
		p.forbidden(subject, no)
	}
}

// request is the requester whose error is the refusal where there was one.
func (p *permissions) request(ctx context.Context, nc *nats.Conn, m *nats.Msg) (*nats.Msg, error) {
	ctx, done := p.during(ctx, m.Subject)
	defer done()
	answer, err := nc.RequestMsgWithContext(ctx, m)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return answer, err
}

// during returns a context that ends when the server refuses a publish to subject.
func (p *permissions) during(ctx context.Context, subject string) (_ context.Context, done func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	a := &attempt{subject, cancel}
	p.mu.Lock()
	if p.waiting != nil {
		p.waiting[a] = struct{}{}
	}
	p.mu.Unlock()
	return ctx, func() {
		p.mu.Lock()
		delete(p.waiting, a)
		p.mu.Unlock()
		cancel(nil)
	}
}
