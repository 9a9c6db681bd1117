package manifest

import (
	"context"
	"database/sql"
	"slices"

	"github.com/lethe-cache/lethe/pkg/outbox"
)

// mostKnown bounds the stored objects of which is remembered what a kind that is applied says of them; the others are asked for in
// the transaction.
const mostKnown = 100_000

// acceptance is what a kind that is applied says of a stored object, asked before the transaction.
type acceptance struct {
	makes   *shape
	version int64
	refs    []Reference
	err     error
}

// rehearse finds what would be refused when the plan is carried out. It only reads, takes no turn and no lock, and what it finds
// out about stored objects spares the transaction to ask the kinds' functions.
func (w *writing) rehearse(ctx context.Context) error {
	q, ordered := w.db.read, w.plan.ordered()
	for _, c := range ordered {
		if c.makes == nil || c.action == Unchanged {
			continue
		}
		if err := w.namesFree(ctx, q, c); err != nil {
			return err
		}
		if err := w.sameGroup(ctx, q, c); err != nil {
			return err
		}
		refused, err := accept(ctx, q, c.makes, w.foresee(c), func(*record, []Reference, []ident) error { return nil })
		if err != nil {
			return err
		}
		if refused != nil {
			return of(c.next, &Error{Field: "spec", Reason: refused.Reason})
		}
	}
	return nil
}

// foresee asks a kind about stored objects, and remembers what it says. Objects that the same plan writes are left to their documents.
func (w *writing) foresee(c *change) asking {
	if w.known == nil {
		w.known = make(map[ident]acceptance)
	}
	written := make(map[ident]bool, len(w.plan.changes))
	for _, other := range w.plan.changes {
		written[other.id] = other.action != Unchanged
	}
	return func(r *record) ([]Reference, error) {
		id := r.ident(c.makes)
		if written[id] {
			return nil, errPassed
		}
		refs, err := c.makes.accepts(r)
		if len(w.known) < mostKnown {
			w.known[id] = acceptance{c.makes, r.version, refs, err}
		}
		return refs, err
	}
}

// foreseen is what foresee found, of objects that are still the same, and else what the kind says.
func (w *writing) foreseen(c *change) asking {
	return func(r *record) ([]Reference, error) {
		if k, ok := w.known[r.ident(c.makes)]; ok && k.version == r.version && k.makes == c.makes {
			return k.refs, k.err
		}
		return c.makes.accepts(r)
	}
}

// namesFree refuses a kind that would take a name of another; of one that the same plan writes the transaction will tell.
func (w *writing) namesFree(ctx context.Context, q querier, c *change) error {
	written := func(family string) bool {
		return slices.ContainsFunc(w.plan.changes, func(c *change) bool { return c.makes != nil && c.id.name == family && c.action != Unchanged })
	}
	for _, name := range allNames(c.makes) {
		owner, err := nameOwner(ctx, q, name)
		if err != nil {
			return err
		}
		if owner != "" && !written(owner) {
			return w.taken(ctx, q, c, name)
		}
	}
	return nil
}

// announceable finds what can't be announced, without writing it.
func (w *writing) announceable(ctx context.Context) error {
	events, err := w.announcement(ctx, w.db.read, w.plan.ordered())
	if err != nil {
		return err
	}
	_, err = outbox.AppendEvents(ctx, nowhere{}, events...)
	return cantAnnounce(err)
}

// nowhere is a transaction that writes nothing.
type nowhere struct{}

func (nowhere) ExecContext(context.Context, string, ...any) (sql.Result, error) { return nil, nil } //nolint:nilnil // nobody asks for the result
func (nowhere) Commit() error                                                   { return nil }
func (nowhere) Rollback() error                                                 { return nil }
