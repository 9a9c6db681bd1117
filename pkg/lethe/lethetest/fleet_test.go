package lethetest_test

import (
	"context"
	"testing"

	"go.uber.org/goleak"

	"github.com/lethe-cache/lethe/pkg/lethe"
	"github.com/lethe-cache/lethe/pkg/lethe/lethetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAFleetForgetsTogetherAndIsClosedWithItsTest(t *testing.T) { //nolint:tparallel // what the subtest closes is looked at after it
	t.Parallel()
	var nodes []*lethe.Node
	t.Run("fleet", func(t *testing.T) {
		nodes = lethetest.Fleet(t, 3, lethe.Config{Fleet: "shop", Name: "n"})
		var funcs []*lethe.Func[string, int]
		for i, n := range nodes {
			if s := n.Status(); s.State != lethe.Current || s.Fleet != "shop" || s.Name != []string{"n-0", "n-1", "n-2"}[i] {
				t.Fatalf("%+v", s)
			}
			f := lethe.Memoize(n, "f", func(context.Context, string) (int, error) { return 1, nil })
			if _, err := f.Get(t.Context(), "k"); err != nil {
				t.Fatal(err)
			}
			funcs = append(funcs, f)
		}
		tok, err := funcs[0].Invalidate(t.Context(), "k")
		if err != nil {
			t.Fatal(err)
		}
		lethetest.WaitAll(t, tok, nodes...)
		for i, f := range funcs {
			if _, ok := f.Peek(t.Context(), "k"); ok {
				t.Errorf("node %d remembers", i)
			}
		}
	})
	for _, n := range nodes {
		if s := n.Status(); s.State != lethe.Closed {
			t.Errorf("%v", s.State)
		}
	}
}

func TestTwoFleetsInOneTestDoNotHearEachOther(t *testing.T) {
	t.Parallel()
	a, b := lethetest.Fleet(t, 1)[0], lethetest.Fleet(t, 1)[0]
	f := lethe.Memoize(b, "f", func(context.Context, string) (int, error) { return 1, nil })
	if _, err := f.Get(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
	tok, err := a.Invalidate(t.Context(), f.Target("k"))
	if err != nil {
		t.Fatal(err)
	}
	lethetest.WaitAll(t, tok, a)
	if _, ok := f.Peek(t.Context(), "k"); !ok {
		t.Fatal("one fleet's event reached another")
	}
}
