package bus

import "time"

// State of a Bus.
type State int

// States.
const (
	Starting State = iota // never ready yet
	Current               // ready: what Ready says, and the lease holds
	Expired               // ready once, and not now
	Closed
)

// Status is a snapshot of a Bus.
type Status struct {
	State        State
	Epoch        string        // of the stream; "" = not known yet
	Cursor, Last uint64        // position, and the highest sequence known of
	LeaseEnd     int64         // on the clock of Config.Now; 0 = no lease
	LeaseAge     time.Duration // since the as-of moment of the last lease; 0 = there was none yet
	GapsHealed   uint64
	Horizon      time.Duration     // the fleet's longest serve horizon, as last seen; 0 = not yet
	Resets       map[string]uint64 // by cause; the start is none
	Denied       uint64            // subjects that the server has refused, once each on a connection
	Mended       uint64            // fields of the stream's configuration that were not as they have to be
	Rejected     map[string]uint64 // events or parts of them refused, by reason
	Widened      map[string]uint64 // events taken for more than they say, by reason
	Forged       uint64            // messages with Nats- headers of their publisher's making
	Foreign      uint64            // live messages of another stream
	Published    uint64            // events acknowledged
	Overflows    uint64            // times the queue of arrivals was full
	Storms       uint64            // calls of Invalidate refused because of Config.MaxEvents
	Err          error             // what is wrong at the moment; nil = nothing known
}

// Epoch is that of the stream, empty while it is not known; it costs next to nothing.
func (b *Bus) Epoch() string { return b.board.look().Epoch }

// Status never waits for I/O.
func (b *Bus) Status() Status {
	v, now := b.board.look(), b.cfg.Now()
	s := Status{
		State: Starting, Epoch: v.Epoch, Cursor: v.Cursor, Last: v.Known, LeaseEnd: v.End, GapsHealed: v.Healed,
		Horizon: b.Horizon(), Forged: b.counts.forged.Load(), Foreign: b.counts.foreign.Load(),
		Published: b.counts.published.Load(), Overflows: b.counts.overflows.Load(), Storms: b.counts.storms.Load(), Mended: b.counts.mended.Load(), Denied: b.counts.denied.Load(), Err: b.why.all(),
	}
	if asOf := b.asOf.Load(); asOf != 0 {
		s.LeaseAge = time.Duration(max(now-asOf, 0))
	}
	b.counts.maps(&s)
	switch {
	case b.life.Err() != nil:
		s.State, s.Err = Closed, ErrClosed
	case b.ready(v.End, v.Epoch):
		s.State = Current
	case b.was.Load():
		s.State = Expired
	}
	if s.State == Starting || s.State == Expired {
		_, s.Err = b.Why()
	}
	return s
}
