package manifest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// acceptPage is how many stored objects are read at a time, when a kind is new to them.
const acceptPage = 100

// acceptNamed objects are named by the error that refuses a kind for their sake.
const acceptNamed = 5

// accept asks a kind whether it takes the objects that are stored already, all of them, a page at a time. What an object refers
// to may be another thing under the new kind: mended is called for each of those. The error names the first that are refused.
func accept(ctx context.Context, q querier, sh *shape, mended func(r *record, refs []Reference) error) error {
	var (
		bad  []error
		more int
		last ident
	)
	for {
		page, _, err := after(ctx, q, sh.family, "", last, acceptPage)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			break
		}
		last = page[len(page)-1].ident(sh)
		have, err := readReferences(ctx, q, page[0].ident(sh), last)
		if err != nil {
			return err
		}
		for i := range page {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			refs, err := sh.accepts(&page[i])
			switch {
			case err != nil && len(bad) < acceptNamed:
				bad = append(bad, err)
			case err != nil:
				more++
			case !slices.Equal(targetsOf(refs), have[page[i].ident(sh)]):
				if err := mended(&page[i], refs); err != nil {
					return err
				}
			}
		}
	}
	if len(bad) == 0 {
		return nil
	}
	text := make([]string, len(bad))
	for i, err := range bad {
		text[i] = strings.TrimPrefix(err.Error(), "manifest: ")
	}
	reason := fmt.Sprintf("would refuse %d objects that are stored; change the kind, or these first: %s", len(bad)+more, strings.Join(text, "; "))
	if more > 0 {
		reason += fmt.Sprintf("; and %d more", more)
	}
	return &Error{Kind: sh.kind, Reason: reason}
}

func (r *record) ident(sh *shape) ident {
	return ident{sh.family, r.Metadata.Namespace, r.Metadata.Name}
}

// accepts says what is wrong with a stored object under this kind, and what it refers to. It is not changed by it: defaults that
// are new fill what is applied from now on.
func (s *shape) accepts(r *record) ([]Reference, error) {
	o := r.as(s)
	if _, err := s.prepare(o); err != nil {
		return nil, err
	}
	if _, err := s.stale(o); err != nil {
		return nil, err
	}
	return s.references(o)
}

// acceptStored refuses a kind that would refuse objects that are stored. Nobody can write objects of the kind meanwhile: they
// would have to lock it.
func (w *writing) acceptStored(ctx context.Context, tx *sql.Tx, c *change) error {
	if c.makes == nil || c.action == Unchanged {
		return nil
	}
	err := accept(ctx, tx, c.makes, func(r *record, refs []Reference) error {
		l := locks{}
		for _, ref := range refs {
			l.shared(ref.ident())
		}
		if err := w.db.take(ctx, tx, l); err != nil {
			return err
		}
		return writeReferences(ctx, tx, r.ident(c.makes), refs)
	})
	if e := (*Error)(nil); errors.As(err, &e) {
		return of(c.next, &Error{Field: "spec", Reason: e.Reason, Err: e.Err})
	}
	return err
}

// putNames makes the names of a kind its own, or, with the kind, nobody's.
func (w *writing) putNames(ctx context.Context, tx *sql.Tx, c *change) error {
	if _, err := tx.ExecContext(ctx, "DELETE FROM lethe_manifest_names WHERE family = $1", c.id.name); err != nil {
		return broken(err)
	}
	if c.action == Deleted {
		return w.noObjects(ctx, tx, c)
	}
	for _, name := range allNames(c.makes) {
		mine, err := one(tx.ExecContext(ctx, "INSERT INTO lethe_manifest_names (name, family) VALUES ($1, $2) ON CONFLICT DO NOTHING", name, c.id.name))
		if err != nil {
			return err
		}
		if !mine {
			return w.taken(ctx, tx, c, name)
		}
	}
	return nil
}

func (w *writing) taken(ctx context.Context, tx *sql.Tx, c *change, name string) error {
	owner, err := nameOwner(ctx, tx, name)
	if err != nil {
		return err
	}
	return of(c.next, &Error{Field: "spec.names", Reason: fmt.Sprintf("%q is a name of the kind %s already; use another", name, owner)})
}

// nameOwner is the stored kind of a name, in lower case; empty when there is none.
func nameOwner(ctx context.Context, q querier, name string) (string, error) {
	owners, err := column(ctx, q, "SELECT family FROM lethe_manifest_names WHERE name = $1", name)
	if len(owners) == 0 {
		return "", err
	}
	return owners[0], err
}
