package manifest

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/lethe-cache/lethe/internal/document"
	"github.com/lethe-cache/lethe/pkg/event"
)

// applied is one manifest to apply: an object, and where it stood in its text.
type applied struct {
	object Object
	at     *document.Document // nil = it came from no text
	wrong  error              // what could not be read of it: it is checked further, and refused
	value  bool               // it is a Go value, which can't say fields that its type does not know

	ready atomic.Pointer[ready] // what was made of it last
}

// ready is a manifest as a kind wants it: checked, which takes long and is the same each time that a plan is made.
type ready struct {
	shape  *shape
	object Object
	makes  *shape // the kind that a manifest of kind Kind describes
}

// prepare has a kind check the manifest, once.
func (a *applied) prepare(ctx context.Context, sh *shape) (*ready, error) {
	if r := a.ready.Load(); r != nil && r.shape == sh {
		return r, nil
	}
	defer checking(ctx, a.object)()
	o, err := sh.prepare(a.object)
	if err := a.refused(err); err != nil {
		return nil, err
	}
	r := &ready{shape: sh, object: o}
	if sh.family == kindFamily {
		if r.makes, err = stored(o); err != nil {
			return nil, err
		}
	}
	a.ready.Store(r)
	return r, nil
}

// fail says which manifest an error is about.
func (a *applied) fail(err error) error {
	if err = of(a.object, err); err != nil && a.at != nil {
		err = inDocument(a.at, err)
	}
	return err
}

// refused is what is wrong with a manifest: what could not be read, and err, without what follows from that.
func (a *applied) refused(err error) error {
	if a.wrong == nil || err != nil && !refusal(err) {
		return err
	}
	return besides(a.wrong, err)
}

// readAll reads a text of manifests. What is wrong with one of them is said when it is planned, with all else that is.
func readAll(text []byte) ([]applied, error) {
	docs, err := document.Read(text)
	if err != nil {
		return nil, unread(err)
	}
	all := make([]applied, len(docs))
	for i := range docs {
		o, err := readObject(docs[i].JSON)
		all[i].object, all[i].at, all[i].wrong = o, &docs[i], err
	}
	return all, nil
}

// planApply reads what is there and works out what to change. It writes nothing, and may be asked again.
func (s *Store) planApply(ctx context.Context, q querier, all []applied) (*plan, error) {
	p := &plan{changes: make([]*change, len(all)), kinds: map[string]int64{}}
	var bad problems
	mine := map[string]*shape{} // kinds among the documents, which may come in any order
	for i := range all {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if all[i].object.Kind == "Kind" {
			c, err := s.planKind(ctx, &all[i], mine)
			p.changes[i] = c
			bad.put(all[i].fail(err))
		}
	}
	if err := bad.err(); err != nil {
		return nil, err
	}
	seen := map[ident]bool{}
	for i := range all {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if p.changes[i] == nil {
			c, err := s.planObject(ctx, q, &all[i], mine, p.kinds)
			if err = all[i].fail(err); err != nil {
				if !refusal(err) {
					return nil, err
				}
				bad.put(err)
				continue
			}
			p.changes[i] = c
		}
		c := p.changes[i]
		if seen[c.id] {
			bad.put(all[i].fail(&Error{Field: "metadata.name", Reason: "is applied twice in one call; leave one of the documents out"}))
		}
		seen[c.id] = true
		if err := s.planAgainst(ctx, q, c, &all[i]); err != nil {
			if !refusal(err) {
				return nil, err
			}
			bad.put(err)
		}
	}
	if err := bad.err(); err != nil {
		return nil, err
	}
	return p, nil
}

// planKind checks a manifest of kind Kind and makes the kind of it.
func (s *Store) planKind(ctx context.Context, a *applied, mine map[string]*shape) (*change, error) {
	sh := s.kinds.typedNamed(kindFamily)
	r, err := a.prepare(ctx, sh)
	if err != nil {
		return nil, err
	}
	o, makes := r.object, r.makes
	if err := s.kinds.check(makes); err != nil {
		return nil, err
	}
	if mine[makes.family] == nil { // one that comes twice is refused further down
		for _, other := range mine {
			if name := common(makes, other); name != "" {
				return nil, &Error{Field: "spec.names", Reason: fmt.Sprintf("%q is a name of the kind %s in another document", name, other.kind)}
			}
		}
	}
	mine[makes.family] = makes
	return &change{shape: sh, id: ident{kindFamily, o.Metadata.Namespace, o.Metadata.Name}, next: o, makes: makes}, nil
}

// planObject finds the kind of a manifest and has it checked.
func (s *Store) planObject(ctx context.Context, q querier, a *applied, mine map[string]*shape, used map[string]int64) (*change, error) {
	sh, err := s.kindToApply(ctx, q, a.object.Kind, mine, used)
	if err != nil {
		if refusal(err) { // nobody knows what its spec should be
			o := a.object
			o.Metadata.Namespace = cmp.Or(o.Metadata.Namespace, DefaultNamespace)
			err = errors.Join(err, of(o, o.Metadata.check()))
		}
		return nil, a.refused(err)
	}
	r, err := a.prepare(ctx, sh)
	if err != nil {
		return nil, err
	}
	o := r.object
	return &change{shape: sh, id: ident{sh.family, o.Metadata.Namespace, o.Metadata.Name}, next: o}, nil
}

// kindToApply takes a kind by its very name: a manifest says Chatbot, not bots.
func (s *Store) kindToApply(ctx context.Context, q querier, kind string, mine map[string]*shape, used map[string]int64) (*shape, error) {
	if kind == "" {
		return nil, &Error{Field: "kind", Reason: "is missing"}
	}
	sh := s.kinds.typedNamed(kind)
	if sh == nil {
		sh = mine[strings.ToLower(kind)]
	}
	if sh == nil {
		var (
			version int64
			err     error
		)
		if sh, version, err = s.storedNamed(ctx, q, kind); err != nil {
			return nil, err
		}
		if sh != nil && sh.kind == kind {
			used[sh.family] = version
		}
	}
	switch {
	case sh == nil:
		return nil, &Error{Field: "kind", Reason: quote(kind) + " is not known here; apply a manifest of kind Kind that describes it first"}
	case sh.kind != kind:
		return nil, &Error{Field: "kind", Reason: quote(kind) + " has to be written " + sh.kind}
	}
	return sh, nil
}

// planAgainst compares what is to be with what is there.
func (s *Store) planAgainst(ctx context.Context, q querier, c *change, a *applied) error {
	old, err := find(ctx, q, c.id)
	if err != nil {
		return err
	}
	c.old = old
	if err := precondition(&a.object.Metadata, old); err != nil {
		return a.fail(err)
	}
	if a.value && old != nil && c.shape.retain != nil {
		if c.next.Spec, err = c.shape.retain(old.Spec, c.next.Spec); err != nil {
			return a.fail(err)
		}
		if err := size(c.next); err != nil {
			return a.fail(err)
		}
	}
	m := &c.next.Metadata
	c.next.Status = nil
	if old == nil {
		c.action = Created
		m.UID, m.Generation, m.ResourceVersion, m.Created = event.NewID(), 1, "", time.Now().UTC().Truncate(time.Second)
	} else {
		c.action = Configured
		have := old.Metadata
		m.UID, m.Generation, m.ResourceVersion, m.Created = have.UID, have.Generation, have.ResourceVersion, have.Created
		c.next.Status = old.Status
		switch {
		case !sameSpec(&c.next, &old.Object):
			m.Generation++
		case sameMeta(&c.next, &old.Object):
			c.action = Unchanged
			return nil
		}
	}
	c.moved = true
	defer checking(ctx, c.next)()
	return a.fail(c.ask())
}

// precondition is what a manifest that was read before and comes back says of what it was read from.
func precondition(given *Metadata, old *record) error {
	switch {
	case given.ResourceVersion != "" && old == nil:
		return &Error{Field: "metadata.resourceVersion", Reason: fmt.Sprintf("is %s, but the object is gone; leave the field out to create it", clip(given.ResourceVersion)), Err: ErrConflict}
	case given.ResourceVersion != "" && given.ResourceVersion != old.Metadata.ResourceVersion:
		return &Error{Field: "metadata.resourceVersion", Reason: fmt.Sprintf("is %s, but the object is at %s by now; read it again and apply the change to that",
			clip(given.ResourceVersion), old.Metadata.ResourceVersion), Err: ErrConflict}
	case given.UID != "" && old == nil:
		return &Error{Field: "metadata.uid", Reason: "names an object that is gone; leave the field out to create another", Err: ErrConflict}
	case given.UID != "" && given.UID != old.Metadata.UID:
		return &Error{Field: "metadata.uid", Reason: fmt.Sprintf("is %s, but the object of this name is another one, %s", clip(given.UID), old.Metadata.UID), Err: ErrConflict}
	}
	return nil
}

// Apply creates or changes every manifest of a text, YAML or JSON, of any registered or stored kind: all or nothing. A manifest
// of kind Kind may stand beside objects of the kind it describes. Status is not part of it: what is given is ignored, what is
// stored stays. A resourceVersion or uid that is given has to be that of the stored object (ErrConflict); without one the last
// to apply wins. An object to which nothing changes is Unchanged: nothing is written and nothing announced for it, and it stays as
// it is until the others are written. So its resourceVersion guards all that is applied with it.
//
// The results come in the order of the documents, all with the ticket and the token of the one announcement. Apply waits up to
// a second, and no longer than ctx, for the token; without it the change is committed all the same and will be announced. An
// error means that nothing was written, but for [ErrUnknown].
func (s *Store) Apply(ctx context.Context, text []byte) ([]Result[json.RawMessage], error) {
	return s.apply(ctx, text, false)
}

// DryRun says what Apply would do now, and refuses what Apply would. It only reads, and waits for no change that is under way.
func (s *Store) DryRun(ctx context.Context, text []byte) ([]Result[json.RawMessage], error) {
	return s.apply(ctx, text, true)
}

func (s *Store) apply(ctx context.Context, text []byte, dry bool) ([]Result[json.RawMessage], error) {
	all, err := readAll(text)
	if err != nil {
		return nil, err
	}
	results, err := s.write(ctx, dry, func(ctx context.Context, q querier) (*plan, error) { return s.planApply(ctx, q, all) })
	if err != nil && !dry {
		err = s.refuse(ctx, verbApply, deniedOf(all), err)
	}
	return results, err
}
