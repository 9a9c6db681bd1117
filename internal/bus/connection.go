package bus

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
)

func errConnecting(nc *nats.Conn) error {
	switch {
	case nc.IsClosed():
		return errors.New("the NATS connection is closed")
	case nc.LastError() != nil:
		return fmt.Errorf("not connected to NATS: %w", nc.LastError())
	default:
		return errors.New("not connected to NATS")
	}
}

// connection compares what the connection is with what the loop believes, and tells of the difference. News of it may be
// lost or late, so it is looked at with every beat as well.
func (b *Bus) connection() {
	l := &b.loop
	number := connNumber(b.nc) // first: whatever connects in between has a higher one
	if !b.nc.IsConnected() {
		if l.conn != 0 {
			l.conn = 0
			l.offline()
			b.do(l.follower.Disconnected(b.cfg.Now()))
		}
		b.why.set(areaConn, errConnecting(b.nc))
		return
	}
	if number != l.conn {
		if l.conn != 0 {
			l.offline()
		}
		l.conn, l.ensure = number, true
		l.online, l.offline = context.WithCancel(b.life)
		b.why.set(areaConn, nil)
		if b.cfg.PublishOnly {
			b.learn()
			return
		}
		b.do(l.follower.Connected(number, b.cfg.Now()))
		return
	}
	if !b.cfg.PublishOnly {
		b.do(l.follower.Beat(b.cfg.Now(), wallNow()))
	}
}
