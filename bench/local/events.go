package local

import (
	"context"
	"errors"
	"time"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

// batch is how many keys an event of letheEvents has.
const batch = 100

// letheEvents is Lethe whose drops are events of a second node: published, stored, carried to the node that reads, and applied
// there. All of it, and the server, works on the same cores as the reads.
func letheEvents(ctx context.Context, room int) (*cache, error) {
	c, err := letheWith("lethe, as events", lethe.Config{MaxHot: -1, MaxBytes: 64 << 20}, event.All())(ctx, room)
	if err != nil {
		return nil, err
	}
	publisher, err := lethe.Open(ctx, lethe.Config{Conn: c.conn, PublishOnly: true})
	if err != nil {
		return nil, errors.Join(err, c.close())
	}
	stop := c.close
	c.close = func() error { return errors.Join(publisher.Close(), stop()) }
	var targets []event.Target
	var token event.Token
	var failed error
	c.drop = func(k string) {
		if targets = append(targets, c.target(k)); len(targets) < batch {
			return
		}
		t, err := publisher.Invalidate(ctx, targets...)
		if targets = targets[:0]; err != nil {
			failed = errors.Join(failed, err)
			return
		}
		token = t
	}
	c.settle = func() error {
		if failed != nil || token.IsZero() {
			return wrong(c.name, "published nothing: %v", failed)
		}
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		return c.node.Wait(ctx, token)
	}
	ready, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	if err := publisher.Ready(ready); err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}
