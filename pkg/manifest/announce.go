package manifest

import (
	"context"
	"slices"

	"github.com/lethe-cache/lethe/pkg/event"
)

// announcement is what a write says: first an event about each object that it changed, each on its kind's subject with what is
// stale of that family; then, on their own subjects, what else is stale. It is asked when everything is written and locked. Who
// makes the change, why, when and in which trace is added by the outbox.
func (w *writing) announcement(ctx context.Context, tx querier, ordered []*change) ([]event.Event, error) {
	var (
		events []event.Event
		others = slices.Clone(w.plan.targets)
		roots  []ident
	)
	for _, c := range ordered {
		if c.action == Unchanged {
			continue
		}
		roots = append(roots, c.id)
		own, foreign := c.targets()
		groups, err := event.Group(own...)
		if err != nil {
			return nil, of(c.next, err)
		}
		e := event.Event{Type: eventType(c.action), Targets: groups[0], Manifest: c.said()}
		events = append(events, e)
		for _, g := range groups[1:] { // more than an event holds
			others = append(others, g...)
		}
		others = append(others, foreign...)
	}
	known := w.mended
	if c := w.plan.class; c != nil {
		events = append(events, c.event())
		others = append(others, c.tag()) // once more, for relays that know no manifest without a name
		var err error
		if known, err = c.referrers(ctx, tx); err != nil {
			return nil, err
		}
	}
	objects, families, err := referrers(ctx, tx, roots, known)
	if err != nil {
		return nil, err
	}
	for _, id := range objects {
		others = append(others, event.Tag(id.tag()))
	}
	for _, family := range families {
		others = append(others, event.TagPrefix(family+":"))
	}
	groups, err := event.Group(others...)
	if err != nil {
		return nil, &Error{Reason: "what it makes stale can't be announced", Err: err}
	}
	for _, g := range groups {
		events = append(events, event.Event{Type: event.TypeInvalidated, Targets: g})
	}
	return events, nil
}

// targets of a change: those of its own family, the object and its collections first, and others.
func (c *change) targets() (own, foreign []event.Target) {
	own = []event.Target{
		event.Tag(c.id.tag()),
		event.Tag(c.id.family + ":" + c.id.namespace + "/*"),
		event.Tag(c.id.family + ":*"),
	}
	for _, t := range c.stale {
		if t.Subject() == "tag."+c.id.family {
			own = append(own, t)
		} else {
			foreign = append(foreign, t)
		}
	}
	return own, foreign
}

func eventType(a Action) string {
	switch a {
	case Deleted:
		return event.TypeManifestDeleted
	case Invalidated:
		return event.TypeManifestInvalidated
	default:
		return event.TypeManifestApplied
	}
}

// said is what an event says of the object. No spec: names and numbers only.
func (c *change) said() *event.Manifest {
	m := c.next.Metadata
	return &event.Manifest{
		APIVersion: c.shape.apiVersion, Kind: c.shape.kind, Namespace: c.id.namespace, Name: c.id.name, UID: m.UID,
		Generation: m.Generation, ResourceVersion: m.ResourceVersion, Action: string(c.action), Labels: m.Labels,
	}
}
