package manifest

import (
	"context"
	"maps"
	"slices"
)

// relied is what a plan was made from and does not write, with the versions it was read at (0 = it was not there): the stored
// kinds of its objects, the objects that stay as they are, and those that are only announced. With all, it is also what is to be
// written. A write checks that by itself.
func (p *plan) relied(all bool) map[ident]int64 {
	want := make(map[ident]int64, len(p.kinds)+len(p.changes))
	for family, version := range p.kinds {
		want[ident{kindFamily, DefaultNamespace, family}] = version
	}
	for _, c := range p.changes {
		if !all && c.action != Unchanged && c.action != Invalidated {
			continue
		}
		want[c.id] = 0
		if c.old != nil {
			want[c.id] = c.old.version
		}
	}
	return want
}

// stands says errMoved when what a plan was made from is not there any more as it was read. It reads all of it in one statement:
// what stands, stood at one moment. In a transaction that has locked it, it stands until COMMIT. A plan that writes nothing and was
// made from one row needs no such check.
func (p *plan) stands(ctx context.Context, q querier, all bool) error {
	want := p.relied(all)
	if len(want) == 0 || len(want) == 1 && p.idle() {
		return nil
	}
	have, err := versions(ctx, q, want)
	if err != nil {
		return err
	}
	for id, version := range want {
		if have[id] != version {
			return errMoved
		}
	}
	return nil
}

// versions reads, in one statement, at which versions objects are; one that is not there is left out.
func versions(ctx context.Context, q querier, of map[ident]int64) (map[ident]int64, error) {
	query, args := withRows("SELECT family, namespace, name, version FROM lethe_manifests WHERE (family, namespace, name) IN (VALUES ", "", slices.Collect(maps.Keys(of)), ")")
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, broken(err)
	}
	defer func() { _ = rows.Close() }()
	have := make(map[ident]int64, len(of))
	for rows.Next() {
		var (
			id      ident
			version int64
		)
		if err := rows.Scan(&id.family, &id.namespace, &id.name, &version); err != nil {
			return nil, broken(err)
		}
		have[id] = version
	}
	return have, broken(rows.Err())
}

// planned is a plan of which all that it was made from stood at one moment; it is not carried out.
func (s *Store) planned(ctx context.Context, replan planner) (*plan, error) {
	for range mostTries {
		p, err := apart(ctx, s, func(ctx context.Context) (*plan, error) { return replan(ctx, s.db.read) })
		if err != nil {
			return nil, err
		}
		if err := p.stands(ctx, s.db.read, true); err != errMoved { //nolint:errorlint // it is never wrapped there
			return p, err
		}
	}
	return nil, gaveUp(errMoved)
}
