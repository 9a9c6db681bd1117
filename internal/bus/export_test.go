package bus

import (
	"context"

	"github.com/nats-io/nats.go"

	"github.com/lethe-cache/lethe/pkg/event"
)

// ErrBroken is the end of a question whose connection has broken.
var ErrBroken = errBroken

// Ask asks for the fleet's stream as b does, with no bound but ctx.
func Ask(ctx context.Context, b *Bus) error {
	_, err := b.request(ctx, b.nc, &nats.Msg{Subject: "$JS.API.STREAM.INFO." + event.StreamName(b.cfg.Fleet)})
	return err
}
