package lethe_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

// panics fails unless fn panics with words that contain each of text.
func panics(t *testing.T, text string, fn func()) {
	t.Helper()
	defer func() {
		t.Helper()
		p := recover()
		if p == nil {
			t.Errorf("no panic; want one about %q", text)
		} else if !strings.Contains(fmt.Sprint(p), text) {
			t.Errorf("panic %q; want one about %q", p, text)
		}
	}()
	fn()
}

func load[K, V any](context.Context, K) (v V, err error) { return v, nil }

func TestMemoizePanicsOnWhatOnlyAProgrammerCanMend(t *testing.T) {
	t.Parallel()
	n := one(t)
	lethe.Memoize(n, "taken", load[string, int], lethe.WithFormerName("old.taken"))
	intBatch := func(context.Context, []int) (map[int]int, error) { return nil, nil }
	stringBatch := func(context.Context, []string) (map[string]string, error) { return nil, nil }
	for text, fn := range map[string]func(){
		"nil Node":                   func() { lethe.Memoize(nil, "x", load[string, int]) },
		"nil loader":                 func() { lethe.Memoize[string, int](n, "x", nil) },
		`"taken" is taken`:           func() { lethe.Memoize(n, "taken", load[string, int]) },
		`"old.taken" is taken`:       func() { lethe.Memoize(n, "old.taken", load[string, int]) },
		"9x":                         func() { lethe.Memoize(n, "9x", load[string, int]) },
		"WithFormerName":             func() { lethe.Memoize(n, "x", load[string, int], lethe.WithFormerName("no name")) },
		`"x" is taken`:               func() { lethe.Memoize(n, "x", load[string, int], lethe.WithFormerName("x")) },
		"over Config.MaxTTL":         func() { lethe.Memoize(n, "x", load[string, int], lethe.WithTTL(time.Hour+1)) },
		"WithTTL: 0s is not":         func() { lethe.Memoize(n, "x", load[string, int], lethe.WithTTL(0)) },
		"give WithTTL too":           func() { lethe.Memoize(n, "x", load[string, int], lethe.WithStale(2*time.Hour)) },
		"WithStale: -1ns":            func() { lethe.Memoize(n, "x", load[string, int], lethe.WithStale(-1)) },
		"WithTimeout":                func() { lethe.Memoize(n, "x", load[string, int], lethe.WithTimeout(0)) },
		"WithRefreshAhead":           func() { lethe.Memoize(n, "x", load[string, int], lethe.WithRefreshAhead(1)) },
		"name 1 to 254 errors":       func() { lethe.Memoize(n, "x", load[string, int], lethe.WithNegative(time.Second)) },
		"WithNegative: 2h0m0s is ov": func() { lethe.Memoize(n, "x", load[string, int], lethe.WithNegative(2*time.Hour, errGone)) },
		"WithPolicy":                 func() { lethe.Memoize(n, "x", load[string, int], lethe.WithPolicy(lethe.ServeStale(-1))) },
		"nil codec":                  func() { lethe.Memoize(n, "x", load[string, int], lethe.WithCodec(nil)) },
		"nil Option":                 func() { lethe.Memoize(n, "x", load[string, int], nil) },
		"nothing is left":            func() { lethe.Memoize(n, "x", load[string, int], lethe.WithoutHot(), lethe.WithoutBulk()) },
		"WithBatch: is func":         func() { lethe.Memoize(n, "x", load[string, int], lethe.WithBatch(intBatch)) },
		"map[string]string":          func() { lethe.Memoize(n, "x", load[string, int], lethe.WithBatch(stringBatch)) },
		"WithTags: is func": func() {
			lethe.Memoize(n, "x", load[string, int], lethe.WithTags(func(int, int) []string { return nil }))
		},
		"WithTags is for Memoize only; use AddTags in the loader": func() {
			lethe.Memoize2(n, "x", func(context.Context, string, string) (int, error) { return 0, nil },
				lethe.WithTags(func(string, int) []string { return nil }))
		},
		"WithBatch is for Memoize only": func() {
			lethe.Memoize0(n, "x", func(context.Context) (int, error) { return 0, nil }, lethe.WithBatch(intBatch))
		},
		"WithNegative: error 2 is nil": func() { lethe.Memoize(n, "x", load[string, int], lethe.WithNegative(time.Second, errGone, nil)) },
		"WithBatch: nil":               func() { lethe.Memoize(n, "x", load[string, int], lethe.WithBatch[string, int](nil)) },
		"WithTags: nil":                func() { lethe.Memoize(n, "x", load[string, int], lethe.WithTags[string, int](nil)) },
	} {
		panics(t, text, fn)
	}
	// None of them left anything behind.
	lethe.Memoize(n, "x", load[string, int])
	if got := len(n.Functions()); got != 2 {
		t.Fatalf("%d functions", got)
	}
}

func TestMemoizePanicsOnKeysAndValuesItCannotTellApart(t *testing.T) {
	t.Parallel()
	n := one(t)
	type hidden struct {
		A      string
		tenant string
	}
	type pointing struct{ P *int }
	type lossy struct{ C chan int }
	_ = hidden{}.tenant
	for i, fn := range []func(){
		func() { lethe.Memoize(n, "k", load[hidden, int]) },
		func() { lethe.Memoize(n, "k", load[pointing, int]) },
		func() { lethe.Memoize(n, "k", load[*int, int]) },
		func() { lethe.Memoize(n, "k", load[any, int]) },
		func() {
			lethe.Memoize2(n, "k", func(context.Context, string, hidden) (int, error) { return 0, nil })
		},
		func() { lethe.Memoize(n, "k", load[string, lossy]) },
		func() { lethe.Memoize(n, "k", load[string, func()]) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("case %d did not panic", i)
				}
			}()
			fn()
		}()
	}
	lethe.Memoize(n, "fine", load[string, func()], lethe.WithoutBulk()) // kept as it is
}

func TestWhatIsLongerThanMaxTTLMeansAsLongAsMayBe(t *testing.T) {
	t.Parallel()
	n, b := one(t), newBook()
	f := lethe.Memoize(n, "f", b.load, lethe.WithTTL(time.Minute), lethe.WithStale(1<<63-1), lethe.WithPolicy(lethe.ServeStale(1<<63-1)))
	must[int](t)(f.Get(t.Context(), "k"))
	r, err := f.Lookup(t.Context(), "k")
	wantLookup(t, r, err, 0, lethe.Hit, lethe.Hot)
	applied(t, []event.Target{f.Target("k").Soft()}, n)
	if v, ok := f.Peek(t.Context(), "k"); !ok || v != 0 {
		t.Fatal("WithStale over MaxTTL serves nothing")
	}
}
