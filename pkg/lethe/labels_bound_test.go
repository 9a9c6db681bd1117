package lethe_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/lethe-cache/lethe/internal/depend"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

func deepTags(n int) []string {
	tags := make([]string, n)
	for i := range tags {
		tags[i] = fmt.Sprintf("fam%d:a%d/b/c/d%d", i%8, i/8, i)
	}
	return tags
}

// 64 tags of four levels, named by WithTags or by the loader, each with prefixes of its own: what touches others of their families
// leaves the entry alone, and each of them, and each boundary, makes it stale.
func TestAnEntryKeepsTheLabelsOf64Tags(t *testing.T) {
	t.Parallel()
	tags := deepTags(64)
	for name, opts := range map[string][]lethe.Option{"AddTags": nil, "WithTags": {lethe.WithTags(func(string, int) []string { return tags })}} {
		n, loads := one(t), 0
		f := lethe.Memoize(n, event.Name[string]("f"), func(ctx context.Context, _ string) (int, error) {
			if name == "AddTags" {
				lethe.AddTags(ctx, tags...)
			}
			loads++
			return loads, nil
		}, append(opts, lethe.WithoutHot())...)
		parent := lethe.Memoize(n, event.Name[string]("parent"), func(ctx context.Context, k string) (int, error) { return f.Get(ctx, k) })
		must[int](t)(parent.Get(t.Context(), "k"))
		for i := range 64 {
			n.Forget(event.Tag(fmt.Sprintf("fam%d:other", i%8)), event.TagPrefix(fmt.Sprintf("fam%d:a%d/b/x/", i%8, i/8)), event.Key("f", "other"), event.Function("g"))
		}
		must[int](t)(f.Get(t.Context(), "k"))
		must[int](t)(parent.Get(t.Context(), "k"))
		if loads != 1 {
			t.Errorf("%s: events about other tags of the families made it stale", name)
		}
		for i, tag := range tags {
			for _, target := range []event.Target{event.Tag(tag), event.TagPrefix(tag + "/"), event.TagPrefix(fmt.Sprintf("fam%d:a%d/b/c/", i%8, i/8)), event.TagPrefix(fmt.Sprintf("fam%d:", i%8))} {
				before := loads
				n.Forget(target)
				must[int](t)(parent.Get(t.Context(), "k"))
				if loads != before+1 {
					t.Fatalf("%s: %v passes by the entry or its parent", name, target)
				}
			}
		}
		x, err := n.Explain(t.Context(), f.Target("k"))
		if err != nil || x.Collapsed || metric(t, n, "lethe_loads_collapsed_total", "function", "f") != 0 {
			t.Errorf("%s: collapsed: %v, %v", name, x.Collapsed, err)
		}
	}
}

// Over the bound an entry is coarser, never wrong; it is counted and explain shows it.
func TestAnEntryOfTooManyLabelsIsCountedAndShown(t *testing.T) {
	t.Parallel()
	n, loads := one(t), 0
	tags := deepTags(depend.MaxLabels)
	f := lethe.Memoize(n, event.Name[string]("f"), func(ctx context.Context, _ string) (int, error) {
		loads++
		lethe.AddTags(ctx, tags...)
		return loads, nil
	})
	parent := lethe.Memoize(n, event.Name[string]("parent"), func(ctx context.Context, k string) (int, error) { return f.Get(ctx, k) })
	must[int](t)(parent.Get(t.Context(), "k"))
	for name, target := range map[string]event.Target{"f": f.Target("k"), "parent": parent.Target("k")} {
		if x, err := n.Explain(t.Context(), target); err != nil || !x.Collapsed {
			t.Errorf("explain %s: collapsed: %v, %v", name, x.Collapsed, err)
		}
		if got := metric(t, n, "lethe_loads_collapsed_total", "function", name); got != 1 {
			t.Errorf("%s: %v were counted as collapsed", name, got)
		}
	}
	for _, target := range []event.Target{event.Tag(tags[0]), event.Tag("fam1:other"), event.TagPrefix(tags[9] + "/")} {
		before := loads
		n.Forget(target)
		must[int](t)(parent.Get(t.Context(), "k"))
		if loads != before+1 {
			t.Errorf("%v passes by a collapsed entry", target)
		}
	}
}
