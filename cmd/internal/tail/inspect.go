package tail

import (
	"context"

	"github.com/nats-io/nats.go"

	"github.com/lethe-cache/lethe/internal/bus"
)

// Inspect asks where the fleet's stream stands.
func Inspect(ctx context.Context, nc *nats.Conn, fleet string) (Stream, error) {
	s, err := bus.Inspect(ctx, nc, fleet)
	if err != nil {
		return Stream{}, err
	}
	return Stream{Fleet: fleet, Epoch: s.Epoch, First: s.First, Last: s.Last, Silent: s.Config.RePublish == nil}, nil
}
