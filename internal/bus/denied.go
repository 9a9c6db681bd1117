package bus

import (
	"context"
	"errors"
	"strings"
	"sync"

	"github.com/lethe-cache/lethe/pkg/event"
)

// denials says once a subject and connection what the server forbids, and what that affects: no missing permission is silent,
// whoever used it on this connection.
type denials struct {
	mu   sync.Mutex // guards what follows
	conn uint64
	said map[string]struct{}
}

// denialsMost bounds how many subjects are told of on one connection.
const denialsMost = 64

func (d *denials) first(conn uint64, subject string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.said == nil || d.conn != conn {
		d.conn, d.said = conn, make(map[string]struct{})
	}
	if _, dup := d.said[subject]; dup || len(d.said) >= denialsMost {
		return false
	}
	d.said[subject] = struct{}{}
	return true
}

// refused logs a permission that is missing. what is publish or subscribe.
func (b *Bus) refused(what, subject string) {
	if !b.denials.first(connNumber(b.nc), what+" "+subject) {
		return
	}
	b.counts.denied.Add(1)
	b.cfg.Logger.Warn("a permission is missing: grant it to the user of this connection (lethe-publisher stream permissions lists them)",
		"event", "permission_denied", "what", what, "subject", subject, "effect", b.effect(what, subject))
}

// effect is what a missing permission keeps the node from.
func (b *Bus) effect(what, subject string) string {
	ctl, log := event.CtlSubject(b.cfg.Fleet, ""), event.LogSubject(b.cfg.Fleet, "")
	switch rest, isCtl := strings.CutPrefix(subject, ctl); {
	case what == "subscribe" && subject == event.LiveSubject(b.cfg.Fleet, ">"):
		return "the node hears no events and is never ready"
	case what == "subscribe" && isCtl && strings.HasPrefix(rest, "presence"):
		return "the node does not hear who else is there: a Barrier asked here takes the fleet's longest horizon"
	case what == "subscribe" && isCtl && rest == "barrier":
		return "the node can't say what it has applied: every Barrier waits as long as it may serve"
	case what == "subscribe" && isCtl:
		return "the node can't be asked"
	case what == "subscribe":
		return "no answer of a server or a node arrives: the node is never ready (does the inbox prefix fit?)"
	case subject == log+event.SysTick:
		return "nothing proves that the node is current: it is never ready"
	case subject == log+event.SysLost:
		return "the others are not told when the stream has lost messages"
	case strings.HasPrefix(subject, log):
		return "what is invalidated on this subject is not published"
	case strings.HasPrefix(subject, "$JS.API.DIRECT.GET."):
		return "what the live feed loses can't be fetched: the node loses its lease, or forgets everything"
	case strings.HasPrefix(subject, "$JS.API.STREAM.INFO."):
		return "nothing proves that the node is current: it is never ready"
	case strings.HasPrefix(subject, "$JS.API.STREAM.UPDATE."):
		return "the stream's configuration can't be mended, nor a longer ServeStale noted in it"
	case strings.HasPrefix(subject, "$JS.API.STREAM.CREATE."):
		return "the stream can't be made"
	case isCtl && strings.HasPrefix(rest, "presence."):
		return "the others do not know of this node, so it may not serve: it is never ready"
	case isCtl && rest == "barrier":
		return "the node can't ask the others: no Barrier, and no roster to start with"
	case !strings.HasPrefix(subject, "$") && !strings.HasPrefix(subject, "lethe."):
		return "the node can't answer who asks it (allow_responses): every Barrier waits as long as it may serve"
	}
	return "what needed it fails"
}

// tryFetch asks for the last message of the stream, once a connection, so that a missing permission for Direct Get is seen before
// it is needed.
func (b *Bus) tryFetch(first, last uint64) {
	l := &b.loop
	if l.conn == 0 || l.conn == l.tried || first > last {
		return
	}
	l.tried = l.conn
	b.beside(fetchFor, func(ctx context.Context) {
		_, err := b.directGet(ctx, last, 1, 1)
		var no *Refusal
		if errors.As(err, &no) {
			b.why.set(areaFetch, err)
		}
	})
}
