package lethe_test

import (
	"context"
	"math"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

// halfText says half of itself.
type halfText struct{ said, unsaid string }

func (h halfText) MarshalText() ([]byte, error)  { return []byte(h.said), nil }
func (h *halfText) UnmarshalText(b []byte) error { h.said = string(b); return nil }

// chain may hold itself.
type chain struct{ Next *chain }

func ring(int) *chain {
	c := &chain{}
	c.Next = c
	return c
}

func TestCallersOfALoadWhoseValueCannotBeCopiedLoadForThemselves(t *testing.T) {
	t.Parallel()
	n := one(t)
	half := func(int) halfText { return halfText{"said", "unsaid"} }
	whole := func(v halfText) bool { return v.said == "said" && v.unsaid == "unsaid" }
	json := lethe.WithCodec(lethe.JSON())
	joinUncopied(t, n, "lossy", half, whole)
	joinUncopied(t, n, "cycle", ring, func(v *chain) bool { return v != nil && v.Next == v })
	joinUncopied(t, n, "nan", func(int) float64 { return math.NaN() }, math.IsNaN, json)
	joinUncopied(t, n, "text", func(int) string { return "\xff" }, func(v string) bool { return v == "\xff" }, json)
	joinUncopied(t, n, "unread", func(int) string { return "unread" }, func(v string) bool { return v == "unread" },
		lethe.WithCodec(unreadable{lethe.JSON()}))
}

// joinUncopied has callers of Get share one load of a value, and callers of GetMany a batch. All get the whole value, and none
// makes more than one load of its own.
func joinUncopied[V any](t *testing.T, n *lethe.Node, name string, value func(int) V, good func(V) bool, options ...lethe.Option) {
	t.Helper()
	const callers = 8
	d := newDoor(t)
	var loads atomic.Int64 // of keys
	f := lethe.Memoize(n, event.Name[int](name), func(_ context.Context, k int) (V, error) {
		loads.Add(1)
		d.pass()
		return value(k), nil
	}, append(options, lethe.WithoutHot(), lethe.WithBatch(func(_ context.Context, ks []int) (map[int]V, error) {
		loads.Add(int64(len(ks)))
		d.pass()
		found := map[int]V{}
		for _, k := range ks {
			found[k] = value(k)
		}
		return found, nil
	}))...)
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			if v, err := f.Get(context.Background(), 1); err != nil || !good(v) {
				t.Errorf("%s: Get: %v, %v", name, v, err)
			}
		})
		wg.Go(func() {
			found, err := f.GetMany(context.Background(), []int{2, 3})
			if err != nil || len(found) != 2 || !good(found[2]) || !good(found[3]) {
				t.Errorf("%s: GetMany: %v, %v", name, found, err)
			}
		})
	}
	until(t, "all but two have joined", func() bool {
		return metric(t, n, "lethe_loads_shared_total", "function", name) >= 3*(callers-1)
	})
	d.unlock()
	wg.Wait()
	if got := loads.Load(); got > 3*callers {
		t.Errorf("%s: %d keys were loaded for %d callers of one and %d of two", name, got, callers, callers)
	}
}

func TestReadsBelowOneReadLoadAgainWhatCannotBeCopied(t *testing.T) {
	t.Parallel()
	n := one(t)
	inner := lethe.Memoize(n, "inner", func(context.Context, int) (halfText, error) {
		return halfText{"said", "unsaid"}, nil
	}, lethe.WithoutHot())
	outer := lethe.Memoize(n, "outer", func(ctx context.Context, k int) (int, error) {
		for range 3 {
			if v, err := inner.Get(ctx, k); err != nil || v.unsaid != "unsaid" {
				t.Errorf("%v, %v", v, err)
			}
		}
		return k, nil
	})
	must[int](t)(outer.Get(lethe.WithBypass(t.Context()), 1))
}
