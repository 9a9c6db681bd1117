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

// ready is what Ready and Status go by, so that they never disagree. A node whose live feed is forbidden may have a lease all the
// same, since it polls; it is not ready.
func (b *Bus) ready(lease int64, epoch string) bool {
	ready := lease > b.cfg.Now() && b.why.get(areaFeed) == nil && !b.horizon.muted.Load()
	if b.cfg.PublishOnly {
		ready = epoch != "" && b.nc.IsConnected()
	}
	if ready && !b.was.Load() {
		b.was.Store(true)
	}
	return ready
}
