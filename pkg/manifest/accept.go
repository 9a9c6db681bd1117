package manifest

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// acceptPage is how many stored objects are read at a time, when a kind is new to them.
const acceptPage = 100

// acceptNamed objects are named by the error that refuses a kind for their sake.
const acceptNamed = 5

// asking has a kind say what is wrong with a stored object, and what it refers to; errPassed where that is not asked.
type asking func(*record) ([]Reference, error)

var errPassed = errors.New("manifest: not asked")

// accept asks a kind whether it takes the objects that are stored already, all of them, a page at a time. What an object refers
// to may be another thing under the new kind: differs is called for each of those, with what it refers to now and what is written.
// What is refused comes back as one error that names the first.
func accept(ctx context.Context, q querier, sh *shape, ask asking, differs func(r *record, refs []Reference, have []ident) error) (refused *Error, err error) {
	var (
		bad  []error
		more int
		last ident
	)
	for {
		page, _, err := after(ctx, q, sh.family, "", last, acceptPage)
		if err != nil {
			return nil, err
		}
		if len(page) == 0 {
			break
		}
		last = page[len(page)-1].ident(sh)
		have, err := readReferences(ctx, q, page[0].ident(sh), last)
		if err != nil {
			return nil, err
		}
		for i := range page {
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			checked := checking(ctx, page[i].as(sh))
			refs, err := ask(&page[i])
			checked()
			switch {
			case errors.Is(err, errPassed):
			case err != nil && len(bad) < acceptNamed:
				bad = append(bad, err)
			case err != nil:
				more++
			case !slices.Equal(targetsOf(refs), have[page[i].ident(sh)]):
				if err := differs(&page[i], refs, have[page[i].ident(sh)]); err != nil {
					return nil, err
				}
			}
		}
	}
	if len(bad) == 0 {
		return nil, nil
	}
	text := make([]string, len(bad))
	for i, err := range bad {
		text[i] = strings.TrimPrefix(err.Error(), "manifest: ")
	}
	reason := fmt.Sprintf("would refuse %d objects that are stored; change the kind, or these first: %s", len(bad)+more, strings.Join(text, "; "))
	if more > 0 {
		reason += fmt.Sprintf("; and %d more", more)
	}
	return &Error{Kind: sh.kind, Reason: reason}, nil
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
	if s.reports != nil {
		if _, err := s.reported(o.Status); err != nil {
			return nil, of(o, err)
		}
	}
	if _, err := s.stale(o); err != nil {
		return nil, err
	}
	return s.references(o)
}

// acceptStored refuses a kind that would refuse objects that are stored. Nobody can write objects of the kind meanwhile: they
// would have to lock it. An object that refers to something else by the kind counts as changed: it is announced, with what refers to
// it. Before that is written, what it refers to is locked to the end of the chain, as for an object that is applied (references.go).
func (w *writing) acceptStored(ctx context.Context, tx *sql.Tx, c *change) error {
	if c.makes == nil || c.action == Unchanged {
		return nil
	}
	if err := w.sameGroup(ctx, tx, c); err != nil {
		return err
	}
	refused, err := accept(ctx, tx, c.makes, w.foreseen(c), func(r *record, refs []Reference, _ []ident) error {
		id, l := r.ident(c.makes), locks{}
		for _, ref := range refs {
			l.shared(ref.ident())
		}
		if err := w.more(ctx, tx, l); err != nil {
			return err
		}
		if err := w.takeBelow(ctx, tx, targetsOf(refs)); err != nil {
			return err
		}
		if len(w.mended) <= mostReferrers { // of more, all of the kind is announced
			w.mended = append(w.mended, id)
		}
		return replaceReferences(ctx, tx, id, refs)
	})
	if refused != nil && err == nil {
		return of(c.next, &Error{Field: "spec", Reason: refused.Reason})
	}
	return err
}

// sameGroup refuses a kind that takes over the objects of another API group: they are somebody else's, whose own files would be
// refused from then on. Another version of the same group may.
func (w *writing) sameGroup(ctx context.Context, tx querier, c *change) error {
	if c.old == nil {
		return nil
	}
	var had kindSpec
	if err := json.Unmarshal(c.old.Spec, &had); err != nil {
		return of(c.next, because("spec", "the stored kind can't be read", err))
	}
	if group(had.APIVersion) == group(c.makes.apiVersion) {
		return nil
	}
	some, _, err := after(ctx, tx, c.makes.family, "", ident{}, 1)
	if err != nil || len(some) == 0 {
		return err
	}
	return of(c.next, &Error{Field: "spec.apiVersion", Reason: fmt.Sprintf("is %s, but the kind is that of %s, which has objects; use another name for the kind, or delete the objects first",
		quote(c.makes.apiVersion), quote(had.APIVersion))})
}

// group of an apiVersion; empty for a version alone.
func group(apiVersion string) string {
	group, _, found := strings.Cut(apiVersion, "/")
	if !found {
		return ""
	}
	return group
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

func (w *writing) taken(ctx context.Context, tx querier, c *change, name string) error {
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
