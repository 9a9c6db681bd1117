package lethe_test

import (
	"context"
	"slices"
	"testing"

	"github.com/google/uuid"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
	"github.com/lethe-cache/lethe/pkg/lethe/lethetest"
)

// Replicas of three versions of a program: the first knows the old name, the second both, the third the new one.
func TestARenamedFunctionIsForgottenByReplicasOfEveryVersion(t *testing.T) {
	t.Parallel()
	nodes := lethetest.Fleet(t, 3)
	b := newBook()
	const before, after event.Name[string] = "catalog.old", "catalog.new"
	fs := []*lethe.Func[string, int]{
		lethe.Memoize(nodes[0], before, b.load),
		lethe.Memoize(nodes[1], after, b.load, lethe.WithFormerName(string(before))),
		lethe.Memoize(nodes[2], after, b.load),
	}
	n := nodes[1]
	published := func(ts ...event.Target) func(context.Context) (event.Token, error) {
		return func(ctx context.Context) (event.Token, error) {
			return n.Publish(ctx, event.Event{ID: event.NewID(), Source: "/relay", Targets: ts})
		}
	}
	invalidated := func(ts ...event.Target) func(context.Context) (event.Token, error) {
		return func(ctx context.Context) (event.Token, error) { return n.Invalidate(ctx, ts...) }
	}
	for what, say := range map[string]func(context.Context) (event.Token, error){
		"Node.Invalidate of the new name":     invalidated(after.Key("k")),
		"Node.Invalidate of the old name":     invalidated(before.Key("k")),
		"Node.Invalidate of Func.Target":      invalidated(fs[1].Target("k")),
		"Node.Invalidate of the new function": invalidated(event.Tag("x:1"), event.Function("catalog.new")),
		"Node.Invalidate of the old function": invalidated(event.Function("catalog.old")),
		"Node.Publish of the new name":        published(after.Key("other"), after.Key("k")),
		"Node.Publish of the old name":        published(before.Key("k")),
		"Node.Publish of the new function":    published(after.All()),
		"Func.Invalidate":                     func(ctx context.Context) (event.Token, error) { return fs[1].Invalidate(ctx, "k") },
		"Func.InvalidateAll":                  func(ctx context.Context) (event.Token, error) { return fs[1].InvalidateAll(ctx) },
	} {
		for _, f := range fs {
			must[int](t)(f.Get(t.Context(), "k"))
		}
		lethetest.WaitAll(t, must[event.Token](t)(say(t.Context())), nodes...)
		for i, f := range fs {
			if _, ok := f.Peek(t.Context(), "k"); ok {
				t.Errorf("%s: version %d still has it", what, i+1)
			}
		}
	}
}

// A relay publishes a row again when it does not know whether it was stored: the server has to recognise both events by their ids, from
// whichever node.
func TestAnEventPublishedAgainIsStoredOnceUnderBothNames(t *testing.T) {
	t.Parallel()
	nodes := lethetest.Fleet(t, 2)
	b := newBook()
	for _, n := range nodes {
		lethe.Memoize(n, "catalog.new", b.load, lethe.WithFormerName("catalog.old"))
	}
	all := hear(t, nodes[0], "all")
	for _, id := range []string{event.NewID(), "row 17"} {
		e := event.Event{ID: id, Source: "/relay", Reason: "prices", Targets: []event.Target{event.Key("catalog.new", "k"), event.Key("catalog.new", "l").Soft()}}
		first := must[event.Token](t)(nodes[0].Publish(t.Context(), e))
		if again := must[event.Token](t)(nodes[1].Publish(t.Context(), e)); again != first {
			t.Errorf("%s is stored again, as %v after %v", id, again, first)
		}
		heard := []event.Event{take(t, "an event", all), take(t, "its counterpart", all)}
		slices.SortFunc(heard, func(a, b event.Event) int { return len(a.Extensions) - len(b.Extensions) })
		if heard[0].ID != id || heard[0].Targets[0] != e.Targets[0] || heard[0].Subject != "" {
			t.Errorf("%+v is not %+v", heard[0], e)
		}
		other := heard[1]
		if uuid.Validate(other.ID) != nil || other.ID == id || other.Extensions["causationid"] != id || other.Reason != "prices" ||
			!slices.Equal(other.Targets, []event.Target{event.Key("catalog.old", "k"), event.Key("catalog.old", "l").Soft()}) {
			t.Errorf("%+v is not %s under the old name", other, id)
		}
	}
	sayLast(t, nodes[0])
	if rest := history(t, all); len(rest) > 0 {
		t.Errorf("and more events: %+v", rest)
	}
}
