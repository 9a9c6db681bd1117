package lethe

import (
	"context"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/lethe-cache/lethe/internal/bus"
)

// When a node that is not current says so: after a while, and then ever more seldom. Changes are told of at most so often.
const (
	unreadyFirst = 5 * time.Second
	unreadyMost  = 5 * time.Minute
	changesEvery = 10 * time.Second
	healthEvery  = 250 * time.Millisecond // how often it is looked at
	tellEvery    = time.Minute            // how often suppressed log lines are told of
)

// health is what the log says of whether the node is current. It is a pure state machine: what is seen and the time go in, lines
// come out.
type health struct {
	log         *slog.Logger
	publishOnly bool

	begun   time.Duration
	since   time.Duration // when it began to be as it is
	next    time.Duration // when it says again that it is not current
	ready   bool          // it was current once
	current bool
	told    bool          // that the lease was lost
	lost    time.Duration // when that was told last
	back    time.Duration // and that it is back; 0 = never
	healed  uint64        // holes closed when it was lost
}

func newHealth(log *slog.Logger, publishOnly bool, now time.Duration) *health {
	return &health{log: log, publishOnly: publishOnly, begun: now, since: now, next: now + unreadyFirst}
}

// seen is what a node sees of itself.
type seen struct {
	current      bool
	code         string // of why it is not
	why          error
	cursor, last uint64
	age          time.Duration
	healed       uint64
	nats         []any // the field, or nothing
}

func (h *health) look(now time.Duration, s seen) {
	switch {
	case s.current && !h.current:
		h.found(now, s)
	case !s.current && h.current:
		h.current, h.since, h.next, h.healed = false, now, now+unreadyFirst, s.healed
		h.told = !h.publishOnly && (h.lost == 0 || now-h.lost >= changesEvery)
		if h.told {
			h.lost = now
			h.log.Warn("the node is no longer current", "event", "lease_lost", "code", s.code, "reason", s.why,
				"age", s.age.Round(time.Millisecond), "behind", s.last-min(s.cursor, s.last))
		}
	case !s.current && now >= h.next:
		gone := now - h.since
		h.next = now + min(gone, unreadyMost)
		said := []any{"event", "not_ready", "code", s.code, "reason", s.why, "for", gone.Round(time.Second)}
		if h.ready && !h.publishOnly { // it was ready, and stays so at /readyz
			h.log.Warn("the node is still not current", said...)
		} else {
			h.log.Warn("the node is not ready", said...)
		}
	}
}

// found is for a node that has become current.
func (h *health) found(now time.Duration, s seen) {
	gone := now - h.since
	switch {
	case !h.ready && !h.publishOnly:
		h.log.Info("the node is ready", append([]any{"event", "ready", "took", gone.Round(time.Millisecond), "cursor", s.cursor}, s.nats...)...)
	case h.told && (h.back == 0 || now-h.back >= changesEvery):
		h.back = now
		h.log.Info("the node is current again", "event", "lease_back", "gone_for", gone.Round(time.Millisecond), "healed", s.healed-min(h.healed, s.healed))
	}
	h.ready, h.current, h.told, h.since = true, true, false, now
}

// watch says in the log how the node is, until it is closed.
func (n *Node) watch() {
	h := newHealth(n.log, n.cfg.PublishOnly, time.Duration(n.now()))
	look, tell := time.NewTicker(healthEvery), time.NewTicker(tellEvery)
	defer look.Stop()
	defer tell.Stop()
	for {
		select {
		case <-n.stop.Done():
			n.budget.Tell(context.WithoutCancel(n.stop))
			return
		case <-tell.C:
			n.budget.Tell(n.stop)
		case <-look.C:
			s := n.Status()
			code, _ := n.bus.Why()
			h.look(time.Duration(n.now()), seen{
				current: s.State == Current, code: code, why: s.Err, cursor: s.Cursor, last: s.Last, age: s.LeaseAge, healed: s.GapsHealed, nats: servers(n.conn),
			})
			n.since.Store(int64(h.since))
		}
	}
}

// servers is the log's field of where the node connects to, without credentials: where it is connected, else where it may be. It is
// left out where the connection knows no true address, as that to a server in this process.
func servers(conn *nats.Conn) []any {
	at := bus.Connected(conn)
	if at == "" {
		at = bus.Configured(conn)
	}
	if at == "" {
		return nil
	}
	return []any{"nats", at}
}
