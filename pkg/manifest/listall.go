package manifest

import "context"

// Bounds of [Store.ListAll].
const (
	// MaxListAll is the most objects it returns.
	MaxListAll = 100_000

	listAllBytes = 256 << 20 // of their specs and statuses
)

// ListAll reads all objects that a list would give page after page, from o.Continue on: every one of them, or an error. More than
// [MaxListAll] of them, or 256 MiB, are refused. o.Limit is how many are read at a time (0 = [MaxLimit]). It is what a memoized
// function should use that needs all of them: one that reads a page and does not look at next remembers a part as the whole.
func (s *Store) ListAll(ctx context.Context, kind string, o ListOptions) ([]Object, error) {
	return allPages(kind, o, func(o ListOptions) ([]Object, string, error) { return s.List(ctx, kind, o) })
}

// ListAll reads all objects; see [Store.ListAll].
func (b *Broker[S]) ListAll(ctx context.Context, o ListOptions) ([]Manifest[S], error) {
	objects, err := allPages(b.shape.kind, o, func(o ListOptions) ([]Object, string, error) { return b.list(ctx, o) })
	if err != nil {
		return nil, err
	}
	return b.decodeAll(objects)
}

// allPages reads page after page.
func allPages(kind string, o ListOptions, page func(ListOptions) ([]Object, string, error)) (all []Object, err error) {
	if o.Limit == 0 {
		o.Limit = MaxLimit
	}
	bytes := 0
	for {
		some, next, err := page(o)
		if err != nil {
			return nil, err
		}
		for i := range some {
			bytes += len(some[i].Spec) + len(some[i].Status)
		}
		if all = append(all, some...); len(all) > MaxListAll || bytes > listAllBytes {
			return nil, &Error{Kind: kind, Reason: tooMany}
		}
		if next == "" {
			return all, nil
		}
		o.Continue = next
	}
}

const tooMany = "there are more than 100,000 objects, or 256 MiB of them: choose some by a namespace or a selector, or read them page by page with List"
