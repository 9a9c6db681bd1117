package lethe_test

import (
	"context"
	"errors"
	"maps"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

var errNotFound = errors.New("not found")

// shop is a table whose loader of one key says errNotFound, and whose batch leaves keys out.
type shop struct {
	book    *book
	gone    atomic.Bool // "b" is not in the table
	singles atomic.Int64
	batches atomic.Int64
}

func newShop() *shop {
	s := &shop{book: newBook()}
	s.gone.Store(true)
	return s
}

func (s *shop) load(_ context.Context, k string) (int, error) {
	s.singles.Add(1)
	if k == "b" && s.gone.Load() {
		return 0, errNotFound
	}
	return s.book.read(k), nil
}

func (s *shop) batch() lethe.Option {
	return lethe.WithBatch(func(ctx context.Context, ks []string) (map[string]int, error) {
		s.batches.Add(1)
		lethe.AddTags(ctx, "shop:x")
		m := map[string]int{}
		for _, k := range ks {
			if k != "b" || !s.gone.Load() {
				m[k] = s.book.read(k)
			}
		}
		return m, nil
	})
}

func negative(ttl time.Duration) lethe.Option { return lethe.WithNegative(ttl, errGone, errNotFound) }

func TestGetManyAnswersTheSameWhoeverAskedBefore(t *testing.T) {
	t.Parallel()
	n := one(t)
	ctx := t.Context()
	want := map[string]int{"a": 0}
	s := newShop()
	for name, f := range map[string]*lethe.Func[string, int]{
		"batch, negative": lethe.Memoize(n, "batch.negative", s.load, s.batch(), negative(time.Hour)),
		"batch, bulk":     lethe.Memoize(n, "batch.bulk", s.load, s.batch(), negative(time.Hour), lethe.WithoutHot()),
		"batch":           lethe.Memoize(n, "batch", s.load, s.batch()),
		"negative":        lethe.Memoize(n, "negative", s.load, negative(time.Hour)),
		"named by the batch": lethe.Memoize(n, "named", s.load, negative(time.Hour), lethe.WithBatch(func(_ context.Context, ks []string) (map[string]int, error) {
			if ks[0] == "b" {
				return nil, errNotFound
			}
			return map[string]int{ks[0]: 0}, nil
		})),
	} {
		if name == "named by the batch" {
			must[map[string]int](t)(f.GetMany(ctx, []string{"a"}))
		}
		for _, before := range []string{"nobody", "GetMany", "Get", "Get and GetMany"} {
			if m, err := f.GetMany(ctx, []string{"a", "b"}); err != nil || !maps.Equal(m, want) {
				t.Errorf("%s, after %s: %v, %v", name, before, m, err)
			}
			if before == "GetMany" {
				if _, err := f.Get(ctx, "b"); !errors.Is(err, errNotFound) {
					t.Errorf("%s: Get of what is absent: %v", name, err)
				}
			}
		}
	}
}

// The error of another's load of one key is not the batch's answer.
func TestGetManyDoesNotTakeTheErrorOfAGetUnderWay(t *testing.T) {
	t.Parallel()
	n, s, d := one(t), newShop(), newDoor(t)
	f := lethe.Memoize(n, "f", func(ctx context.Context, k string) (int, error) {
		d.pass()
		return s.load(ctx, k)
	}, s.batch())
	failed := make(chan error, 1)
	go func() { _, err := f.Get(context.Background(), "b"); failed <- err }()
	take(t, "Get loads", d.entered)
	many := async(func() (map[string]int, error) { return f.GetMany(context.Background(), []string{"b"}) })
	until(t, "GetMany waits", func() bool { return metric(t, n, "lethe_loads_shared_total", "function", "f") == 1 })
	d.unlock()
	if m := take(t, "GetMany ends without an error", many); len(m) != 0 {
		t.Fatalf("got %v", m)
	}
	if err := take(t, "Get ends", failed); !errors.Is(err, errNotFound) {
		t.Fatal(err)
	}
}

func TestAbsenceInABatchIsRememberedWithNegative(t *testing.T) {
	t.Parallel()
	n, s := one(t), newShop()
	f := lethe.Memoize(n, "f", s.load, s.batch(), negative(time.Hour))
	ctx := t.Context()
	for range 3 {
		must[map[string]int](t)(f.GetMany(ctx, []string{"a", "b"}))
	}
	if s.batches.Load() != 1 {
		t.Fatalf("%d batches", s.batches.Load())
	}
	if _, ok := f.Peek(ctx, "b"); ok {
		t.Fatal("Peek found what is absent")
	}
	// Get says it in the words of its own loader.
	if r, err := f.Lookup(ctx, "b"); !errors.Is(err, errNotFound) || r.Cache != lethe.Miss || s.singles.Load() != 1 {
		t.Fatalf("%+v, %v, %d loads", r, err, s.singles.Load())
	}
	if r, err := f.Lookup(ctx, "b"); !errors.Is(err, errNotFound) || r.Cache != lethe.Negative || s.singles.Load() != 1 {
		t.Fatalf("%+v, %v, %d loads", r, err, s.singles.Load())
	}
	s.gone.Store(false)
	applied(t, []event.Target{f.Target("b")}, n)
	if m := must[map[string]int](t)(f.GetMany(ctx, []string{"a", "b"})); len(m) != 2 || s.batches.Load() != 2 {
		t.Fatalf("%v after it was added, in %d batches", m, s.batches.Load())
	}

	short := lethe.Memoize(n, "short", s.load, s.batch(), lethe.WithNegative(50*time.Millisecond, errNotFound))
	s.gone.Store(true)
	must[map[string]int](t)(short.GetMany(ctx, []string{"b"}))
	s.gone.Store(false)
	until(t, "absence expires", func() bool { m, err := short.GetMany(ctx, []string{"b"}); return err == nil && len(m) == 1 })
}

func TestAParentThatReadWhatIsAbsentIsKept(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]lethe.Option{"hot": nil, "bulk": {lethe.WithoutHot()}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n, s := one(t), newShop()
			f := lethe.Memoize(n, "f", s.load, append(opts, s.batch(), negative(time.Hour))...)
			var loads atomic.Int64
			cart := lethe.Memoize(n, "cart", func(ctx context.Context, _ int) (int, error) {
				loads.Add(1)
				m, err := f.GetMany(ctx, []string{"a", "b"})
				return len(m), err
			})
			other := lethe.Memoize(n, "other", func(ctx context.Context, _ int) (int, error) {
				m, err := f.GetMany(ctx, []string{"b"}) // from the cache
				return len(m), err
			})
			for range 10 {
				if v := must[int](t)(cart.Get(t.Context(), 1)); v != 1 || loads.Load() != 1 {
					t.Fatalf("%d, after %d loads", v, loads.Load())
				}
			}
			must[int](t)(other.Get(t.Context(), 1))
			s.gone.Store(false)
			applied(t, []event.Target{f.Target("b")}, n)
			if v, w := must[int](t)(cart.Get(t.Context(), 1)), must[int](t)(other.Get(t.Context(), 1)); v != 2 || w != 1 {
				t.Fatalf("%d and %d: a parent does not depend on what it found absent", v, w)
			}
		})
	}
}

// Without WithNegative nobody has said that absence may be remembered.
func TestAbsenceIsNotRememberedUnasked(t *testing.T) {
	t.Parallel()
	n, s := one(t), newShop()
	f := lethe.Memoize(n, "f", s.load, s.batch())
	for range 3 {
		must[map[string]int](t)(f.GetMany(t.Context(), []string{"b"}))
	}
	if s.batches.Load() != 3 {
		t.Fatalf("%d batches, want 3", s.batches.Load())
	}
}

func TestAKeyThatABatchLosesHasAnError(t *testing.T) {
	t.Parallel()
	n := one(t)
	f := lethe.Memoize(n, "f", single(t), lethe.WithBatch(func(_ context.Context, ks []string) (map[string]int, error) {
		m := map[string]int{}
		for _, k := range ks {
			m[k] = len(k)
		}
		return m, nil
	}), lethe.WithTags(func(k string, _ int) []string {
		if k == "b" {
			runtime.Goexit()
		}
		return nil
	}))
	m, err := f.GetMany(within(t), []string{"a", "b", "c"})
	if !contains(err, "Goexit") || len(m) != 1 {
		t.Fatalf("%v, %v: keys are missing and nothing says why", m, err)
	}
	each := lethe.Memoize(n, "each", func(_ context.Context, k string) (int, error) { return len(k), nil })
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	closed := lethe.Memoize(n, "closed", func(_ context.Context, k string) (int, error) {
		if k == "b" {
			runtime.Goexit()
		}
		return len(k), nil
	})
	if m, err := closed.GetMany(within(t), []string{"a", "b"}); !contains(err, "Goexit") || len(m) != 1 {
		t.Fatalf("a closed node: %v, %v", m, err)
	}
	if m := must[map[string]int](t)(each.GetMany(within(t), []string{"a", "b"})); len(m) != 2 {
		t.Fatalf("got %v", m)
	}
}
