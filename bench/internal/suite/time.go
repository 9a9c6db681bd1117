package suite

import (
	"runtime"
	"time"
)

// Span is how long Time lets one round last.
func (e *Env) Span() time.Duration { return Pick(e, 150*time.Millisecond, 40*time.Millisecond) }

// Time calls op, which does its work n times, until a round is full, and returns ns/op, B/op and allocs/op. Allocations are
// those of the whole process: what works in the background counts for whoever is running.
func Time(e *Env, op func(n int)) Sample {
	op(1)
	n, took := 1, time.Duration(0)
	for took < e.Span()/20 {
		n *= 2
		begin := time.Now()
		op(n)
		took = time.Since(begin)
	}
	n = max(int(float64(n)*float64(e.Span())/float64(took)), 1)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	begin := time.Now()
	op(n)
	took = time.Since(begin)
	runtime.ReadMemStats(&after)
	return Sample{
		"ns/op":     float64(took) / float64(n),
		"B/op":      float64(after.TotalAlloc-before.TotalAlloc) / float64(n),
		"allocs/op": float64(after.Mallocs-before.Mallocs) / float64(n),
	}
}

// Median of xs; 0 of none.
func Median(xs []float64) float64 { return Quantile(xs, 0.5) }

// Quantile of xs, the nearest rank; 0 of none.
func Quantile(xs []float64, q float64) float64 {
	if len(xs) == 0 {
		return 0
	}
	xs = sorted(xs)
	return xs[min(int(q*float64(len(xs))), len(xs)-1)]
}
