package lethe_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

// expires polls f until it does not answer k from memory any more, and fails if a hit was older than ttl.
func expires[V any](t *testing.T, f *lethe.Func[string, V], k string, ttl time.Duration) {
	t.Helper()
	until(t, "the value expires", func() bool {
		r, err := f.Lookup(t.Context(), k)
		if err != nil {
			t.Fatal(err)
		}
		if r.Cache == lethe.Hit && r.Age >= ttl {
			t.Fatalf("a hit is %v old, the TTL is %v", r.Age, ttl)
		}
		return r.Cache == lethe.Miss
	})
}

func TestAValueIsNeverServedPastItsTTL(t *testing.T) {
	t.Parallel()
	const ttl = 60 * time.Millisecond
	n, b := one(t), newBook()
	f := lethe.Memoize(n, "f", b.load, lethe.WithTTL(ttl))
	must[int](t)(f.Get(t.Context(), "k"))
	expires(t, f, "k", ttl)
	g := lethe.Memoize(n, "g", b.load, lethe.WithTTL(ttl), lethe.WithoutHot())
	must[int](t)(g.Get(t.Context(), "k"))
	expires(t, g, "k", ttl)
}

func TestJitterOnlyShortensATTLAndByATenthAtMost(t *testing.T) {
	t.Parallel()
	n, b := one(t), newBook()
	f := lethe.Memoize(n, "f", b.load, lethe.WithTTL(time.Hour))
	lives := map[time.Duration]bool{}
	for i := range 200 {
		k := fmt.Sprint(i)
		must[int](t)(f.Get(t.Context(), k))
		x := must[lethe.Explanation](t)(n.Explain(t.Context(), f.Target(k)))
		if x.Expires == nil {
			t.Fatalf("%s is not cached: %+v", k, x)
		}
		life := x.Expires.Sub(*x.Born)
		if life > time.Hour || life < 54*time.Minute {
			t.Fatalf("a life of %v for a TTL of 1 h", life)
		}
		lives[life] = true
	}
	if len(lives) < 100 {
		t.Fatalf("200 values share %d lives", len(lives))
	}
}

func TestALoaderMaySetTheTTLOrRefuseToBeStored(t *testing.T) {
	t.Parallel()
	n := one(t)
	f := lethe.Memoize(n, "f", func(ctx context.Context, k string) (int, error) {
		switch k {
		case "short":
			lethe.SetTTL(ctx, 50*time.Millisecond)
		case "never":
			lethe.NoStore(ctx)
		case "zero":
			lethe.SetTTL(ctx, 0)
		case "huge":
			lethe.SetTTL(ctx, 1000*time.Hour)
		}
		return 1, nil
	})
	must[int](t)(f.Get(t.Context(), "short"))
	expires(t, f, "short", 50*time.Millisecond)
	for range 3 {
		for _, k := range []string{"never", "zero"} {
			r, err := f.Lookup(t.Context(), k)
			wantLookup(t, r, err, 1, lethe.Miss, "")
		}
	}
	must[int](t)(f.Get(t.Context(), "huge"))
	x := must[lethe.Explanation](t)(n.Explain(t.Context(), f.Target("huge")))
	if x.Expires == nil || x.Expires.Sub(*x.Born) > time.Hour {
		t.Fatalf("MaxTTL is 1 h, the life is %v", x.Expires.Sub(*x.Born))
	}
	// Outside a load they act on nothing.
	lethe.SetTTL(t.Context(), time.Second)
	lethe.NoStore(t.Context())
	lethe.AddTags(t.Context(), "a:b")
}

var errGone = errors.New("gone")

func TestANamedErrorIsRememberedAndComesBackAsItself(t *testing.T) {
	t.Parallel()
	n := one(t)
	var loads atomic.Int64
	f := lethe.Memoize(n, "f", func(context.Context, string) (int, error) {
		loads.Add(1)
		return 0, fmt.Errorf("row 7: %w", errGone)
	}, lethe.WithNegative(time.Hour, errors.ErrUnsupported, errGone))
	for i := range 4 {
		r, err := f.Lookup(t.Context(), "k")
		if !errors.Is(err, errGone) {
			t.Fatal(err)
		}
		if want := []lethe.Outcome{lethe.Miss, lethe.Negative, lethe.Negative, lethe.Negative}[i]; r.Cache != want {
			t.Fatalf("read %d: %q", i, r.Cache)
		}
		if _, err := f.Get(t.Context(), "k"); !errors.Is(err, errGone) { // which does not go by Lookup's way
			t.Fatalf("read %d: Get took an error for a value: %v", i, err)
		}
		if i == 1 {
			lethe.DropHot(n)
		}
	}
	if loads.Load() != 1 {
		t.Fatalf("%d loads", loads.Load())
	}
	if _, ok := f.Peek(t.Context(), "k"); ok {
		t.Fatal("Peek took an error for a value")
	}
	must[event.Token](t)(f.Invalidate(t.Context(), "k"))
	if r, err := f.Lookup(t.Context(), "k"); r.Cache != lethe.Miss || !errors.Is(err, errGone) {
		t.Fatalf("an invalidated error was remembered: %+v, %v", r, err)
	}
}

func TestARememberedErrorExpires(t *testing.T) {
	t.Parallel()
	n := one(t)
	f := lethe.Memoize(n, "f", func(context.Context, string) (int, error) { return 0, errGone },
		lethe.WithNegative(50*time.Millisecond, errGone))
	if _, err := f.Get(t.Context(), "k"); !errors.Is(err, errGone) {
		t.Fatal(err)
	}
	until(t, "it is asked again", func() bool {
		r, err := f.Lookup(t.Context(), "k")
		if !errors.Is(err, errGone) || r.Age > 50*time.Millisecond && r.Cache == lethe.Negative {
			t.Fatalf("%+v, %v", r, err)
		}
		return r.Cache == lethe.Miss
	})
}

func TestOtherErrorsAreNotRemembered(t *testing.T) {
	t.Parallel()
	n := one(t)
	var loads atomic.Int64
	f := lethe.Memoize(n, "f", func(context.Context, string) (int, error) {
		loads.Add(1)
		return 0, errors.ErrUnsupported
	}, lethe.WithNegative(time.Hour, errGone))
	for range 3 {
		if _, err := f.Get(t.Context(), "k"); err != errors.ErrUnsupported { //nolint:errorlint // as it is, not wrapped
			t.Fatal(err)
		}
	}
	if loads.Load() != 3 {
		t.Fatalf("%d loads", loads.Load())
	}
}

func TestRefreshAheadLoadsBeforeTheValueExpires(t *testing.T) {
	t.Parallel()
	n, b := one(t), newBook()
	// Old after 1/10,000 of an hour, 0.36 s; a miss would be a failure for an hour.
	f := lethe.Memoize(n, "f", b.load, lethe.WithTTL(time.Hour), lethe.WithRefreshAhead(0.0001))
	must[int](t)(f.Get(t.Context(), "k"))
	b.write("k")
	until(t, "a load in the background brings the new value", func() bool {
		r, err := f.Lookup(t.Context(), "k")
		if err != nil || r.Cache != lethe.Hit {
			t.Fatalf("%+v, %v", r, err)
		}
		return r.Value == 1
	})
}
