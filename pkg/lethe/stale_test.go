package lethe_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

func TestAfterExpiryTheOldValueIsServedWhileOneLoadRuns(t *testing.T) {
	t.Parallel()
	n, d := one(t), newDoor(t)
	var loads atomic.Int64
	f := lethe.Memoize(n, "f", func(context.Context, string) (int64, error) {
		if l := loads.Add(1); l > 1 {
			d.pass()
			return l, nil
		}
		return 1, nil
	}, lethe.WithTTL(30*time.Millisecond), lethe.WithStale(time.Minute))
	must[int64](t)(f.Get(t.Context(), "k"))
	until(t, "the value is stale", func() bool {
		r, err := f.Lookup(t.Context(), "k")
		if err != nil || r.Value != 1 {
			t.Fatalf("%+v, %v", r, err)
		}
		return r.Cache == lethe.Stale
	})
	take(t, "a load has begun", d.entered)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			r, err := f.Lookup(context.Background(), "k")
			if err != nil || r.Value != 1 || r.Cache != lethe.Stale {
				t.Errorf("%+v, %v", r, err)
			}
		})
	}
	wg.Wait()
	if loads.Load() != 2 {
		t.Fatalf("%d loads: the refresh runs beside a flight", loads.Load())
	}
	d.unlock()
	until(t, "the new value is there", func() bool {
		v, err := f.Get(t.Context(), "k")
		return err == nil && v >= 2
	})
}

func TestASoftInvalidationServesTheOldValueAndAHardOneNever(t *testing.T) {
	t.Parallel()
	n, b := one(t), newBook()
	d := newDoor(t)
	var hold atomic.Bool
	f := lethe.Memoize(n, "f", func(ctx context.Context, k string) (int, error) {
		if hold.Load() {
			d.pass()
		}
		return b.load(ctx, k)
	}, lethe.WithStale(time.Minute), lethe.WithTTL(time.Minute))
	g := lethe.Memoize(n, "g", b.load) // no WithStale: soft is hard
	must[int](t)(f.Get(t.Context(), "k"))
	must[int](t)(g.Get(t.Context(), "k"))
	b.write("k")
	hold.Store(true)
	applied(t, []event.Target{f.Target("k").Soft(), g.Target("k").Soft()}, n)
	r, err := f.Lookup(t.Context(), "k")
	wantLookup(t, r, err, 0, lethe.Stale, lethe.Hot)
	r, err = g.Lookup(t.Context(), "k")
	wantLookup(t, r, err, 1, lethe.Miss, "")
	applied(t, []event.Target{f.Target("k")}, n)
	if v, ok := f.Peek(t.Context(), "k"); ok {
		t.Fatalf("a hard invalidation left %v to be served", v)
	}
	d.unlock()
	if v := must[int](t)(f.Get(t.Context(), "k")); v != 1 {
		t.Fatalf("got %v", v)
	}
}

func TestALoadThatFailsKeepsTheOldValueAndANamedErrorReplacesIt(t *testing.T) {
	t.Parallel()
	n := one(t)
	var fail atomic.Pointer[error]
	var loads atomic.Int64
	f := lethe.Memoize(n, "f", func(context.Context, string) (int, error) {
		loads.Add(1)
		if e := fail.Load(); e != nil {
			return 0, *e
		}
		return 1, nil
	}, lethe.WithTTL(time.Hour/2), lethe.WithStale(time.Hour/2), lethe.WithNegative(time.Hour, errGone))
	must[int](t)(f.Get(t.Context(), "k"))
	fail.Store(ptr(errors.ErrUnsupported))
	applied(t, []event.Target{f.Target("k").Soft()}, n)
	until(t, "three loads have failed", func() bool {
		r, err := f.Lookup(t.Context(), "k")
		wantLookup(t, r, err, 1, lethe.Stale, lethe.Hot)
		return loads.Load() > 3
	})
	fail.Store(ptr(errGone))
	until(t, "the named error is the answer", func() bool {
		r, err := f.Lookup(t.Context(), "k")
		return r.Cache == lethe.Negative && errors.Is(err, errGone)
	})
}

func ptr[T any](v T) *T { return &v }

func TestNothingIsServedPastItsEndOfLife(t *testing.T) {
	t.Parallel()
	n := one(t)
	var loads atomic.Int64
	f := lethe.Memoize(n, "f", func(context.Context, string) (int, error) {
		if loads.Add(1) > 1 {
			return 0, errors.ErrUnsupported
		}
		return 1, nil
	}, lethe.WithTTL(30*time.Millisecond), lethe.WithStale(60*time.Millisecond))
	must[int](t)(f.Get(t.Context(), "k"))
	until(t, "the value's life ends", func() bool {
		r, err := f.Lookup(t.Context(), "k")
		if err == nil && r.Age >= 90*time.Millisecond {
			t.Fatalf("served at the age of %v", r.Age)
		}
		return errors.Is(err, errors.ErrUnsupported)
	})
}
