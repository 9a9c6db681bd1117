package lethe_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

func TestAMissLoadsAndAHitComesFromMemory(t *testing.T) {
	t.Parallel()
	n, b := one(t), newBook()
	f := lethe.Memoize(n, "f", b.load)
	r, err := f.Lookup(t.Context(), "k")
	wantLookup(t, r, err, 0, lethe.Miss, "")
	r, err = f.Lookup(t.Context(), "k")
	wantLookup(t, r, err, 0, lethe.Hit, lethe.Hot)
	if got := b.loads("k"); got != 1 {
		t.Fatalf("%d loads, want 1", got)
	}
	b.write("k")
	if _, err := f.Invalidate(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
	r, err = f.Lookup(t.Context(), "k") // forgotten here when Invalidate has returned
	wantLookup(t, r, err, 1, lethe.Miss, "")
}

func TestEachTierAnswersByItself(t *testing.T) {
	t.Parallel()
	n, b := one(t), newBook()
	bulk := lethe.Memoize(n, "bulk", b.load, lethe.WithoutHot())
	hot := lethe.Memoize(n, "hot", b.load, lethe.WithoutBulk())
	both := lethe.Memoize(n, "both", b.load)
	for _, f := range []*lethe.Func[string, int]{bulk, hot, both} {
		must[int](t)(f.Get(t.Context(), "k"))
	}
	r, err := bulk.Lookup(t.Context(), "k")
	wantLookup(t, r, err, 0, lethe.Hit, lethe.Bulk)
	r, err = hot.Lookup(t.Context(), "k")
	wantLookup(t, r, err, 0, lethe.Hit, lethe.Hot)
	lethe.DropHot(n)
	r, err = hot.Lookup(t.Context(), "k")
	wantLookup(t, r, err, 0, lethe.Miss, "")
	r, err = both.Lookup(t.Context(), "k")
	wantLookup(t, r, err, 0, lethe.Hit, lethe.Bulk) // and promoted
	r, err = both.Lookup(t.Context(), "k")
	wantLookup(t, r, err, 0, lethe.Hit, lethe.Hot)
}

func TestManyWhoAskAtOnceShareOneLoad(t *testing.T) {
	t.Parallel()
	n, d := one(t), newDoor(t)
	var loads atomic.Int64
	f := lethe.Memoize(n, "f", func(context.Context, string) (int, error) {
		loads.Add(1)
		d.pass()
		return 7, nil
	})
	const readers = 50
	var wg sync.WaitGroup
	for range readers {
		wg.Go(func() {
			if v, err := f.Get(context.Background(), "k"); v != 7 || err != nil {
				t.Errorf("got %v, %v", v, err)
			}
		})
	}
	until(t, "all but the leader wait for its load", func() bool {
		return metric(t, n, "lethe_loads_shared_total", "function", "f") == readers-1
	})
	d.unlock()
	wg.Wait()
	if loads.Load() != 1 {
		t.Fatalf("%d loads", loads.Load())
	}
}

func TestNilAndZeroAreResults(t *testing.T) {
	t.Parallel()
	n := one(t)
	var loads atomic.Int64
	f := lethe.Memoize(n, "f", func(context.Context, string) ([]byte, error) {
		loads.Add(1)
		return nil, nil
	})
	for range 3 {
		if v := must[[]byte](t)(f.Get(t.Context(), "k")); v != nil {
			t.Fatalf("got %v", v)
		}
		lethe.DropHot(n) // nil after decoding, too
	}
	if loads.Load() != 1 {
		t.Fatalf("%d loads", loads.Load())
	}
}

func TestFunctionsOfSeveralArgumentsKeepTheirKeysApart(t *testing.T) {
	t.Parallel()
	n := one(t)
	f0 := lethe.Memoize0(n, "f0", func(context.Context) (string, error) { return "zero", nil })
	f2 := lethe.Memoize2(n, "f2", func(_ context.Context, a, b string) (string, error) { return a + "|" + b, nil })
	f3 := lethe.Memoize3(n, "f3", func(_ context.Context, a string, b int, c bool) (string, error) {
		return fmt.Sprint(a, b, c), nil
	})
	ctx := t.Context()
	for range 2 {
		if v := must[string](t)(f0.Get(ctx)); v != "zero" {
			t.Fatal(v)
		}
		if x, y := must[string](t)(f2.Get(ctx, "a-b", "c")), must[string](t)(f2.Get(ctx, "a", "b-c")); x != "a-b|c" || y != "a|b-c" {
			t.Fatal(x, y)
		}
		if x, y := must[string](t)(f3.Get(ctx, "a", 1, true)), must[string](t)(f3.Get(ctx, "a", 1, false)); x == y {
			t.Fatal(x, y)
		}
		lethe.DropHot(n)
	}
	must[event.Token](t)(f2.Invalidate(ctx, "a-b", "c"))
	if r, err := f2.Lookup(ctx, "a-b", "c"); err != nil || r.Cache != lethe.Miss {
		t.Fatalf("%+v, %v", r, err)
	}
	if r, err := f2.Lookup(ctx, "a", "b-c"); err != nil || r.Cache != lethe.Hit {
		t.Fatalf("the other key was forgotten too: %+v, %v", r, err)
	}
	must[event.Token](t)(f3.InvalidateAll(ctx))
	if _, ok := f3.Peek(ctx, "a", 1, true); ok {
		t.Fatal("InvalidateAll left a key")
	}
	must[event.Token](t)(f0.Invalidate(ctx))
	if _, ok := f0.Peek(ctx); ok {
		t.Fatal("Invalidate left the value")
	}
}

func TestAKeyThatJSONCannotExpressIsRefused(t *testing.T) {
	t.Parallel()
	n := one(t)
	f := lethe.Memoize(n, "f", func(context.Context, string) (int, error) { return 1, nil })
	if _, err := f.Get(t.Context(), "\xff"); err == nil {
		t.Fatal("a string that is not UTF-8 was taken")
	}
	if _, err := f.Invalidate(t.Context(), "fine", "\xff"); err == nil {
		t.Fatal("a string that is not UTF-8 was invalidated")
	}
	if f.Target("\xff").Err() == nil {
		t.Fatal("a target of a string that is not UTF-8 has no error")
	}
}
