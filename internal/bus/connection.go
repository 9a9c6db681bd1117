package bus

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
)

// errGaveUp says that the connection never comes back.
var errGaveUp = fmt.Errorf("%w for good: it was closed by its owner, or gave up (MaxReconnects); "+
	"open one with nats.MaxReconnects(-1), and a new node on it", nats.ErrConnectionClosed)

func errConnecting(nc *nats.Conn) error {
	switch {
	case nc.IsClosed():
		return errGaveUp
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
		b.answers.broken(number + 1)
		if l.conn != 0 {
			l.conn = 0
			l.offline()
			b.do(l.follower.Disconnected(b.cfg.Now()))
		}
		why := errConnecting(b.nc)
		b.why.set(areaConn, why)
		if !l.gone && errors.Is(why, errGaveUp) {
			l.gone = true
			b.board.poke()
		}
		return
	}
	if number != l.conn {
		b.answers.broken(number)
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
