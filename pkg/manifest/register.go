package manifest

import (
	"context"
	"fmt"
)

// Register adds a kind to the store. It fails when the kind is not valid (its schema, its example, its names; a spec that JSON
// would lose a part of), when a name of it is taken, in this program or by a stored kind, and when objects are stored that it
// would refuse. It looks at all of them, so it takes as long as they are many. Kinds stay until the program ends.
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
	if err := accept(ctx, s.db.read, sh, func(r *record, refs []Reference) error { return s.mend(ctx, sh, r, refs) }); err != nil {
		return s.why(ctx, err)
	}
	return s.kinds.add(sh)
}

// mend writes what an object refers to under a kind that says so otherwise than the one it was applied with. An object that has
// changed since it was read is applied by somebody who has written that already.
func (s *Store) mend(ctx context.Context, sh *shape, r *record, refs []Reference) error {
	tx, err := s.db.write.BeginTx(ctx, &s.db.options)
	if err != nil {
		return broken(err)
	}
	defer func() { _ = tx.Rollback() }()
	c := change{shape: sh, id: r.ident(sh), old: r, action: Invalidated, refs: refs}
	if err := s.db.take(ctx, tx, (&plan{changes: []*change{&c}}).locks(false)); err != nil {
		return err
	}
	switch err := unmoved(ctx, tx, &c); {
	case err == errMoved: //nolint:errorlint // it is never wrapped there
		return nil
	case err != nil:
		return err
	}
	if err := writeReferences(ctx, tx, c.id, refs); err != nil {
		return err
	}
	return broken(tx.Commit())
}
