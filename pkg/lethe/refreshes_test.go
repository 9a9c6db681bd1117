package lethe_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

func TestLoadsInTheBackgroundAreBoundedAndTheOldValueIsServedMeanwhile(t *testing.T) {
	t.Parallel()
	n := one(t, lethe.Config{MaxLoads: 1000})
	release := make(chan struct{})
	open := sync.OnceFunc(func() { close(release) })
	t.Cleanup(open) // before the node is closed, which waits for its loads
	var waiting atomic.Int64
	warm := atomic.Bool{}
	f := lethe.Memoize(n, "f", func(_ context.Context, k int) (int, error) {
		if warm.Load() {
			waiting.Add(1)
			<-release
		}
		return k, nil
	}, lethe.WithStale(time.Minute))
	const keys = 300
	for k := range keys {
		must[int](t)(f.Get(t.Context(), k))
	}
	warm.Store(true)
	must[event.Token](t)(n.Invalidate(t.Context(), event.Function("f").Soft()))
	read := func() {
		for k := range keys {
			if r, err := f.Lookup(t.Context(), k); err != nil || r.Value != k || r.Cache != lethe.Stale {
				t.Fatalf("%d: %+v, %v", k, r, err)
			}
		}
	}
	read()
	until(t, "256 loads wait", func() bool { return waiting.Load() == 256 })
	read()
	if w := waiting.Load(); w != 256 {
		t.Errorf("%d loads in the background", w)
	}
	open()
	until(t, "the others are loaded too", func() bool {
		read2 := 0
		for k := range keys {
			if _, err := f.Get(t.Context(), k); err == nil {
				read2++
			}
		}
		return read2 == keys && waiting.Load() > 256
	})
}
