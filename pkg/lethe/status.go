package lethe

import (
	"time"

	"github.com/lethe-cache/lethe/internal/bus"
)

// State of a node.
type State int

// States.
const (
	Starting State = iota // never ready yet: reads call their loaders, and nothing is kept
	Current               // ready: reads are served from memory
	Expired               // ready once, and not now: each function's Policy applies
	Closed
)

// String names the state in lower case.
func (s State) String() string {
	switch s {
	case Starting:
		return "starting"
	case Current:
		return "current"
	case Expired:
		return "expired"
	case Closed:
		return "closed"
	}
	return "unknown"
}

// MarshalText is String.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Status is a node at a moment.
type Status struct {
	State              State
	Fleet, Name, Epoch string
	Cursor, Last       uint64        // applied without a hole up to; highest sequence known of
	LeaseAge           time.Duration // since what is served was known to be current; 0 before the first lease
	Entries, Bytes     int64         // of both tiers; encoded, of bulk
	Resets, GapsHealed uint64        // the start is no Reset
	Err                error         // why it is not Current, and what reads get meanwhile, as Ready and the log say it; nil where it is
	Since              time.Duration // for how long it has been Current, or has not been, to a quarter of a second
	Duplicates         int           // other living nodes of the same name, which has to be unique; 0 is as it should be
}

// Stream tells which stream the node is on: its fleet, and the epoch in the stream's metadata, empty while that is not known.
// A relay keeps it beside its table, so that a database is not announced on two buses.
func (n *Node) Stream() (fleet, epoch string) { return n.cfg.Fleet, n.bus.Epoch() }

// Name is Config.Name, or the one that was made up for it.
func (n *Node) Name() string { return n.cfg.Name }

// Status is a snapshot; it costs no I/O.
func (n *Node) Status() Status {
	b := n.bus.Status()
	s := Status{
		Fleet: n.cfg.Fleet, Name: n.cfg.Name, Epoch: b.Epoch, Cursor: b.Cursor, Last: b.Last,
		LeaseAge: b.LeaseAge, GapsHealed: b.GapsHealed, Duplicates: n.fleet.Duplicates(n.cfg.Name),
	}
	for _, c := range b.Resets {
		s.Resets += c
	}
	s.State, s.Since = n.state(b.State), max(time.Duration(n.now()-n.since.Load()), 0)
	switch s.State {
	case Current:
	case Closed:
		s.Err = ErrClosed
	default:
		_, why := n.bus.Why()
		s.Err = n.unready(why, s.State)
	}
	if t := n.memory(); t != nil {
		s.Entries = int64(max(t.bulk.Len(), t.hot.EstimatedSize()))
		s.Bytes = int64(t.bulk.Capacity())
	}
	return s
}

// state is that of the node where its bus is in that one.
func (n *Node) state(b bus.State) State {
	switch {
	case n.closed.Load():
		return Closed
	case b == bus.Starting:
		return Starting
	case b == bus.Current && (n.cfg.PublishOnly || n.now() < n.lease.Load()):
		return Current
	default:
		return Expired
	}
}

// memory returns the tiers, nil before the first Memoize.
func (n *Node) memory() *tiers {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.tiers
}
