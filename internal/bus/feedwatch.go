package bus

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// rearmMost is the longest pause between attempts to make a consumer anew.
const rearmMost = 10 * time.Second

// errSilent is told of a consumer that brings nothing, not even a heartbeat: removed, or gone with its server.
var errSilent = errors.New("the stream's consumer has fallen silent; it is made anew")

// watching answers flow control, and replaces a consumer that has fallen silent. On a new connection that is not its
// business: the Ping there arms before anything counts.
func (c *consumed) watching(ctx context.Context) {
	beat := time.NewTicker(heartbeat / 5)
	defer beat.Stop()
	var due time.Time
	tries := 0
	for {
		select {
		case <-ctx.Done():
			return
		case subject := <-c.flow:
			_ = c.nc.Publish(subject, nil)
		case <-beat.C:
			if !c.silent() {
				due, tries = time.Time{}, 0
				continue
			}
			if time.Now().Before(due) {
				continue
			}
			if tries == 0 {
				c.told(errSilent)
			}
			if err := c.rearm(ctx); err == nil {
				c.told(nil)
			} else if ctx.Err() == nil {
				c.told(err)
			}
			due = time.Now().Add(rand.N(min(heartbeat/5<<min(tries, 8), rearmMost))) //nolint:gosec // jitter is no secret
			tries++
		}
	}
}

func (c *consumed) rearm(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, pingFor)
	defer cancel()
	return c.Arm(ctx)
}

// silent says whether there should be a consumer on this connection and is none.
func (c *consumed) silent() bool {
	if !c.wanted.Load() || !c.nc.IsConnected() {
		return false
	}
	in := c.inbox.Load()
	if in == nil {
		return true
	}
	return in.conn == connNumber(c.nc) && c.now()-in.heard.Load() > 2*heartbeat.Nanoseconds()
}
