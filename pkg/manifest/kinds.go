package manifest

import (
	"cmp"
	"context"
	"slices"

	"github.com/lethe-cache/lethe/internal/depend"
)

// Kinds lists the kinds that can be applied here, by name: those of this program and those that are stored.
func (s *Store) Kinds(ctx context.Context) ([]KindInfo, error) {
	ctx, end, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	depend.On(ctx, kindFamily+":*")
	s.kinds.mu.RLock()
	shapes := slices.Clone(s.kinds.shapes)
	s.kinds.mu.RUnlock()
	for last := (ident{}); ; {
		page, more, err := after(ctx, s.db.read, kindFamily, "", last, listPage)
		if err != nil {
			return nil, s.why(ctx, err)
		}
		for i := range page {
			sh, err := s.kinds.shapeOf(&page[i])
			if err != nil {
				return nil, err
			}
			if !s.shadowed(sh) {
				shapes = append(shapes, sh)
			}
		}
		if !more || len(page) == 0 {
			break
		}
		last = ident{kindFamily, page[len(page)-1].Metadata.Namespace, page[len(page)-1].Metadata.Name}
	}
	all := make([]KindInfo, len(shapes))
	for i, sh := range shapes {
		all[i] = sh.info()
	}
	slices.SortFunc(all, func(a, b KindInfo) int { return cmp.Compare(a.Kind, b.Kind) })
	return all, nil
}

// Kind finds a kind by its name, its plural or a short name, in any case; [ErrNotFound].
func (s *Store) Kind(ctx context.Context, name string) (KindInfo, error) {
	ctx, end, err := s.begin(ctx)
	if err != nil {
		return KindInfo{}, err
	}
	defer end()
	sh, err := s.kindFor(ctx, name)
	if err != nil {
		return KindInfo{}, s.why(ctx, err)
	}
	return sh.info(), nil
}

func (s *shape) info() KindInfo {
	return KindInfo{
		APIVersion: s.apiVersion, Kind: s.kind, Plural: s.plural, ShortNames: slices.Clone(s.shortNames),
		Stored: s.version != "", Schema: slices.Clone(s.schema), StatusSchema: slices.Clone(s.statusSchema),
		Example: slices.Clone(s.example),
	}
}

// shadowed says whether a stored kind has a name of one that this program has registered, which wins here. That can be only
// where another program has stored the kind since.
func (s *Store) shadowed(sh *shape) bool {
	err := s.kinds.check(sh)
	if err == nil {
		return false
	}
	s.kinds.mu.Lock()
	_, told := s.kinds.shadowed[sh.family]
	s.kinds.shadowed[sh.family] = struct{}{}
	s.kinds.mu.Unlock()
	if !told {
		s.log.Warn("a stored kind clashes with one that this program has registered, which is used here", "kind", sh.kind, "error", err)
	}
	return true
}
