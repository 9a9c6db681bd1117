package main

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/lethe-cache/lethe/cmd/internal/ctl"
	"github.com/lethe-cache/lethe/cmd/internal/desk"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

// words adapts a memoized function whose arguments are all text.
type words struct {
	name string
	args []string // what they are called
	read func(ctx context.Context, args []string) (answer, error)
	key  func(ctx context.Context, args []string) (event.Target, error)
}

func (f words) lookup(ctx context.Context, args []json.RawMessage) (answer, error) {
	texts, err := f.texts(args)
	if err != nil {
		return answer{}, err
	}
	return f.read(ctx, texts)
}

func (f words) target(ctx context.Context, args []json.RawMessage) (event.Target, error) {
	texts, err := f.texts(args)
	if err != nil {
		return event.Target{}, err
	}
	t, err := f.key(ctx, texts)
	if err != nil {
		return t, err
	}
	return t, t.Err()
}

func (f words) texts(args []json.RawMessage) ([]string, error) {
	if len(args) != len(f.args) {
		return nil, bad(http.StatusUnprocessableEntity, "args", "%s takes %d arguments %q, got %d", f.name, len(f.args), f.args, len(args))
	}
	texts := make([]string, len(args))
	for i, raw := range args {
		if err := json.Unmarshal(raw, &texts[i]); err != nil {
			return nil, bad(http.StatusUnprocessableEntity, "args", "%s of %s: %v", f.args[i], f.name, err)
		}
	}
	return texts, nil
}

// functions are the memoized functions over manifests, as HTTP callers see them. A kind may be called by any of its names.
func (m *manifests) functions() map[string]function {
	return map[string]function{
		string(desk.GetName): words{
			string(desk.GetName),
			[]string{"kind", "namespace", "name"},
			func(ctx context.Context, a []string) (answer, error) {
				return answerOf(m.Lookup(ctx, ctl.Name{Kind: a[0], Namespace: a[1], Name: a[2]}))
			},
			func(ctx context.Context, a []string) (event.Target, error) {
				return m.Key(ctx, ctl.Name{Kind: a[0], Namespace: a[1], Name: a[2]})
			},
		},
		string(desk.ListName): words{
			string(desk.ListName),
			[]string{"kind", "namespace"},
			func(ctx context.Context, a []string) (answer, error) { return answerOf(m.LookupList(ctx, a[0], a[1])) },
			func(ctx context.Context, a []string) (event.Target, error) { return m.ListKey(ctx, a[0], a[1]) },
		},
		string(desk.KindName): words{
			string(desk.KindName),
			[]string{"name"},
			func(ctx context.Context, a []string) (answer, error) { return answerOf(m.Named(ctx, a[0])) },
			func(_ context.Context, a []string) (event.Target, error) { return m.KindKey(a[0]), nil },
		},
	}
}

func answerOf[V any](r lethe.Result[V], err error) (answer, error) {
	if err != nil {
		return answer{}, from(r, err)
	}
	return answer{r.Value, r.Cache, r.Tier, r.Age.Milliseconds()}, nil
}
