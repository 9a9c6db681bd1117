package manifest

import (
	"bytes"
	"context"
	"database/sql"
	"strings"
	"time"

	"github.com/lethe-cache/lethe/pkg/event"
)

// Verbs of the journal.
const (
	verbApply      = "apply"
	verbDelete     = "delete"
	verbInvalidate = "invalidate"
)

// differences works out what the journal says of a plan's changes. It is asked before the transaction where the plan is made there.
func (w *writing) differences() {
	if w.journal == nil || w.dry {
		return
	}
	w.differs = make(map[*change]differing, len(w.plan.changes))
	for _, c := range w.plan.changes {
		if !c.journalled() || c.action == Invalidated {
			continue
		}
		s := w.plan.secrets(c)
		switch c.action {
		case Created:
			w.differs[c] = difference(nil, &c.next, s)
		case Deleted:
			w.differs[c] = difference(&c.old.Object, nil, s)
		default:
			w.differs[c] = difference(&c.old.Object, &c.next, s)
		}
	}
}

// journalled says whether a change has a line: what stays as it is has none, nor has a status, which programs report all the time, nor
// what a kind newly finds in an object.
func (c *change) journalled() bool {
	switch {
	case c.action == Unchanged || c.adds:
		return false
	case c.action == Configured && c.old != nil:
		return !sameSpec(&c.next, &c.old.Object) || !sameMeta(&c.next, &c.old.Object)
	}
	return true
}

// secrets are what the kind of a change marks, and what it marked before, where it changes with it.
func (p *plan) secrets(c *change) secrets {
	if c.id.family == kindFamily {
		return kindSecrets(c)
	}
	all := c.shape.secrets
	for _, k := range p.changes {
		if k.id.family == kindFamily && k.id.name == c.id.family && k.old != nil {
			all = append(all[:len(all):len(all)], secretsOf(k.old.Spec)...)
		}
	}
	return all
}

// kindSecrets are those of a manifest of kind Kind: where it marks anything, its schemas and its example are kept to themselves, since a
// default or an example may be what is marked.
func kindSecrets(c *change) secrets {
	if !bytes.Contains(c.next.Spec, []byte(secretKeyword)) && (c.old == nil || !bytes.Contains(c.old.Spec, []byte(secretKeyword))) {
		return nil
	}
	return secretsIn(decodedConstant(`{"properties": {"schema": {"x-secret": true}, "statusSchema": {"x-secret": true}, "example": {"x-secret": true}}, "additionalProperties": true}`))
}

func decodedConstant(text string) any {
	value, err := decoded([]byte(text))
	if err != nil {
		panic("manifest: " + err.Error()) // a constant, read by a test
	}
	return value
}

// note writes down what a change did, in its transaction.
func (w *writing) note(ctx context.Context, tx *sql.Tx, ordered []*change) error {
	if w.journal == nil || w.dry {
		return nil
	}
	said := spoken(ctx, time.Now())
	said.Ticket = string(w.ticket)
	var lines []journalRow
	for _, c := range ordered {
		if !c.journalled() {
			continue
		}
		line, f := said, w.differs[c]
		line.Verb, line.Action, line.Kind, line.Namespace, line.Name = verbOf(c.action), c.action, c.shape.kind, c.id.namespace, c.id.name
		line.ResourceVersion, line.Generation = c.next.Metadata.ResourceVersion, c.next.Metadata.Generation
		line.Fields, line.More = f.all, f.more
		lines = append(lines, journalRow{c.id, line})
	}
	if c := w.plan.class; c != nil {
		line := said
		line.Verb, line.Action, line.Kind, line.Namespace = verbInvalidate, Invalidated, c.shape.kind, c.namespace
		lines = append(lines, journalRow{ident{c.shape.family, c.namespace, ""}, line})
	}
	return writeJournal(ctx, tx, lines)
}

func verbOf(a Action) string {
	switch a {
	case Deleted:
		return verbDelete
	case Invalidated:
		return verbInvalidate
	default:
		return verbApply
	}
}

// Bounds of what others wrote, in the journal.
const (
	journalActor  = 256
	journalReason = 1 << 10
)

// spoken is a line with what ctx says: who does it, and why.
func spoken(ctx context.Context, now time.Time) JournalEntry {
	a := event.Acted(ctx, event.Event{}).Actor()
	a.Type, a.ID, a.Claim = cutText(a.Type, journalActor), cutText(a.ID, journalActor), cutText(a.Claim, journalActor)
	return JournalEntry{Time: now, Actor: a, Reason: cutText(event.ReasonFrom(ctx), journalReason)}
}

// cutText is at most so many bytes of a text, without what PostgreSQL takes for no text.
func cutText(s string, most int) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
