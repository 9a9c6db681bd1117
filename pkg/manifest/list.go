package manifest

import (
	"context"
	"encoding/base64"
	"strings"

	"github.com/lethe-cache/lethe/internal/depend"
)

// Bounds of a list.
const (
	// DefaultLimit is how many objects a list has where no limit is given.
	DefaultLimit = 500
	// MaxLimit is the most that may be asked for.
	MaxLimit = 5000

	listPage  = 500       // rows read at a time
	listBytes = 32 << 20  // of specs and statuses: a list that has so many ends, and goes on with next
	listRows  = 50_000    // a selector looks at no more, and goes on with next
	listRead  = 128 << 20 // bytes of specs and statuses it looks at; the same
)

// List reads objects in the order of namespace and name; kind is any name of a kind, an empty namespace is all of them. A
// Selector is that of Kubernetes: "team=a,tier!=test,zone in (x, y),!draft". At most Limit objects come at a time (0 =
// [DefaultLimit], at most [MaxLimit]); next is what to pass as Continue for those after them, empty when there are none. Fewer
// come, even none, with a next: where they are large (32 MiB), and where a selector has looked at many (50,000 objects, or 128 MiB). A
// caller that wants all of them goes on until next is empty, or uses [Store.ListAll]. Pages are read one by one: an object that
// comes or goes between two of them may be missing.
//
// As with Get, a memoized function depends on what it lists, and on what those objects refer to.
func (s *Store) List(ctx context.Context, kind string, o ListOptions) (objects []Object, next string, err error) {
	ctx, end, err := s.begin(ctx)
	if err != nil {
		return nil, "", err
	}
	defer end()
	err = s.reading(ctx, func() error {
		sh, err := s.kindFor(ctx, kind)
		if err == nil {
			objects, next, err = s.list(ctx, sh, o)
		}
		return err
	})
	return objects, next, err
}

func (s *Store) list(ctx context.Context, sh *shape, o ListOptions) (objects []Object, next string, err error) {
	from, selected, err := o.check(sh)
	if err != nil {
		return nil, "", err
	}
	if o.Namespace != "" {
		depend.On(ctx, sh.family+":"+o.Namespace+"/*")
	} else {
		depend.On(ctx, sh.family+":*")
	}
	objects = []Object{}
	size, looked, read := 0, 0, 0
	for more := true; more && next == ""; {
		// One more than is missing, to know whether there is a next page; a selector leaves out nobody knows how many.
		rows := min(listPage, o.Limit+1-len(objects))
		if selected != nil {
			rows = listPage
		}
		var page []record
		if page, more, err = after(ctx, s.db.read, sh.family, o.Namespace, from, rows); err != nil {
			return nil, "", err
		}
		for i := range page {
			r := &page[i]
			bytes := len(r.Spec) + len(r.Status)
			if looked, read = looked+1, read+bytes; looked > listRows || read > listRead && looked > 1 {
				next = from.position()
				break
			}
			if selected != nil && !selected(r.Metadata.Labels) {
				from = r.ident(sh)
				continue
			}
			if len(objects) == o.Limit || size > listBytes {
				next = from.position()
				break
			}
			objects = append(objects, r.as(sh))
			size += bytes
			from = r.ident(sh)
		}
	}
	return objects, next, dependOnReferences(ctx, sh, objects)
}

// check fills the defaults and says where the list begins, and what it selects; nil = all.
func (o *ListOptions) check(sh *shape) (from ident, selected func(map[string]string) bool, err error) {
	from.family = sh.family
	var bad problems
	if o.Namespace != "" {
		bad.put(objectName("namespace", o.Namespace))
	}
	switch {
	case o.Limit == 0:
		o.Limit = DefaultLimit
	case o.Limit < 0 || o.Limit > MaxLimit:
		bad.add("limit", "is %d: use 1 to %d, or 0 for %d", o.Limit, MaxLimit, DefaultLimit)
	}
	if o.Selector = strings.TrimSpace(o.Selector); o.Selector != "" {
		if sel, err := parseSelector(o.Selector); err != nil {
			bad.put(err)
		} else {
			selected = sel.matches
		}
	}
	if o.Continue != "" {
		text, err := base64.RawURLEncoding.DecodeString(o.Continue)
		from.namespace, from.name, _ = strings.Cut(string(text), "/")
		if err != nil || objectName("", from.namespace) != nil || objectName("", from.name) != nil || o.Namespace != "" && o.Namespace != from.namespace {
			bad.add("continue", "%s is not what this list gave as its next page; begin without it", quote(o.Continue))
		}
	}
	return from, selected, each(bad.err(), func(e *Error) { e.Kind = sh.kind })
}

// position is what comes back as Continue.
func (i ident) position() string {
	return base64.RawURLEncoding.EncodeToString([]byte(i.namespace + "/" + i.name))
}

// after reads objects of a family, and of a namespace if one is given, that come after another: as many as most, or fewer where they
// are large. more says that there may be others after them.
func after(ctx context.Context, q querier, family, namespace string, from ident, most int) (page []record, more bool, err error) {
	args := []any{family, from.namespace, from.name, most}
	where := "family = $1 AND (namespace, name) > ($2, $3)"
	if namespace != "" {
		where = "family = $1 AND namespace = $5 AND (namespace, name) > ($2, $3)"
		args = append(args, namespace)
	}
	rows, err := q.QueryContext(ctx, "SELECT "+recordColumns+" FROM lethe_manifests WHERE "+where+" ORDER BY namespace, name LIMIT $4", args...)
	if err != nil {
		return nil, false, broken(err)
	}
	defer func() { _ = rows.Close() }()
	for size := 0; rows.Next(); {
		var r record
		if err := r.scan(rows.Scan); err != nil {
			return nil, false, broken(err)
		}
		size += len(r.Spec) + len(r.Status)
		if page = append(page, r); size > 2*listBytes {
			return page, true, nil
		}
	}
	return page, len(page) == most, broken(rows.Err())
}
