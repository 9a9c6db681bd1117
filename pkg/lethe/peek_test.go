package lethe_test

import (
	"testing"

	"github.com/lethe-cache/lethe/pkg/lethe"
)

func TestPeekNeverLoads(t *testing.T) {
	t.Parallel()
	n, b := one(t), newBook()
	f := lethe.Memoize(n, "f", b.load)
	if _, ok := f.Peek(t.Context(), "k"); ok {
		t.Fatal("there before it was loaded")
	}
	must[int](t)(f.Get(t.Context(), "k"))
	if v, ok := f.Peek(t.Context(), "k"); !ok || v != 0 {
		t.Fatalf("%v, %v", v, ok)
	}
	if _, ok := f.Peek(lethe.WithBypass(t.Context()), "k"); ok {
		t.Fatal("Peek answered a read that bypasses")
	}
	if b.loads("k") != 1 {
		t.Fatal("Peek loaded")
	}
}
