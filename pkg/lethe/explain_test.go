package lethe_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/lethe-cache/lethe/internal/depend"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
	"github.com/lethe-cache/lethe/pkg/lethe/lethetest"
)

func TestExplainSaysWhatIsCachedAndWhichEventTouchedItLast(t *testing.T) {
	t.Parallel()
	nodes := lethetest.Fleet(t, 2)
	b := newBook()
	child := lethe.Memoize(nodes[0], "child", b.load)
	f := lethe.Memoize(nodes[0], "f", func(ctx context.Context, k string) (int, error) {
		lethe.AddTags(ctx, "user:"+k)
		depend.On(ctx, "chatbot:acme/"+k) // as a store of manifests does
		return child.Get(ctx, k)
	})
	explain := func(target event.Target) lethe.Explanation {
		t.Helper()
		return must[lethe.Explanation](t)(nodes[0].Explain(t.Context(), target))
	}
	if x := explain(event.Key("nobody", 1)); x.Known || x.Cached {
		t.Fatalf("%+v", x)
	}
	if x := explain(f.Target("k")); !x.Known || x.Cached || x.Usable {
		t.Fatalf("%+v", x)
	}
	must[int](t)(f.Get(t.Context(), "k"))
	for _, tier := range []lethe.Tier{lethe.Hot, lethe.Bulk} {
		x := explain(f.Target("k"))
		if !x.Cached || !x.Usable || x.Tier != tier || x.Born == nil || x.Expires == nil || string(x.Args) != `["k"]` {
			t.Fatalf("%+v", x)
		}
		names := map[string]bool{}
		for _, l := range x.Labels {
			names[l.Label] = true
		}
		for _, want := range []string{`f["k"]`, "f", "tag/user:k", "prefix/user:", "tag/chatbot:acme/k", "prefix/chatbot:acme/", "child", "everything"} {
			if !names[want] {
				t.Errorf("no label %q in %v", want, names)
			}
		}
		lethe.DropHot(nodes[0])
	}
	ctx := event.WithReason(t.Context(), "user changed")
	tok := must[event.Token](t)(nodes[1].Invalidate(ctx, event.Tag("user:k")))
	lethetest.WaitAll(t, tok, nodes...)
	x := explain(f.Target("k"))
	if !x.Cached || x.Usable {
		t.Fatalf("%+v", x)
	}
	for _, l := range x.Labels {
		switch l.Label {
		case "tag/user:k":
			if !l.Invalidated || l.Touched == nil || l.Touched.Token != tok || l.Touched.Reason != "user changed" || l.Touched.Soft {
				t.Errorf("%+v, %+v", l, l.Touched)
			}
		default:
			if l.Invalidated {
				t.Errorf("%+v", l)
			}
		}
	}
	if _, err := json.Marshal(x); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []event.Target{event.Tag("user:k"), {}, event.Key("no name", 1)} {
		if _, err := nodes[0].Explain(t.Context(), bad); err == nil {
			t.Errorf("%v was explained", bad)
		}
	}
}

func TestFunctionsListsWhatIsMemoized(t *testing.T) {
	t.Parallel()
	n, b := one(t), newBook()
	f := lethe.Memoize(n, "b", b.load, lethe.WithFormerName("z"), lethe.WithHashedKeys())
	lethe.Memoize2(n, "a", func(context.Context, string, int) (int, error) { return 0, nil })
	must[int](t)(f.Get(t.Context(), "k"))
	got := n.Functions()
	if len(got) != 2 || got[0].Name != "a" || got[0].Args != 2 || got[1].Name != "b" || got[1].Former != "z" || !got[1].Hashed || got[1].Reads["miss"] != 1 {
		t.Fatalf("%+v", got)
	}
}
