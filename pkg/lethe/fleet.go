package lethe

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/lethe-cache/lethe/internal/bus"
	"github.com/lethe-cache/lethe/internal/fleet"
	"github.com/lethe-cache/lethe/pkg/event"
)

// NodeStatus is a node of the fleet as it last told of itself.
type NodeStatus struct {
	Status
	Version string
	Seen    time.Duration // since its last sign of life
	Gone    bool          // it fell silent without a goodbye, and can serve nothing any more: Nodes names it for ten minutes
}

// Report says of every node of the fleet whether it has applied a token. A node that can no longer serve anything older,
// because it has been without a lease for longer than it may serve without one, counts as one that has; its State is Expired.
type Report struct{ Applied, Pending []NodeStatus }

// Nodes is the fleet: who answers, who is known of and does not, and who is Gone, in order of names. It takes a round trip; up to a second
// where somebody does not answer. It is an error when nobody can be asked, or nobody is known.
func (n *Node) Nodes(ctx context.Context) ([]NodeStatus, error) {
	if n.closed.Load() {
		return nil, ErrClosed
	}
	members, err := n.fleet.Nodes(ctx)
	if err == nil && len(members) == 0 {
		err = errors.New("no node has answered")
	}
	if err != nil {
		return nil, &Error{Op: "nodes", Name: n.cfg.Fleet, Err: cmp.Or(ctx.Err(), err)}
	}
	return n.statuses(members), nil
}

// Barrier waits for the whole fleet: until every node that any node knows of has applied t, or said goodbye, or can no longer
// serve anything older. ErrPending when ctx ends first; the Report then names those that are waited for. Report is always
// filled, as far as is known. Without a roster that can be trusted (nobody answers, or all have begun within the fleet's
// longest horizon of each other) it takes that horizon, 10 s unless a node has a longer MaxStaleness or ServeStale. A zero
// Token: who is there. A Token of another fleet, or beyond the stream's end: event.ErrInvalid.
func (n *Node) Barrier(ctx context.Context, t event.Token) (Report, error) {
	switch {
	case n.closed.Load():
		return Report{}, ErrClosed
	case !t.IsZero() && t.Fleet() != n.cfg.Fleet:
		return Report{}, &Error{Op: "barrier", Name: t.String(), Err: fmt.Errorf("token: it is of the fleet %q, this node is of %q: %w", t.Fleet(), n.cfg.Fleet, event.ErrInvalid)}
	}
	applied, pending, complete, err := n.fleet.Barrier(ctx, t)
	r := Report{Applied: n.statuses(applied), Pending: n.statuses(pending)}
	switch {
	case n.closed.Load() && !complete:
		return r, ErrClosed
	case errors.Is(err, fleet.ErrRefused):
		return r, &Error{Op: "barrier", Name: t.String(), Err: &event.Error{Field: "token", Problem: err.Error()}}
	case err != nil:
		return r, &Error{Op: "barrier", Name: t.String(), Err: err}
	case !complete:
		return r, &Error{Op: "barrier", Name: t.String(), Err: fmt.Errorf("%w: %s: %w", ErrPending, n.waitedFor(r), context.Cause(ctx))}
	}
	return r, nil
}

// waitedFor names the nodes a Barrier waits for, and says where none of them can be asked.
func (n *Node) waitedFor(r Report) string {
	const most = 10
	var names []string
	for i, p := range r.Pending {
		if i == most {
			names = append(names, fmt.Sprintf("and %d more", len(r.Pending)-most))
			break
		}
		names = append(names, p.Name)
	}
	switch text := strings.Join(names, ", "); {
	case !n.conn.IsConnected():
		return strings.TrimPrefix(text+"; this node is not connected to NATS, and can't ask the others", "; ")
	case names == nil:
		return "no roster can be trusted yet"
	default:
		return text
	}
}

func (n *Node) statuses(members []fleet.Member) []NodeStatus {
	all := make([]NodeStatus, 0, len(members))
	named := make(map[string]int) // those that answer now
	for _, m := range members {
		if m.State != "" && m.SeenMs == 0 {
			named[m.Node]++
		}
	}
	for _, m := range members {
		var why error
		if m.Why != "" {
			why = errors.New(m.Why)
		}
		all = append(all, NodeStatus{
			Status: Status{
				State: stateOf(m.State), Err: why, Since: time.Duration(m.SinceMs) * time.Millisecond, Fleet: n.cfg.Fleet, Name: m.Node, Epoch: m.Epoch, Cursor: m.Cursor, Last: m.Last,
				LeaseAge: time.Duration(m.LeaseAgeMs) * time.Millisecond, Entries: m.Entries, Bytes: m.Bytes,
				Resets: m.Resets, GapsHealed: m.GapsHealed, Duplicates: max(m.Duplicates, named[m.Node]-1, n.fleet.Duplicates(m.Node)),
			},
			Version: m.Version, Seen: time.Duration(m.SeenMs) * time.Millisecond, Gone: m.Vanished,
		})
	}
	return all
}

// stateOf reads what State.String wrote; of a node that is only known by name nothing is known to be current.
func stateOf(text string) State {
	for s := Starting; s <= Closed; s++ {
		if s.String() == text {
			return s
		}
	}
	return Expired
}

// openFleet begins to tell of this node, and to hear of others. It comes before the bus, whose first connection greets them: until
// there is one, nothing is applied and nothing known.
func (n *Node) openFleet(conn *bus.Config) error {
	var err error
	n.fleet, err = fleet.Open(fleet.Config{
		Conn: conn.Conn, Fleet: n.cfg.Fleet, AskOnly: n.cfg.PublishOnly, Self: n.self, Instance: rand.Text()[:12],
		Wait: func(ctx context.Context, t event.Token) error {
			if !n.opened.Load() {
				return ErrNotReady
			}
			return n.bus.Wait(ctx, t)
		},
		Reached: func(t event.Token) bool { return n.opened.Load() && n.bus.Reached(t) },
		Longest: func(ctx context.Context) (time.Duration, error) {
			if !n.opened.Load() {
				return 0, ErrNotReady
			}
			return n.bus.Longest(ctx)
		},
		Quiet: func() (quiet, known bool) {
			if !n.opened.Load() {
				return false, false
			}
			return n.bus.Quiet()
		},
		Horizon: func() time.Duration {
			if !n.opened.Load() {
				return 0
			}
			return n.bus.Horizon()
		},
		Now: n.now, Logger: n.log,
	})
	return err
}

// self is what this node tells of itself.
func (n *Node) self() fleet.Member {
	m := fleet.Member{Node: n.cfg.Name, Version: version(), HorizonMs: n.horizon.wanted(n.cfg.MaxStaleness).Milliseconds()}
	if n.opened.Load() {
		s := n.Status()
		m.State, m.Epoch, m.Cursor, m.Last = s.State.String(), s.Epoch, s.Cursor, s.Last
		m.LeaseAgeMs, m.Entries, m.Bytes, m.Resets, m.GapsHealed = s.LeaseAge.Milliseconds(), s.Entries, s.Bytes, s.Resets, s.GapsHealed
		m.Duplicates, m.SinceMs = s.Duplicates, s.Since.Milliseconds()
		if s.Err != nil {
			m.Why = s.Err.Error()
		}
	}
	return m
}

// horizon is how long this node serves without a lease: the longest ServeStale of its functions on top of MaxStaleness.
type horizon struct{ longest atomic.Int64 }

func (h *horizon) wanted(bound time.Duration) time.Duration {
	return bound + time.Duration(h.longest.Load())
}

// serveFor notes a function that may serve for d without a lease. The others have to know of it first: until the stream tells
// of it, the function serves only as long as it tells.
func (n *Node) serveFor(d time.Duration) {
	for {
		old := n.horizon.longest.Load()
		if int64(d) <= old {
			return
		}
		if n.horizon.longest.CompareAndSwap(old, int64(d)) {
			break
		}
	}
	n.fleet.Announce()
	ctx, cancel := context.WithTimeout(n.stop, raiseFor)
	defer cancel()
	n.bus.Renew(ctx)
}

// raiseFor bounds how long Memoize waits for that on a node that is ready already.
const raiseFor = time.Second

// grace is how long after its lease this node may serve: as long as the fleet knows of.
func (n *Node) grace() time.Duration { return max(n.bus.Horizon()-n.cfg.MaxStaleness, 0) }
