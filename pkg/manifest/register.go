package manifest

import (
	"context"
	"fmt"
	"slices"
)

// Register adds a kind to the store. It fails when the kind is not valid (its schema, its example, its names; a spec that JSON
// would lose a part of), and when a name of it is taken, in this program or by a stored kind. Kinds stay until the program ends.
//
// Objects may be stored that it would refuse: another version of the program, which may run beside this one for the length of a
// deploy, has applied them. That is logged. They can be read as far as JSON allows, and applying them is refused by field. Register
// looks at all objects, so it takes as long as they are many. What they refer to by this version is added to what is written, as
// if they had been applied; nothing that another version wrote is taken away.
//
// The functions of a kind are called by several goroutines at a time, and before anything is locked as a rule. They may read
// from the store; they must not write to it.
func Register[S any](ctx context.Context, s *Store, k Kind[S]) (*Broker[S], error) {
	sh, err := typed(k, s.log)
	if err != nil {
		return nil, err
	}
	if err := s.register(ctx, sh); err != nil {
		return nil, err
	}
	return &Broker[S]{store: s, shape: sh}, nil
}

func (s *Store) register(ctx context.Context, sh *shape) error {
	ctx, end, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer end()
	if err := s.kinds.check(sh); err != nil {
		return each(err, func(e *Error) { e.Kind, e.Field = sh.kind, "names" })
	}
	for _, name := range allNames(sh) {
		owner, err := nameOwner(ctx, s.db.read, name)
		if err != nil {
			return s.why(ctx, err)
		}
		if owner != "" {
			return &Error{Kind: sh.kind, Field: "names", Reason: fmt.Sprintf("%q is a name of the stored kind %s; delete that one, or use another name", name, owner)}
		}
	}
	refused, err := accept(ctx, s.db.read, sh, sh.accepts, func(r *record, refs []Reference, have []ident) error {
		if !slices.ContainsFunc(targetsOf(refs), func(id ident) bool { return !slices.Contains(have, id) }) {
			return nil
		}
		return s.mend(ctx, sh, r.ident(sh))
	})
	if err != nil {
		return s.why(ctx, err)
	}
	if refused != nil {
		s.log.Warn("manifest: objects are stored that this version of their kind can't apply again; another version of the program has written them, or "+
			"the kind has become stricter", "kind", sh.kind, "error", refused.Reason)
	}
	return s.kinds.add(sh)
}

// mend adds what an object refers to under a kind that finds more in it than the one it was applied with, and announces that. It is a
// write like any other: what it refers to is locked to the end of the chain.
func (s *Store) mend(ctx context.Context, sh *shape, id ident) error {
	w := &writing{Store: s, replan: func(ctx context.Context, q querier) (*plan, error) {
		old, err := find(ctx, q, id)
		if err != nil || old == nil {
			return &plan{}, err
		}
		c := &change{shape: sh, id: id, action: Invalidated, old: old, next: old.as(sh), adds: true}
		if c.refs, err = sh.references(c.next); err != nil {
			return nil, of(c.next, err)
		}
		return &plan{changes: []*change{c}}, c.ask()
	}}
	switch err := w.run(ctx); {
	case refusal(err): // it was applied meanwhile, by a version that finds something else in it
		s.log.Warn("manifest: what an object refers to can't be read by this version of its kind", "kind", sh.kind, "error", err)
		return nil
	default:
		return err
	}
}
