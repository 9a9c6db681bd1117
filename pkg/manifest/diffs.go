package manifest

import (
	"context"
	"strings"
)

// Diff is what Apply would change, as unified diffs of YAML, one after the other; empty when nothing would change. Errors are
// those of Apply.
func (s *Store) Diff(ctx context.Context, text []byte) (string, error) {
	all, err := readAll(text)
	if err != nil {
		return "", err
	}
	return s.diff(ctx, all)
}

func (s *Store) diff(ctx context.Context, all []applied) (string, error) {
	ctx, end, err := s.begin(ctx)
	if err != nil {
		return "", err
	}
	defer end()
	p, err := s.planned(ctx, func(ctx context.Context, q querier) (*plan, error) { return s.planApply(ctx, q, all) })
	if err != nil {
		return "", s.why(ctx, err)
	}
	var b strings.Builder
	for _, c := range p.changes {
		if ctx.Err() != nil {
			return "", s.why(ctx, context.Cause(ctx))
		}
		var old Object
		if c.old != nil {
			old = c.old.as(c.shape)
		}
		b.WriteString(diffText(old, c.next))
	}
	return b.String(), nil
}
