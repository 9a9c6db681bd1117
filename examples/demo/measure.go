package main

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// timing of many of the same.
type timing struct {
	n        int
	p50, p99 time.Duration
}

// measure times single-key invalidations, one after the other, from the call on node-1 to what the others say.
func (s *story) measure(ctx context.Context) error {
	const n = 200
	s.say("\nMeasure: %d times one key, called on %s over HTTP", n, s.nodes[0].name)
	names := s.files.below("http-status/")
	first := make([]histogram, len(s.nodes))
	for i, node := range s.nodes {
		var err error
		if first[i], err = node.propagation(ctx); err != nil {
			return err
		}
	}
	took := make([][]time.Duration, len(s.nodes))
	for i := range n {
		begin := time.Now()
		token, err := s.nodes[0].invalidate(ctx, names[i%len(names)])
		if err != nil {
			return err
		}
		for j, node := range s.nodes {
			heard, err := node.heard.await(ctx, token)
			if err != nil {
				return err
			}
			took[j] = append(took[j], heard.heard.Sub(begin))
		}
	}
	var others []time.Duration
	for j, node := range s.nodes {
		last, err := node.propagation(ctx)
		if err != nil {
			return err
		}
		s.say("  %s   call to heard here: p50 %s, p99 %s   the node's own figure, event made to applied: %s",
			node.name, brief(quantile(took[j], 0.5)), brief(quantile(took[j], 0.99)), last.since(first[j]))
		if j > 0 {
			others = append(others, took[j]...)
		}
	}
	s.timing = timing{n, quantile(others, 0.5), quantile(others, 0.99)}
	s.say("  \"heard here\" is measured in this process: an HTTP request in, the event stored and applied, and the event as")
	s.say("  the node then tells it on /v1/events. The node's own figure is lethe_propagation_seconds, without HTTP; all")
	s.say("  processes of one machine share its clock.")
	return nil
}

// quantile sorts a copy.
func quantile(list []time.Duration, q float64) time.Duration {
	if len(list) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(list))
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

// brief prints a duration with two or three digits that mean something.
func brief(d time.Duration) string {
	switch {
	case d >= time.Second:
		return fmt.Sprintf("%.2f s", d.Seconds())
	case d >= 10*time.Millisecond:
		return fmt.Sprintf("%.0f ms", d.Seconds()*1e3)
	case d >= time.Millisecond:
		return fmt.Sprintf("%.1f ms", d.Seconds()*1e3)
	}
	return fmt.Sprintf("%.0f µs", d.Seconds()*1e6)
}
