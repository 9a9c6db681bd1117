package lethe_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
	"github.com/lethe-cache/lethe/pkg/lethe/lethetest"
)

func TestATagForgetsWhatCarriesItAndNothingElse(t *testing.T) {
	t.Parallel()
	nodes := lethetest.Fleet(t, 2)
	b := newBook()
	byOption := lethe.Memoize(nodes[1], "a", b.load,
		lethe.WithTags(func(k string, _ int) []string { return []string{"user:" + k} }))
	byLoader := lethe.Memoize(nodes[1], "b", func(ctx context.Context, k string) (int, error) {
		lethe.AddTags(ctx, "user:"+k, "team:red/"+k)
		return b.load(ctx, k)
	}, lethe.WithoutHot())
	for _, tc := range []struct {
		target event.Target
		a, b   []string // what is forgotten, of 1, 2 and 1/x
	}{
		{event.Tag("user:1"), []string{"1"}, []string{"1"}},
		{event.Tag("user:"), nil, nil},
		{event.TagPrefix("user:1/"), []string{"1", "1/x"}, []string{"1", "1/x"}},
		{event.TagPrefix("user:"), []string{"1", "2", "1/x"}, []string{"1", "2", "1/x"}},
		{event.TagPrefix("team:red/"), nil, []string{"1", "2", "1/x"}},
		{event.TagPrefix("team:red/1/"), nil, []string{"1", "1/x"}},
		{event.Tag("team:blue"), nil, nil},
		{event.Function("a"), []string{"1", "2", "1/x"}, nil},
		{event.All(), []string{"1", "2", "1/x"}, []string{"1", "2", "1/x"}},
	} {
		if tc.target.Err() != nil {
			continue // nothing to forget by that name
		}
		want := func(f *lethe.Func[string, int], gone []string) {
			t.Helper()
			for _, k := range []string{"1", "2", "1/x"} {
				forgotten := false
				for _, g := range gone {
					forgotten = forgotten || g == k
				}
				if _, ok := f.Peek(t.Context(), k); ok == forgotten {
					t.Errorf("after %v: %q is there: %v", tc.target, k, ok)
				}
			}
		}
		for _, k := range []string{"1", "2", "1/x"} {
			must[int](t)(byOption.Get(t.Context(), k))
			must[int](t)(byLoader.Get(t.Context(), k))
		}
		applied(t, []event.Target{tc.target}, nodes[0], nodes[1])
		want(byOption, tc.a)
		want(byLoader, tc.b)
	}
}

func TestAnIllegalTagMeansThatNothingIsStored(t *testing.T) {
	t.Parallel()
	n, b := one(t), newBook()
	f := lethe.Memoize(n, "f", func(ctx context.Context, k string) (int, error) {
		lethe.AddTags(ctx, "fine:x", "no family", "fine:y")
		return b.load(ctx, k)
	})
	g := lethe.Memoize(n, "g", b.load, lethe.WithTags(func(string, int) []string { return []string{"Bad:tag"} }))
	h := lethe.Memoize(n, "h", b.load, lethe.WithTags(func(string, int) []string { panic("tags") }))
	for range 2 {
		for _, f := range []*lethe.Func[string, int]{f, g, h} {
			r, err := f.Lookup(t.Context(), "k")
			wantLookup(t, r, err, 0, lethe.Miss, "")
		}
	}
	if got := metric(t, n, "lethe_illegal_tags_total"); got != 4 {
		t.Fatalf("%v illegal tags counted, want 4", got)
	}
}

func TestTheEmptyTagIsCountedAndLoggedAsAnIllegalTag(t *testing.T) {
	t.Parallel()
	var log syncBuffer
	n := one(t, lethe.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	b := newBook()
	byLoader := lethe.Memoize(n, "loader", func(ctx context.Context, k string) (int, error) {
		lethe.AddTags(ctx, "", "no family")
		return b.load(ctx, k)
	})
	byOption := lethe.Memoize(n, "option", b.load, lethe.WithTags(func(string, int) []string { return []string{"", "no family", "fine:x"} }))
	for i, f := range []*lethe.Func[string, int]{byLoader, byOption} {
		r, err := f.Lookup(t.Context(), "k")
		wantLookup(t, r, err, 0, lethe.Miss, "")
		if _, ok := f.Peek(t.Context(), "k"); ok {
			t.Error("a value with an empty tag is stored")
		}
		if got, want := metric(t, n, "lethe_illegal_tags_total"), float64(2*(i+1)); got != want {
			t.Errorf("%v illegal tags counted, want %v", got, want)
		}
	}
	if err := n.Close(); err != nil { // the log is whole
		t.Fatal(err)
	}
	for _, f := range []string{"loader", "option"} {
		if !strings.Contains(log.String(), "an illegal tag, the value is not stored\" function="+f+" tag=\"\"") {
			t.Errorf("nothing about %s in the log: %s", f, log.String())
		}
	}
}
