package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"time"
)

// simulate finds out how many events a second a rig can deliver, and how long one takes alone; then it says what latencies are to
// be expected at parts of that, and measures them.
func simulate(ctx context.Context, w io.Writer, c *Constants) (err error) {
	const nodes = 50
	r, err := open(ctx, 1, nodes, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	if _, err := r.latencies(ctx, 200, time.Second); err != nil {
		return err
	}
	alone, err := r.latencies(ctx, 20, 8*time.Second)
	if err != nil {
		return err
	}
	// More than it can deliver: what is left after the last was due says how much that is.
	begin := time.Now()
	all, err := r.latencies(ctx, 20_000, time.Second)
	if err != nil {
		return err
	}
	most := float64(len(all)) / time.Since(begin).Seconds()
	// Server and nodes share the processors of this machine: what one event takes of them all.
	first := (c.ServerEventUS.At(slow) + nodes*(c.ServerDeliveryUS.At(slow)+c.NodeEventUS.At(slow))) / 1e6 / float64(runtime.NumCPU())
	fmt.Fprintf(w, "%d nodes: alone p50 %.2f ms, p99 %.2f ms; at most %.0f events/s; the model has %.2f ms of this machine for one event alone\n\n",
		nodes, 1e3*quantile(alone, 0.5), 1e3*quantile(alone, 0.99), most, 1e3*first)
	fmt.Fprintf(w, "| load | events/s | p50 ms: simulated / measured = | p99 ms: simulated / measured = |\n|---|---|---|---|\n")
	for _, part := range []float64{0.2, 0.5, 0.8} {
		q := queue{rate: part * most, first: max(first, 1/most), more: 1 / most, alone: alone}
		sim := q.run(1, 100_000)
		got, err := r.latencies(ctx, q.rate, 4*time.Second)
		if err != nil {
			return err
		}
		cell := func(x float64) string {
			a, b := 1e3*quantile(sim, x), 1e3*quantile(got, x)
			return fmt.Sprintf("%.2f / %.2f = %.2f", a, b, a/b)
		}
		fmt.Fprintf(w, "| %.0f %% | %.0f | %s | %s |\n", 100*part, q.rate, cell(0.5), cell(0.99))
	}
	return nil
}

// latencies publishes at a rate for d and returns the seconds from when each event was due until the last node had applied it, sorted.
func (r *rig) latencies(ctx context.Context, rate float64, d time.Duration) ([]float64, error) {
	events, err := r.publish(ctx, rate, 1, d)
	if err != nil || len(events) == 0 {
		return nil, errors.Join(err, errors.New("few events"))
	}
	last := map[uint64]int64{}
	for _, c := range r.nodes {
		var t tell
		if err := c.Ask(askFor, ask{Token: events[len(events)-1].token.String()}, &t); err != nil {
			return nil, err
		}
		deadline := time.Now().Add(5 * time.Second) // the receiver is behind what is applied
		got := map[uint64]int64{}
		for len(got) < len(events) {
			if time.Now().After(deadline) {
				return nil, fmt.Errorf("a node has heard %d of %d events", len(got), len(events))
			}
			if err := c.Ask(askFor, ask{Times: true}, &t); err != nil {
				return nil, err
			}
			for sequence, at := range t.Heard {
				got[sequence] = at
			}
			t = tell{}
		}
		for sequence, at := range got {
			last[sequence] = max(last[sequence], at)
		}
	}
	all := make([]float64, 0, len(events))
	for _, e := range events {
		at, ok := last[e.token.Sequence()]
		if !ok {
			return nil, fmt.Errorf("nobody has heard %s", e.token)
		}
		all = append(all, float64(at-e.due)/1e9)
	}
	slices.Sort(all)
	return all, nil
}
