package lethe_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

// fibonacci is a function that reads itself twice, which costs 21,891 loads for 20 where nothing is shared.
func fibonacci(n *lethe.Node, name string, read func(ctx context.Context, f *lethe.Func[int, int], i int) (a, b int, err error), opts ...lethe.Option) (f *lethe.Func[int, int], loads *atomic.Int64) {
	loads = new(atomic.Int64)
	f = lethe.Memoize(n, event.Name[int](name), func(ctx context.Context, i int) (int, error) {
		loads.Add(1)
		if i < 2 {
			return i, nil
		}
		a, b, err := read(ctx, f, i)
		return a + b, err
	}, opts...)
	return f, loads
}

func TestATreeOfReadsCostsWithoutALeaseWhatItCostsWithOne(t *testing.T) {
	t.Parallel()
	inOrder := func(ctx context.Context, f *lethe.Func[int, int], i int) (int, int, error) {
		a, err := f.Get(ctx, i-1)
		if err != nil {
			return 0, 0, err
		}
		b, err := f.Get(ctx, i-2)
		return a, b, err
	}
	many := func(ctx context.Context, f *lethe.Func[int, int], i int) (int, int, error) {
		m, err := f.GetMany(ctx, []int{i - 1, i - 2})
		return m[i-1], m[i-2], err
	}
	atOnce := func(ctx context.Context, f *lethe.Func[int, int], i int) (a, b int, err error) {
		var wg sync.WaitGroup
		wg.Go(func() { a, _ = f.Get(ctx, i-1) })
		b, err = f.Get(ctx, i-2)
		wg.Wait()
		return a, b, err
	}
	batch := func(f **lethe.Func[int, int], loads **atomic.Int64) lethe.Option {
		return lethe.WithBatch(func(ctx context.Context, is []int) (map[int]int, error) {
			m := map[int]int{}
			for _, i := range is {
				(*loads).Add(1)
				if m[i] = i; i >= 2 {
					a, errA := (*f).GetMany(ctx, []int{i - 1})
					b, errB := (*f).GetMany(ctx, []int{i - 2})
					if err := errors.Join(errA, errB); err != nil {
						return nil, err
					}
					m[i] = a[i-1] + b[i-2]
				}
			}
			return m, nil
		})
	}
	for name, ctx := range map[string]context.Context{"lease": context.Background(), "no lease": context.Background(), "bypass": lethe.WithBypass(context.Background())} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := one(t)
			if name == "no lease" {
				lethe.HoldLease(n)
			}
			for how, read := range map[string]func(context.Context, *lethe.Func[int, int], int) (int, int, error){"Get": inOrder, "GetMany": many, "goroutines": atOnce} {
				f, loads := fibonacci(n, "fib."+how, read)
				// Who has waited for a second for a load that it can't use by its labels loads by itself.
				if v := must[int](t)(f.Get(ctx, 20)); v != 6765 || loads.Load() > 2*21 {
					t.Errorf("%s: fib(20) = %d with %d loads, want 6765 with 21, or twice as many on a slow machine", how, v, loads.Load())
				}
			}
			f, loads := fibonacci(n, "fib.each", inOrder)
			all := make([]int, 21)
			for i := range all {
				all[i] = 20 - i
			}
			if m := must[map[int]int](t)(f.GetMany(ctx, all)); len(m) != 21 || m[20] != 6765 || loads.Load() > 40 {
				t.Errorf("GetMany: %v with %d loads, want 21 values with 21 loads, or twice as many where they begin at once", m, loads.Load())
			}
			var batched *lethe.Func[int, int]
			var keys *atomic.Int64
			batched, keys = fibonacci(n, "fib.batch", many, batch(&batched, &keys))
			if m := must[map[int]int](t)(batched.GetMany(ctx, []int{15})); m[15] != 610 || keys.Load() > 2*16 {
				t.Errorf("a batch: fib(15) = %d with %d keys loaded, want 610 with 16, or twice as many", m[15], keys.Load())
			}
		})
	}
}

// below is a function whose loader does what a test says, on a node without a lease.
func below(t *testing.T, n *lethe.Node, do func(context.Context) error) {
	t.Helper()
	f := lethe.Memoize(n, "outermost", func(ctx context.Context, _ int) (int, error) { return 1, do(ctx) })
	if _, err := f.Get(within(t), 1); err != nil {
		t.Fatal(err)
	}
}

func TestWhatReadsBelowOneShareIsCheckedAgainstTheFences(t *testing.T) {
	t.Parallel()
	for name, target := range map[string]event.Target{
		"key": event.Key("child", "k"), "tag": event.Tag("some:tag"), "grandchild": event.Key("grandchild", "k"), "all": event.All(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n, b := one(t), newBook()
			lethe.HoldLease(n)
			grandchild := lethe.Memoize(n, "grandchild", b.load)
			child := lethe.Memoize(n, "child", func(ctx context.Context, k string) (int, error) {
				lethe.AddTags(ctx, "some:tag")
				return grandchild.Get(ctx, k)
			})
			below(t, n, func(ctx context.Context) error {
				first, err := child.Get(ctx, "k")
				if err != nil {
					return err
				}
				again, err := child.Get(ctx, "k")
				if b.loads("k") != 1 || again != first {
					t.Errorf("loaded %d times below one read", b.loads("k"))
				}
				b.write("k")
				n.Forget(target, event.Key("grandchild", "k"))
				if v, err := child.Get(ctx, "k"); err != nil || v != 1 {
					t.Errorf("a read that began after the invalidation got %v, %v", v, err)
				}
				return err
			})
		})
	}
}

func TestABypassInsideALoaderSharesNothingFromBefore(t *testing.T) {
	t.Parallel()
	n, b := one(t), newBook()
	lethe.HoldLease(n)
	child := lethe.Memoize(n, "child", b.load)
	below(t, n, func(ctx context.Context) error {
		for want := range 3 {
			if want > 0 {
				b.write("k")
			}
			if v, err := child.Get(lethe.WithBypass(ctx), "k"); err != nil || v != want {
				t.Errorf("got %v, %v; want %d", v, err, want)
			}
		}
		return nil
	})
}

func TestWhatReadsBelowOneShareEndsWithIt(t *testing.T) {
	t.Parallel()
	n, b := one(t), newBook()
	lethe.HoldLease(n)
	child := lethe.Memoize(n, "child", b.load)
	var left context.Context
	f := lethe.Memoize(n, "f", func(ctx context.Context, _ int) (int, error) {
		left = ctx
		_, err := child.Get(ctx, "k")
		if err != nil {
			return 0, err
		}
		return child.Get(ctx, "k")
	})
	for want := range 3 {
		if v := must[int](t)(f.Get(t.Context(), 1)); v != want {
			t.Fatalf("got %v, want %d: it shares what an earlier read has loaded", v, want)
		}
		b.write("k")
	}
	if v := must[int](t)(child.Get(context.WithoutCancel(left), "k")); v != 3 {
		t.Fatalf("got %v through the context of a load that has ended", v)
	}
}

func TestWhatMayNotBeKeptOrSharedIsNotSharedBelowOneRead(t *testing.T) {
	t.Parallel()
	n := one(t)
	lethe.HoldLease(n)
	var loads [3]atomic.Int64
	refused := lethe.Memoize(n, "refused", func(ctx context.Context, _ int) (int, error) {
		lethe.NoStore(ctx)
		return int(loads[0].Add(1)), nil
	})
	failing := lethe.Memoize(n, "failing", func(context.Context, int) (int, error) { loads[1].Add(1); return 0, errGone })
	own := lethe.Memoize(n, "own", func(context.Context, int) ([]int, error) { loads[2].Add(1); return []int{1}, nil }, lethe.WithoutHot())
	below(t, n, func(ctx context.Context) error {
		for range 3 {
			_, _ = refused.Get(ctx, 1)
			_, _ = failing.Get(ctx, 1)
			if v, err := own.Get(ctx, 1); err != nil || v[0] != 1 {
				t.Errorf("got %v, %v: another caller's changes", v, err)
			} else {
				v[0] = 2
			}
		}
		return nil
	})
	if a, b, c := loads[0].Load(), loads[1].Load(), loads[2].Load(); a != 3 || b != 3 || c != 1 {
		t.Errorf("%d loads of what asks not to be stored, %d of what fails, %d of what has to be copied; want 3, 3, 1", a, b, c)
	}
}

func TestWhatReadsBelowOneShareIsBounded(t *testing.T) {
	t.Parallel()
	n := one(t)
	lethe.HoldLease(n)
	var loads atomic.Int64
	child := lethe.Memoize(n, "child", func(context.Context, int) (int, error) { return int(loads.Add(1)), nil })
	const more = 50
	below(t, n, func(ctx context.Context) error {
		for range 2 {
			for i := range lethe.MaxKept + more {
				if _, err := child.Get(ctx, i); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if n := loads.Load(); n != lethe.MaxKept+2*more {
		t.Errorf("%d loads, want %d", n, lethe.MaxKept+2*more)
	}
}
