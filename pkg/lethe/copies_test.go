package lethe_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/lethe-cache/lethe/pkg/embedded"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

func TestWithoutHotEveryCallerHasItsOwnCopy(t *testing.T) {
	t.Parallel()
	n, d := one(t), newDoor(t)
	f := lethe.Memoize(n, "f", func(context.Context, string) ([]int, error) {
		d.pass()
		return []int{1, 2, 3}, nil
	}, lethe.WithoutHot())
	var wg sync.WaitGroup
	for range 8 { // one leads, the others join; each changes what it got
		wg.Go(func() {
			v, err := f.Get(context.Background(), "k")
			if err != nil || len(v) != 3 || v[0] != 1 {
				t.Errorf("%v, %v", v, err)
				return
			}
			v[0] = 99
		})
	}
	until(t, "seven have joined", func() bool { return metric(t, n, "lethe_loads_shared_total", "function", "f") == 7 })
	d.unlock()
	wg.Wait()
	for range 3 {
		v := must[[]int](t)(f.Get(t.Context(), "k"))
		if v[0] != 1 {
			t.Fatalf("another caller's change: %v", v)
		}
		v[0] = 99
	}
}

func TestASharedValueThatACallerChangesIsCounted(t *testing.T) {
	t.Parallel()
	log := &journal{}
	n := opened(t, lethe.Config{Logger: log.logger()}) // a fleet of lethetest would fail the test
	load := func(_ context.Context, k string) (map[string]int, error) {
		return map[string]int{"a": 1, "b": 2, "c": 3, "d": 4, k: 5}, nil
	}
	f, g := lethe.Memoize(n, "f", load), lethe.Memoize(n, "g", load)
	for i := range 400 { // one in sixteen is watched
		k := fmt.Sprint(i)
		must[map[string]int](t)(f.Get(t.Context(), k))["a"] = 7
		must[map[string]int](t)(g.Get(t.Context(), k))
	}
	must[event.Token](t)(f.InvalidateAll(t.Context()))
	lethe.DropHot(n)
	until(t, "changes are counted", func() bool { return metric(t, n, "lethe_hot_values_modified_total", "function", "f") > 0 })
	if got := metric(t, n, "lethe_hot_values_modified_total", "function", "g"); got != 0 {
		t.Fatalf("%v changes counted of values that nobody changed", got)
	}
	until(t, "changes are logged", func() bool { return len(log.lines("value_modified function=f")) > 0 })
	if lines := log.lines("value_modified function=f"); len(lines) != 1 {
		t.Fatalf("logged %q, want one line a minute that names the function", lines)
	}
}

// opened is a ready node that lethetest does not watch.
func opened(t *testing.T, cfg lethe.Config) *lethe.Node {
	t.Helper()
	srv := must[*embedded.Server](t)(embedded.Start(within(t), embedded.Config{}))
	t.Cleanup(func() { _ = srv.Close() })
	cfg.Conn = must[*nats.Conn](t)(srv.Connect())
	t.Cleanup(cfg.Conn.Close)
	n := must[*lethe.Node](t)(lethe.Open(within(t), cfg))
	t.Cleanup(func() { _ = n.Close() })
	if err := n.Ready(within(t)); err != nil {
		t.Fatal(err)
	}
	return n
}
