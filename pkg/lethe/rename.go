package lethe

import (
	"context"
	"crypto/sha256"
	"maps"

	"github.com/google/uuid"

	"github.com/lethe-cache/lethe/pkg/event"
)

// A rolling rename: replicas of the old version know one name of a function, those of the new version both (WithFormerName). A node
// that knows both says whatever it publishes about one of them about the other too.

// otherName is the second name of a function that has one, else empty.
func (fs *functions) otherName(name string) string {
	f := fs.find(name)
	switch {
	case f == nil:
		return ""
	case f.former == name:
		return f.name
	}
	return f.former
}

// underAllNames returns targets and, of functions with a former name, the same under the other name.
func (n *Node) underAllNames(targets []event.Target) []event.Target {
	if !n.functions.renamed.Load() {
		return targets
	}
	all := targets[:len(targets):len(targets)]
	for _, t := range targets {
		if other := n.functions.otherName(t.Name()); other != "" && ofFunction(t) {
			all = append(all, t.Renamed(other))
		}
	}
	return all
}

func ofFunction(t event.Target) bool {
	return t.Scope() == event.ScopeKey || t.Scope() == event.ScopeFunction
}

// published are events as Publish sends them: with the cause that ctx names, and after each about a function with a former name the
// same under the other name.
func (n *Node) published(ctx context.Context, events []event.Event) []event.Event {
	id, receivers := event.CauseFrom(ctx)
	renamed := n.functions.renamed.Load()
	if !renamed && id+receivers == "" {
		return events
	}
	all := make([]event.Event, 0, 2*len(events))
	for _, e := range events {
		if e = event.Caused(ctx, e); e.ID == "" {
			e.ID = event.NewID()
		}
		all = append(all, e)
		if other, ok := n.counterpart(e); renamed && ok {
			all = append(all, other)
		}
	}
	return all
}

// counterpart is e about the other name of its function: an event of its own, since a subject may only speak of one function.
func (n *Node) counterpart(e event.Event) (event.Event, bool) {
	if e.Manifest != nil || len(e.Targets) == 0 || !ofFunction(e.Targets[0]) {
		return e, false
	}
	name := e.Targets[0].Name()
	other := n.functions.otherName(name)
	if other == "" {
		return e, false
	}
	targets := make([]event.Target, len(e.Targets))
	for i, t := range e.Targets {
		if targets[i] = t; t.Name() == name {
			targets[i] = t.Renamed(other)
		}
	}
	e.Targets = targets
	if e.Subject == name {
		e.Subject = "" // it is filled from the targets
	}
	if e.Extensions[event.AttributeCausation] == "" && len(e.ID) <= 512 {
		e.Extensions = maps.Clone(e.Extensions)
		if e.Extensions == nil {
			e.Extensions = make(map[string]string, 1)
		}
		e.Extensions[event.AttributeCausation] = e.ID
	}
	e.ID = derivedID(e.ID, other)
	return e, true
}

// derivedID is the same for the same id and name, on whichever node: a relay that publishes a row again is recognised by the
// server. It sorts by the time that the id has, if it is a UUIDv7.
func derivedID(id, name string) string {
	space, err := uuid.Parse(id)
	if err != nil {
		return uuid.NewHash(sha256.New(), uuid.NameSpaceURL, []byte(id+"\n"+name), 8).String()
	}
	derived := uuid.NewHash(sha256.New(), space, []byte(name), 8)
	if space.Version() == 7 {
		copy(derived[:6], space[:6])
		derived[6] = derived[6]&0x0f | 0x70
	}
	return derived.String()
}
