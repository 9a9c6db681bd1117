package main

import (
	"math/rand/v2"
	"slices"
)

// queue simulates events that come at chance moments to a server that fans out. One that comes alone is delivered alone; those that
// come meanwhile gather, and go out together: to each node in one write, which is cheaper. All times are seconds.
type queue struct {
	rate  float64   // events a second
	first float64   // to deliver one event to all nodes
	more  float64   // for each further one that goes with it
	alone []float64 // latencies seen on an idle server, which first is a part of
}

// run returns the latencies of about n events, sorted. It goes from one delivery to the next.
func (q queue) run(seed uint64, n int) []float64 {
	rng := rand.New(rand.NewPCG(seed, 7))
	latencies := make([]float64, 0, n)
	now, next := 0.0, rng.ExpFloat64()/q.rate // the server is free; the first event that has not gone out
	for len(latencies) < n {
		now = max(now, next)
		var came []float64
		for ; next <= now; next += rng.ExpFloat64() / q.rate {
			came = append(came, next)
		}
		gathered := q.more * float64(len(came)-1)
		for _, at := range came {
			latencies = append(latencies, now-at+gathered+q.alone[rng.IntN(len(q.alone))])
		}
		now += q.first + gathered
	}
	slices.Sort(latencies)
	return latencies
}

func quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}
