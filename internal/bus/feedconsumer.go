package bus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/nats-io/nats.go"

	"github.com/lethe-cache/lethe/pkg/event"
)

// consumed is the Feed for servers and accounts that allow no RePublish: a push consumer, made anew by every Arm with an
// inbox of its own, that delivers only what is stored after it was made. What is missed between two is a hole. Where the
// client's ordered consumer would go back to its last message after a break, and replay what is old as if it were live,
// this one never does.
type consumed struct {
	nc           *nats.Conn
	stream, node string
	now          func() int64
	ask          requester
	told         func(error) // what is wrong although nobody has asked; nil = nothing any more

	deliver func(Arrival)
	arming  chan struct{} // holds one: whoever makes or removes a consumer
	unsure  string        // a consumer that may have been made, of whoever is arming

	mu     sync.Mutex            // guards the changes of inbox with base
	inbox  atomic.Pointer[inbox] // the present one; nil = none
	base   uint64                // arrivals in inboxes before the present one
	wanted atomic.Bool           // it was armed once, so from then on there has to be a consumer

	flow  chan string // flow control to be answered
	watch context.CancelFunc
	wg    sync.WaitGroup
}

func newConsumed(cfg *Config, ask requester, told func(error)) *consumed {
	return &consumed{
		nc: cfg.Conn, stream: event.StreamName(cfg.Fleet), node: cfg.Name, now: cfg.Now, ask: ask, told: told,
		arming: make(chan struct{}, 1), flow: make(chan string, 16),
	}
}

func (c *consumed) Start(deliver func(Arrival)) error {
	c.deliver = deliver
	ctx, cancel := context.WithCancel(context.Background())
	c.watch = cancel
	c.wg.Go(func() { c.watching(ctx) })
	return nil
}

// Arm makes a consumer, whether or not there is one: what an older one has in hand may be old. When it returns the server
// has it, and what is stored from then on is delivered on this connection.
func (c *consumed) Arm(ctx context.Context) error {
	select {
	case c.arming <- struct{}{}:
		defer func() { <-c.arming }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if err := checkServer(c.nc); err != nil {
		return err
	}
	c.wanted.Store(true)
	for _, old := range c.disarm() {
		_ = c.nc.Publish(c.api("DELETE", old), nil) // else the server removes it after a while
	}
	c.mu.Lock()
	in := &inbox{name: newConsumerName(), conn: connNumber(c.nc), base: c.base, came: moments{now: c.now}}
	c.mu.Unlock()
	sub, err := c.nc.Subscribe(c.nc.NewInbox(), func(m *nats.Msg) { c.hear(in, m) })
	if err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	in.sub = sub
	in.heard.Store(c.now())
	c.mu.Lock()
	c.inbox.Store(in) // before the server has the consumer: the first message may overtake its answer
	c.mu.Unlock()
	if err = c.create(ctx, in.name, sub.Subject); err == nil && connNumber(c.nc) != in.conn {
		err = errors.New("the connection has changed meanwhile")
	}
	if err != nil {
		c.disarm()
		c.unsure = in.name
	}
	return err
}

// disarm stops listening and returns the consumers that may be left on the server. What the old inbox still has in hand is
// dropped: its numbers of arrival are below those of the next.
func (c *consumed) disarm() (left []string) {
	if c.unsure != "" {
		left = append(left, c.unsure)
		c.unsure = ""
	}
	c.mu.Lock()
	in := c.inbox.Swap(nil)
	if in != nil {
		c.base = in.base + in.number.Load()
	}
	c.mu.Unlock()
	if in != nil {
		_ = in.sub.Unsubscribe()
		left = append(left, in.name)
	}
	return left
}

// Mark counts as that of republished does, and what it counts in one inbox is below the numbers of the next.
func (c *consumed) Mark() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	in := c.inbox.Load()
	if in == nil {
		return c.base
	}
	rest := waiting(in.sub)
	return in.base + in.number.Load() + rest
}

// Stop ends it and removes its consumer from the server, for which it waits a moment where there is a connection.
func (c *consumed) Stop() {
	c.watch()
	c.wg.Wait()
	c.arming <- struct{}{}
	defer func() { <-c.arming }()
	left := c.disarm()
	ctx, cancel := context.WithTimeout(context.Background(), removeFor)
	defer cancel()
	for _, name := range left {
		if c.nc.IsConnected() {
			_, _ = c.ask(ctx, c.nc, &nats.Msg{Subject: c.api("DELETE", name)})
		}
	}
}
