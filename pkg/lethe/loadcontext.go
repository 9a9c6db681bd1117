package lethe

import (
	"context"
	"sync"
	"time"
)

// loadContext is what a loader is given: the values of its caller, without its cancellation, until the load's deadline or its end. A
// receiver's call is given one as well, of the node's own context, with its cancellation.
// It makes a context that can be waited for, with its timer, when somebody asks for Done: most loads are over before
// anybody does. All of it is then that context, so that what is derived from this is derived from that.
type loadContext struct {
	values   context.Context //nolint:containedctx // it is a context itself
	deadline time.Time

	mu     sync.Mutex      // guards what follows
	inner  context.Context //nolint:containedctx // as above
	cancel context.CancelFunc
	err    error // where inner was not made in time
}

// begin gives it what it has from its load.
func (c *loadContext) begin(caller context.Context, deadline time.Time) {
	c.values, c.deadline = context.WithoutCancel(caller), deadline
}

// Deadline is when the load's time is up.
func (c *loadContext) Deadline() (time.Time, bool) { return c.deadline, true }

// Done is closed at the load's deadline or end.
func (c *loadContext) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.inner == nil {
		c.inner, c.cancel = context.WithDeadline(c.values, c.deadline)
		if c.err != nil {
			c.cancel()
		}
	}
	return c.inner.Done()
}

// Err is why Done is closed, or would be.
func (c *loadContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.inner != nil {
		return c.inner.Err()
	}
	c.late()
	return c.err
}

func (c *loadContext) late() {
	if c.err == nil {
		c.err = c.values.Err()
	}
	if c.err == nil && !time.Now().Before(c.deadline) {
		c.err = context.DeadlineExceeded
	}
}

// Value is the caller's.
func (c *loadContext) Value(key any) any {
	c.mu.Lock()
	from := c.inner
	c.mu.Unlock()
	if from == nil {
		from = c.values
	}
	return from.Value(key)
}

// end is that of the load.
func (c *loadContext) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cancel != nil {
		c.cancel()
		return
	}
	c.late()
	if c.err == nil {
		c.err = context.Canceled
	}
}
