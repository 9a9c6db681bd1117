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
	const never = "nothing proves that the node is current: it is never ready"
	ctl, log := event.CtlSubject(b.cfg.Fleet, ""), event.LogSubject(b.cfg.Fleet, "")
	effects := []struct{ subject, effect string }{ // the first whose subject begins this one
		{log + event.SysTick, never},
		{log + event.SysLost, "the others are not told when the stream has lost messages"},
		{log, "what is invalidated on this subject is not published"},
		{"$JS.API.DIRECT.GET.", "what the live feed loses can't be fetched: the node loses its lease, or forgets everything"},
		{"$JS.API.STREAM.INFO.", never},
		{"$JS.API.STREAM.UPDATE.", "the stream's configuration can't be mended, nor a longer ServeStale noted in it"},
		{"$JS.API.STREAM.CREATE.", "the stream can't be made"},
		{ctl + "presence.", "the others do not know of this node, so it may not serve: it is never ready"},
		{ctl + "barrier", "the node can't ask the others: no Barrier, and no roster to start with"},
		{"$", "what needed it fails"},
		{"lethe.", "what needed it fails"},
		{"", "the node can't answer who asks it (allow_responses): every Barrier waits as long as it may serve"},
	}
	if what == "subscribe" {
		effects = []struct{ subject, effect string }{
			{event.LiveSubject(b.cfg.Fleet, ""), "the node hears no events and is never ready"},
			{ctl + "presence", "the node does not hear who else is there: a Barrier asked here takes the fleet's longest horizon"},
			{ctl + "barrier", "the node can't say what it has applied: every Barrier waits as long as it may serve"},
			{ctl + "has", "lethe-publisher can't ask this node for its functions: an invalidation of one that no node has is published with a warning"},
			{ctl, "the node can't be asked"},
			{"", "no answer of a server or a node arrives: the node is never ready (does the inbox prefix fit?)"},
		}
	}
	for _, e := range effects {
		if strings.HasPrefix(subject, e.subject) {
			return e.effect
		}
	}
	return ""
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
