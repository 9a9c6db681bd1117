package manifest

import (
	"context"
	"database/sql"
	"slices"
	"strconv"
	"strings"
)

// replaceReferences makes refs all that an object refers to.
func replaceReferences(ctx context.Context, tx *sql.Tx, from ident, refs []Reference) error {
	if _, err := tx.ExecContext(ctx, "DELETE FROM lethe_manifest_references WHERE from_family = $1 AND from_namespace = $2 AND from_name = $3",
		from.family, from.namespace, from.name); err != nil {
		return broken(err)
	}
	return addReferences(ctx, tx, from, targetsOf(refs))
}

// changeReferences writes what changes in what an object refers to: was is what its kind found in the object as it was stored. What
// stands there besides is left alone: another version of the kind has found it, which may run beside this one.
func changeReferences(ctx context.Context, tx *sql.Tx, from ident, was, refs []Reference) error {
	now := targetsOf(refs)
	gone := slices.DeleteFunc(targetsOf(was), func(id ident) bool { return slices.Contains(now, id) })
	for some := range slices.Chunk(gone, 64) {
		query, args := withRows("DELETE FROM lethe_manifest_references WHERE from_family = $1 AND from_namespace = $2 AND from_name = $3 "+
			"AND (to_family, to_namespace, to_name) IN (VALUES ", "", some, ")", from.family, from.namespace, from.name)
		if _, err := tx.ExecContext(ctx, query, args...); err != nil {
			return broken(err)
		}
	}
	return addReferences(ctx, tx, from, now)
}

// addReferences adds what is not there.
func addReferences(ctx context.Context, tx *sql.Tx, from ident, ids []ident) error {
	for some := range slices.Chunk(ids, 64) {
		query, args := withRows("INSERT INTO lethe_manifest_references (from_family, from_namespace, from_name, to_family, to_namespace, to_name) VALUES ",
			"$1, $2, $3, ", some, " ON CONFLICT DO NOTHING", from.family, from.namespace, from.name)
		if _, err := tx.ExecContext(ctx, query, args...); err != nil {
			return broken(err)
		}
	}
	return nil
}

// withRows is a statement with a row of three parameters for each of ids, each row beginning with the same text, and its arguments;
// those of the rows come after the first.
func withRows(before, begin string, ids []ident, end string, first ...any) (query string, args []any) {
	var b strings.Builder
	b.WriteString(before)
	args = first
	for i, id := range ids {
		if i > 0 {
			b.WriteString(", ")
		}
		n := len(args)
		b.WriteString("(" + begin + "$" + strconv.Itoa(n+1) + ", $" + strconv.Itoa(n+2) + ", $" + strconv.Itoa(n+3) + ")")
		args = append(args, id.family, id.namespace, id.name)
	}
	b.WriteString(end)
	return b.String(), args
}

// targetsOf is what references name, in order and each once.
func targetsOf(refs []Reference) []ident {
	ids := make([]ident, len(refs))
	for i, r := range refs {
		ids[i] = r.ident()
	}
	slices.SortFunc(ids, ident.compare)
	return slices.Compact(ids)
}

// readReferences is what the objects from first to last of a family refer to, as it was written.
func readReferences(ctx context.Context, q querier, first, last ident) (map[ident][]ident, error) {
	rows, err := q.QueryContext(ctx, "SELECT from_namespace, from_name, to_family, to_namespace, to_name FROM lethe_manifest_references "+
		"WHERE from_family = $1 AND (from_namespace, from_name) >= ($2, $3) AND (from_namespace, from_name) <= ($4, $5)",
		first.family, first.namespace, first.name, last.namespace, last.name)
	if err != nil {
		return nil, broken(err)
	}
	defer func() { _ = rows.Close() }()
	all := map[ident][]ident{}
	for rows.Next() {
		from, to := ident{family: first.family}, ident{}
		if err := rows.Scan(&from.namespace, &from.name, &to.family, &to.namespace, &to.name); err != nil {
			return nil, broken(err)
		}
		all[from] = append(all[from], to)
	}
	for _, to := range all {
		slices.SortFunc(to, ident.compare)
	}
	return all, broken(rows.Err())
}

// mostReferrers are announced one by one; of more, all of their kinds.
const mostReferrers = 1000

// referrers finds what refers to roots, directly or through others: a change of those makes them stale as well. Of too many it
// gives the families only.
//
// It must not miss a reference that is being written at the same time:
//
//  1. Chatbot c is applied and now refers to Plugin p; its transaction has not committed.
//  2. p is applied; who refers to it is looked up, and c is not seen.
//  3. c commits and is announced; a view of c is loaded, for which p was read as it was before.
//  4. p commits and is announced, without c: the view is stale for good.
//
// So 1 locks p, shared, and 2 locks it alone, each before it reads and until it commits; whoever comes second sees what the
// first has done. It does not matter whether p exists yet. Where p refers to a provider, 1 locks that one as well, and so on to
// the end (takeBelow): a change of the provider is one of p and of c. (A view that read c through this package has recorded the
// tag of p, too: read.go. That is a second defence, of one step.)
//
// Those that are known already are among them, as what refers to them is.
func referrers(ctx context.Context, q querier, roots, known []ident) (objects []ident, families []string, err error) {
	seen := make(map[ident]bool, len(roots)+len(known))
	for _, r := range roots {
		seen[r] = true
	}
	for _, id := range known {
		if !seen[id] {
			seen[id], objects = true, append(objects, id)
		}
	}
	for queue := slices.Concat(roots, objects); len(queue) > 0; queue = queue[1:] {
		found, err := referrersOf(ctx, q, queue[0])
		if err != nil {
			return nil, nil, err
		}
		for _, id := range found {
			if !seen[id] {
				seen[id] = true
				objects, queue = append(objects, id), append(queue, id)
			}
		}
		if len(found) > mostReferrers || len(objects) > mostReferrers {
			families, err = familiesAbove(ctx, q, append(objects, roots...))
			for _, id := range known {
				families = append(families, id.family)
			}
			slices.Sort(families)
			return nil, slices.Compact(families), err
		}
	}
	return objects, nil, nil
}

// referrersOf refer to one object; one more than are announced one by one are enough.
func referrersOf(ctx context.Context, q querier, to ident) ([]ident, error) {
	rows, err := q.QueryContext(ctx, "SELECT from_family, from_namespace, from_name FROM lethe_manifest_references "+
		"WHERE to_family = $1 AND to_namespace = $2 AND to_name = $3 LIMIT "+strconv.Itoa(mostReferrers+1), to.family, to.namespace, to.name)
	if err != nil {
		return nil, broken(err)
	}
	return idents(rows)
}

// idents reads rows of three names each, and closes them.
func idents(rows *sql.Rows) ([]ident, error) {
	defer func() { _ = rows.Close() }()
	var all []ident
	for rows.Next() {
		var id ident
		if err := rows.Scan(&id.family, &id.namespace, &id.name); err != nil {
			return nil, broken(err)
		}
		all = append(all, id)
	}
	return all, broken(rows.Err())
}

// familiesAbove are those with any object that refers to one of the families of ids, directly or through others.
func familiesAbove(ctx context.Context, q querier, ids []ident) ([]string, error) {
	var queue, found []string
	for _, id := range ids {
		if !slices.Contains(queue, id.family) {
			queue = append(queue, id.family)
		}
	}
	asked := map[string]bool{}
	for ; len(queue) > 0; queue = queue[1:] {
		if asked[queue[0]] {
			continue
		}
		asked[queue[0]] = true
		above, err := column(ctx, q, "SELECT DISTINCT from_family FROM lethe_manifest_references WHERE to_family = $1", queue[0])
		if err != nil {
			return nil, err
		}
		queue = append(queue, above...)
		found = append(found, above...)
	}
	return found, nil
}

// column reads one column of text.
func column(ctx context.Context, q querier, query string, args ...any) ([]string, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, broken(err)
	}
	defer func() { _ = rows.Close() }()
	var all []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, broken(err)
		}
		all = append(all, s)
	}
	return all, broken(rows.Err())
}
