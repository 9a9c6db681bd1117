package bus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"

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

// granted is what has to be granted where a subject was refused: the subject without what is random or a number in it. Inboxes have
// random tokens behind their prefix, which for those of this connection is own; names of consumers are random, acks and flow control
// count.
func granted(subject, own string) string {
	if strings.HasPrefix(subject, own+".") {
		return own + ".>"
	}
	tokens := strings.Split(subject, ".")
	keep := len(tokens)
	switch first := tokens[0]; {
	case first == "lethe":
	case first == "$JS" && len(tokens) > 1 && tokens[1] == "API":
		keep = len([]string{"$JS", "API", "STREAM", "INFO", "name of the stream"})
	case first == "$JS" && len(tokens) > 2 && tokens[2] == "API":
		keep = len([]string{"$JS", "domain", "API", "STREAM", "INFO", "name of the stream"})
	case strings.HasPrefix(first, "$"):
		keep = len([]string{"$JS", "ACK", "name of the stream"})
	default:
		keep = 1 // an inbox of another connection
	}
	if len(tokens) <= keep {
		return subject
	}
	return strings.Join(tokens[:keep], ".") + ".>"
}

// inboxPrefix is what the inboxes of a connection begin with.
func inboxPrefix(nc *nats.Conn) string {
	return strings.TrimSuffix(cmp.Or(nc.Opts.InboxPrefix, nats.InboxPrefix), ".")
}

// errInbox says why no answer can arrive.
func errInbox(nc *nats.Conn, no error) error {
	own := inboxPrefix(nc)
	return fmt.Errorf("no answer can arrive: the user of this connection may not subscribe to %q; connect with the inbox prefix that the "+
		"user has (--inbox-prefix, nats.CustomInboxPrefix), or grant this one: %w", own+".>", no)
}

// refused logs a permission that is missing, once a connection. what is publish or subscribe.
func (b *Bus) refused(what, subject string) {
	subject = granted(subject, inboxPrefix(b.nc))
	if what == "subscribe" && b.effect(what, subject) == "" {
		return // a subscription of the program's own, on a connection that it shares with the node
	}
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
		{nats.InboxPrefix[:len(nats.InboxPrefix)-1], "the node can't answer who asks it (allow_responses): every Barrier waits as long as it may serve"},
		{"", "if these are inboxes: the node can't answer who asks it (allow_responses), and every Barrier waits as long as it may serve"},
	}
	if what == "subscribe" {
		asked := "the node can't be asked"
		if strings.HasSuffix(subject, ".*") {
			asked += " by who has the right to one kind of manifests alone"
		}
		effects = []struct{ subject, effect string }{
			{event.LiveSubject(b.cfg.Fleet, ""), "the node hears no events and is never ready"},
			{ctl + "presence", "the node does not hear who else is there: a Barrier asked here takes the fleet's longest horizon"},
			{ctl + "barrier", "the node can't say what it has applied: every Barrier waits as long as it may serve"},
			{ctl + "has", "lethe-publisher can't ask this node for its functions: an invalidation of one that no node has is published with a warning"},
			{ctl, asked},
			{inboxPrefix(b.nc) + ".", "no answer of a server or a node arrives: the node is never ready; connect with the inbox prefix that the user has"},
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
