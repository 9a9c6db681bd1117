package lethe_test

import (
	"slices"
	"testing"
	"time"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
	"github.com/lethe-cache/lethe/pkg/lethe/lethetest"
)

// An invalidation and the Barrier that follows it, over fifty nodes of one process; the Barrier alone is what is timed.
func BenchmarkBarrierOverFiftyNodes(b *testing.B) {
	nodes := lethetest.Fleet(b, 50, lethe.Config{MaxBytes: 1 << 20})
	if _, err := nodes[0].Barrier(b.Context(), event.Token{}); err != nil {
		b.Fatal(err)
	}
	var took []time.Duration
	b.ResetTimer()
	for i := range b.N {
		asker := nodes[i%len(nodes)]
		tok, err := nodes[(i+7)%len(nodes)].Invalidate(b.Context(), event.Name[int]("f").Key(i))
		if err != nil {
			b.Fatal(err)
		}
		begun := time.Now()
		r, err := asker.Barrier(b.Context(), tok)
		if err != nil || len(r.Applied) != len(nodes) {
			b.Fatalf("%d of %d applied: %v", len(r.Applied), len(nodes), err)
		}
		took = append(took, time.Since(begun))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}
