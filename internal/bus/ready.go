package bus

import "context"

// Ready returns nil once the bus has caught up and holds its lease; a PublishOnly one: once it is connected and knows the
// stream. When ctx ends first it is ErrNotReady with what is missing, after Close ErrClosed. A connection that is closed, or has
// given up, never comes back: that is ErrNotReady at once, and wraps nats.ErrConnectionClosed.
func (b *Bus) Ready(ctx context.Context) error {
	for {
		v, changed := b.board.watch()
		if b.life.Err() != nil {
			return ErrClosed
		}
		if b.ready(v.End, v.Epoch) {
			return nil
		}
		if b.nc.IsClosed() {
			return notReady(errGaveUp)
		}
		select {
		case <-changed:
		case <-b.life.Done():
		case <-ctx.Done():
			_, why := b.Why()
			return notReady(&joined{why.Error() + " (" + ctx.Err().Error() + ")", []error{why, ctx.Err()}})
		}
	}
}

func (b *Bus) ready(lease int64, epoch string) bool {
	if b.cfg.PublishOnly {
		return epoch != "" && b.nc.IsConnected()
	}
	return lease > b.cfg.Now() && b.why.get(areaFeed) == nil && !b.horizon.muted.Load()
}
