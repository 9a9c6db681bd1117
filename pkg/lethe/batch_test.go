package lethe_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

// single is a loader that a test does not expect to be called.
func single(t *testing.T) func(context.Context, string) (int, error) {
	return func(_ context.Context, k string) (int, error) {
		t.Errorf("%q was loaded by itself", k)
		return 0, nil
	}
}

func TestGetManyLoadsWhatIsMissingInOneCall(t *testing.T) {
	t.Parallel()
	n := one(t)
	var asked [][]string
	f := lethe.Memoize(n, "f", single(t), lethe.WithBatch(func(ctx context.Context, ks []string) (map[string]int, error) {
		asked = append(asked, slices.Clone(ks))
		lethe.AddTags(ctx, "batch:x")
		m := map[string]int{}
		for _, k := range ks {
			if k != "none" {
				m[k] = len(k)
			}
		}
		return m, nil
	}), lethe.WithTags(func(k string, _ int) []string { return []string{"own:" + k} }))
	ctx := t.Context()
	got := must[map[string]int](t)(f.GetMany(ctx, []string{"a", "bb", "a", "none"}))
	if !maps.Equal(got, map[string]int{"a": 1, "bb": 2}) {
		t.Fatalf("got %v", got)
	}
	got = must[map[string]int](t)(f.GetMany(ctx, []string{"bb", "ccc", "a"}))
	if !maps.Equal(got, map[string]int{"a": 1, "bb": 2, "ccc": 3}) {
		t.Fatalf("got %v", got)
	}
	if want := [][]string{{"a", "bb", "none"}, {"ccc"}}; len(asked) != 2 || !slices.Equal(asked[0], want[0]) || !slices.Equal(asked[1], want[1]) {
		t.Fatalf("asked for %v", asked)
	}
	// Tags of the loader are every key's, those of WithTags each key's own.
	applied(t, []event.Target{event.Tag("own:a")}, n)
	if got := len(must[map[string]int](t)(f.GetMany(ctx, []string{"a", "bb", "ccc"}))); got != 3 || len(asked) != 3 || !slices.Equal(asked[2], []string{"a"}) {
		t.Fatalf("asked for %v", asked)
	}
	applied(t, []event.Target{event.Tag("batch:x")}, n)
	must[map[string]int](t)(f.GetMany(ctx, []string{"a", "bb", "ccc"}))
	if len(asked) != 4 || len(asked[3]) != 3 {
		t.Fatalf("asked for %v", asked)
	}
	if got := must[map[string]int](t)(f.GetMany(ctx, nil)); len(got) != 0 {
		t.Fatalf("got %v", got)
	}
}

func TestGetManyWithoutABatchLoadsEachByItself(t *testing.T) {
	t.Parallel()
	n, b := one(t), newBook()
	f := lethe.Memoize(n, "f", func(ctx context.Context, k string) (int, error) {
		if k == "bad" {
			return 0, errGone
		}
		return b.load(ctx, k)
	})
	ks := []string{"bad", "bad"}
	for i := range 40 {
		ks = append(ks, string(rune('a'+i%26)))
	}
	got, err := f.GetMany(t.Context(), ks)
	if !errors.Is(err, errGone) || len(got) != 26 {
		t.Fatalf("%d keys, %v", len(got), err)
	}
	for k := range got {
		if b.loads(k) != 1 {
			t.Fatalf("%q was loaded %d times", k, b.loads(k))
		}
	}
}

func TestAFailedBatchFailsItsKeysAndKeepsWhatWasThere(t *testing.T) {
	t.Parallel()
	n := one(t)
	var fail atomic.Bool
	f := lethe.Memoize(n, "f", single(t), lethe.WithBatch(func(_ context.Context, ks []string) (map[string]int, error) {
		if fail.Load() {
			return nil, errGone
		}
		return map[string]int{ks[0]: 1}, nil
	}))
	must[map[string]int](t)(f.GetMany(t.Context(), []string{"a"}))
	fail.Store(true)
	got, err := f.GetMany(t.Context(), []string{"b", "a", "c"})
	if !errors.Is(err, errGone) || !maps.Equal(got, map[string]int{"a": 1}) {
		t.Fatalf("got %v, %v", got, err)
	}
}

func TestAGetThatJoinedABatchWhichLeftItsKeyOutLoadsItself(t *testing.T) {
	t.Parallel()
	n, b, d := one(t), newBook(), newDoor(t)
	f := lethe.Memoize(n, "f", b.load, lethe.WithBatch(func(context.Context, []string) (map[string]int, error) {
		d.pass()
		return map[string]int{}, nil
	}))
	many := make(chan map[string]int)
	go func() {
		m, err := f.GetMany(context.Background(), []string{"k"})
		if err != nil {
			t.Error(err)
		}
		many <- m
	}()
	take(t, "the batch loads", d.entered)
	b.write("k")
	got := make(chan int)
	go func() {
		v, err := f.Get(context.Background(), "k")
		if err != nil {
			t.Error(err)
		}
		got <- v
	}()
	until(t, "the Get waits for the batch", func() bool {
		return metric(t, n, "lethe_loads_shared_total", "function", "f") == 1
	})
	d.unlock()
	if m := take(t, "GetMany ends", many); len(m) != 0 {
		t.Fatalf("the batch brought %v", m)
	}
	if v := take(t, "Get ends", got); v != 1 || b.loads("k") != 1 {
		t.Fatalf("got %v after %d loads", v, b.loads("k"))
	}
}

func TestTwoBatchesThatWantEachOthersKeysDoNotWaitForEver(t *testing.T) {
	t.Parallel()
	n := one(t)
	f := lethe.Memoize(n, "f", single(t), lethe.WithBatch(func(_ context.Context, ks []string) (map[string]int, error) {
		m := map[string]int{}
		for _, k := range ks {
			m[k] = 1
		}
		return m, nil
	}), lethe.WithTTL(time.Millisecond))
	ctx := within(t)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			ks := []string{"1", "2", "3", "4"}
			if i%2 == 1 {
				slices.Reverse(ks)
			}
			for range 200 {
				if got, err := f.GetMany(ctx, ks); err != nil || len(got) != 4 {
					t.Errorf("got %v, %v", got, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestABatchInFlightIsNoMatchForAnInvalidation(t *testing.T) {
	t.Parallel()
	n, b, d := one(t), newBook(), newDoor(t)
	var held atomic.Bool
	f := lethe.Memoize(n, "f", b.load, lethe.WithBatch(func(_ context.Context, ks []string) (map[string]int, error) {
		m := map[string]int{}
		for _, k := range ks {
			m[k] = b.read(k)
		}
		if !held.Swap(true) {
			d.pass()
		}
		return m, nil
	}))
	lethe.Usually(n, "f", time.Minute) // nobody loses patience
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = f.GetMany(context.Background(), []string{"x", "y"})
	}()
	take(t, "the batch has read", d.entered)
	b.write("x")
	applied(t, []event.Target{f.Target("x")}, n)
	after := make(chan map[string]int)
	go func() {
		m, _ := f.GetMany(context.Background(), []string{"x", "y"})
		after <- m
	}()
	until(t, "the second waits for the key of the first that is good", func() bool {
		return metric(t, n, "lethe_loads_shared_total", "function", "f") == 1
	})
	d.unlock()
	if m := take(t, "the second ends", after); m["x"] != 1 {
		t.Fatalf("a read that began after the invalidation got %v", m)
	}
	<-done
	if v := must[int](t)(f.Get(t.Context(), "x")); v != 1 {
		t.Fatalf("the batch left %v behind", v)
	}
	if b.loads("y") != 1 {
		t.Fatalf("y was loaded %d times: nothing was wrong with it", b.loads("y"))
	}
}
