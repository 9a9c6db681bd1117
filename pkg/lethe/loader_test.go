package lethe_test

import (
	"context"
	"encoding/json"
	"errors"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

// counting is the default encoding, counted.
// counting is a codec that counts the encodings of 7.
type counting struct{ encoded atomic.Int64 }

func (c *counting) Append(dst []byte, v any) ([]byte, error) {
	if v == 7 {
		c.encoded.Add(1)
	}
	b, err := json.Marshal(v)
	return append(dst, b...), err
}

func (*counting) Decode(data []byte, v any) error { return json.Unmarshal(data, v) }

func TestALoaderThatIgnoresItsContextHoldsNobodyUpAndIsNotKept(t *testing.T) {
	t.Parallel()
	for name, opts := range map[event.Name[string]][]lethe.Option{
		"bound.node": nil,
		"bound.own":  {lethe.WithTimeout(20 * time.Millisecond)},
	} {
		n := one(t, lethe.Config{MaxLoad: 40 * time.Millisecond})
		d, codec := newDoor(t), new(counting)
		f := lethe.Memoize(n, name, func(_ context.Context, k string) (int, error) {
			if k == "slow" {
				d.pass()
				return 7, nil
			}
			return 1, nil
		}, append(opts, lethe.WithCodec(codec))...)
		_, err := f.Get(within(t), "slow")
		var own *lethe.Error
		if !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &own) || own.Op != "load" {
			t.Fatalf("%s: %v; want the end of the load's own time", name, err)
		}
		must[int](t)(f.Get(t.Context(), "fast"))
		d.unlock() // the late result comes now
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
		if got := codec.encoded.Load(); got != 0 {
			t.Fatalf("%s: the late result was encoded %d times: a result came after its time was up", name, got)
		}
	}
}

func TestALoadHasTheCallersValuesAndNotItsCancellation(t *testing.T) {
	t.Parallel()
	type key struct{}
	n, d := one(t), newDoor(t)
	f := lethe.Memoize(n, "f", func(ctx context.Context, _ string) (int, error) {
		d.pass()
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		if _, ok := ctx.Deadline(); !ok {
			return 0, errors.New("no deadline")
		}
		n, ok := ctx.Value(key{}).(int)
		if !ok {
			return 0, errors.New("no value of the caller's")
		}
		return n, nil
	})
	ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, 42))
	led, joined := make(chan error, 1), make(chan error, 1)
	go func() { _, err := f.Get(ctx, "k"); led <- err }()
	take(t, "the load begins", d.entered)
	go func() {
		v, err := f.Get(context.Background(), "k")
		if v != 42 && err == nil {
			err = errors.New("wrong value")
		}
		joined <- err
	}()
	until(t, "a second has joined", func() bool { return metric(t, n, "lethe_loads_shared_total", "function", "f") == 1 })
	cancel()
	if err := take(t, "the leader gives up", led); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	d.unlock()
	if err := take(t, "the joiner has its value", joined); err != nil {
		t.Fatal(err)
	}
	if _, ok := f.Peek(t.Context(), "k"); !ok {
		t.Fatal("the load of a leader that gave up was not kept")
	}
}

func TestAPanicOfALoaderIsAPanicError(t *testing.T) {
	t.Parallel()
	log := &journal{}
	n := one(t, lethe.Config{Logger: log.logger()})
	f := lethe.Memoize(n, "f", func(context.Context, string) (int, error) { panic("no database") })
	_, err := f.Get(t.Context(), "k")
	var p *lethe.PanicError
	if !errors.As(err, &p) || p.Value != "no database" || !strings.Contains(string(p.Stack), "loader_test.go") || p.Error() != "lethe: panic: no database" {
		t.Fatalf("got %v", err)
	}
	for range 3 { // logged once a minute
		_, _ = f.Get(t.Context(), "k")
	}
	until(t, "it is logged", func() bool { return len(log.lines("function=f ")) > 0 })
	if lines := log.lines("function=f "); len(lines) != 1 || !strings.Contains(lines[0], "loader_test.go") || !strings.Contains(lines[0], "level=ERROR") {
		t.Fatalf("logged %q", lines)
	}
	g := lethe.Memoize(n, "g", single(t), lethe.WithBatch(func(context.Context, []string) (map[string]int, error) { panic("no database") }))
	if _, err := g.GetMany(t.Context(), []string{"a", "b"}); err == nil || !strings.Contains(err.Error(), "no database") {
		t.Fatalf("got %v", err)
	}
}

func TestALoaderThatEndsItsGoroutineIsAnError(t *testing.T) {
	t.Parallel()
	n := one(t)
	f := lethe.Memoize(n, "f", func(context.Context, string) (int, error) {
		runtime.Goexit()
		return 0, nil
	})
	_, err := f.Get(within(t), "k")
	if err == nil || !strings.Contains(err.Error(), "Goexit") {
		t.Fatalf("got %v", err)
	}
	if _, err := f.Fill(within(t), func(context.Context) (map[string]int, error) { runtime.Goexit(); return nil, nil }); err == nil || !strings.Contains(err.Error(), "Goexit") {
		t.Fatalf("got %v", err)
	}
}

func TestAKeyWhoseLoadWaitsForItselfIsACycle(t *testing.T) {
	t.Parallel()
	n := one(t)
	var f, g, h *lethe.Func[string, int]
	f = lethe.Memoize(n, "f", func(ctx context.Context, k string) (int, error) { return f.Get(ctx, k) })
	g = lethe.Memoize(n, "g", func(ctx context.Context, k string) (int, error) { return h.Get(ctx, k) })
	h = lethe.Memoize(n, "h", func(ctx context.Context, k string) (int, error) {
		m, err := g.GetMany(ctx, []string{k})
		return m[k], err
	})
	for _, f := range []*lethe.Func[string, int]{f, g, h} {
		if _, err := f.Get(within(t), "k"); !errors.Is(err, lethe.ErrCycle) {
			t.Fatalf("got %v", err)
		}
		if _, err := f.Get(lethe.WithBypass(within(t)), "k"); !errors.Is(err, lethe.ErrCycle) {
			t.Fatalf("bypassing: got %v", err)
		}
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	for _, f := range []*lethe.Func[string, int]{f, g, h} {
		if _, err := f.Get(within(t), "k"); !errors.Is(err, lethe.ErrCycle) {
			t.Fatalf("closed: got %v", err)
		}
	}
}

func TestLoadsThatWaitForEachOtherDoNotWaitForEver(t *testing.T) {
	t.Parallel()
	n := one(t)
	var f, g *lethe.Func[string, int]
	var both sync.WaitGroup // both loads are under way before either asks for the other's key
	both.Add(2)
	var first [2]sync.Once
	f = lethe.Memoize(n, "f", func(ctx context.Context, k string) (int, error) {
		first[0].Do(func() { both.Done(); both.Wait() })
		return g.Get(ctx, k)
	})
	g = lethe.Memoize(n, "g", func(ctx context.Context, k string) (int, error) {
		first[1].Do(func() { both.Done(); both.Wait() })
		return f.Get(ctx, k)
	})
	done := make(chan error, 2)
	for _, f := range []*lethe.Func[string, int]{f, g} {
		go func() { _, err := f.Get(context.Background(), "k"); done <- err }()
	}
	for range 2 {
		if err := take(t, "both end", done); !errors.Is(err, lethe.ErrCycle) {
			t.Fatal(err)
		}
	}
}

func TestRecursionOnOtherKeysIsAllowed(t *testing.T) {
	t.Parallel()
	n := one(t)
	var fib *lethe.Func[int, int]
	var loads atomic.Int64
	fib = lethe.Memoize(n, "fib", func(ctx context.Context, i int) (int, error) {
		loads.Add(1)
		if i < 2 {
			return i, nil
		}
		a, err := fib.Get(ctx, i-1)
		if err != nil {
			return 0, err
		}
		b, err := fib.Get(ctx, i-2)
		return a + b, err
	})
	if v := must[int](t)(fib.Get(within(t), 80)); v != 23416728348467685 {
		t.Fatalf("got %v", v)
	}
	if loads.Load() != 81 {
		t.Fatalf("%d loads", loads.Load())
	}
}
