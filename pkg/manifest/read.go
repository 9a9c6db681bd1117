package manifest

import (
	"context"

	"github.com/lethe-cache/lethe/internal/depend"
)

// Get reads an object; kind is a kind, its plural or a short name, in any case. An empty namespace is [DefaultNamespace].
// [ErrNotFound] when there is no such object, or no such kind.
//
// A memoized function that passes its ctx depends on what it reads here, also when there is nothing: the object, what it refers
// to, and a stored kind. It need not declare anything.
func (s *Store) Get(ctx context.Context, kind, namespace, name string) (Object, error) {
	ctx, end, err := s.begin(ctx)
	if err != nil {
		return Object{}, err
	}
	defer end()
	var o Object
	err = s.reading(ctx, func() error {
		sh, err := s.kindFor(ctx, kind)
		if err == nil {
			o, err = s.get(ctx, sh, namespace, name)
		}
		return err
	})
	return o, err
}

func (s *Store) get(ctx context.Context, sh *shape, namespace, name string) (Object, error) {
	id, err := identOf(sh, namespace, name)
	if err != nil {
		return Object{}, err // and always will be: nothing to depend on
	}
	depend.On(ctx, id.tag())
	r, err := find(ctx, s.db.read, id)
	if err != nil {
		return Object{}, err
	}
	if r == nil {
		return Object{}, s.notFound(&change{shape: sh, id: id})
	}
	o := r.as(sh)
	return o, dependOnReferences(ctx, sh, []Object{o})
}

// dependOnReferences records what objects that were read refer to: a change of that makes what is computed from them stale, even
// where its announcement does not name them.
func dependOnReferences(ctx context.Context, sh *shape, objects []Object) error {
	if f := depend.From(ctx); f == nil || f.Record == nil {
		return nil
	}
	seen := map[ident]bool{}
	for _, o := range objects {
		refs, err := sh.references(o)
		if err != nil {
			return of(o, err)
		}
		for _, r := range refs {
			if id := r.ident(); !seen[id] {
				seen[id] = true
				depend.On(ctx, id.tag())
			}
		}
	}
	return nil
}
