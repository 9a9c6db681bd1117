package desk

import (
	"context"
	"errors"
	"time"

	"github.com/lethe-cache/lethe/pkg/outbox"
)

// Refused is why this node may not work with its database right now, nil when it may.
func (d *Desk) Refused(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	return d.store.Ready(ctx)
}

// Ready waits until it may.
func (d *Desk) Ready(ctx context.Context) error { return d.store.Ready(ctx) }

// OnAnotherBus is Refused where the reason is that the database is announced elsewhere.
func (d *Desk) OnAnotherBus(ctx context.Context) error {
	if err := d.Refused(ctx); errors.Is(err, outbox.ErrOtherBus) {
		return err
	}
	return nil
}
