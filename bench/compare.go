package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

// messageSize is that of an event with one key, on the wire.
const messageSize = 300

// pause between two events: what is measured is latency, not throughput.
const pause = 5 * time.Millisecond

type heard struct {
	kind, id string
	at       int64
}

func compare(ctx context.Context, nodes, rounds, events int) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	server, url, err := start(ctx, "serve")
	if err != nil {
		return err
	}
	defer server.stop()
	all := make(chan heard, 1<<16)
	fleet := "bench"
	processes := min(nodes, 4)
	for p := range processes {
		count := nodes / processes
		if p < nodes%processes {
			count++
		}
		c, _, err := start(ctx, "hold", url, strconv.Itoa(count), fleet)
		if err != nil {
			return err
		}
		defer c.stop()
		go c.tell(all)
	}
	pub, err := lethe.Open(ctx, lethe.Config{URL: url, Fleet: fleet, PublishOnly: true})
	if err != nil {
		return err
	}
	defer pub.Close()
	if err := pub.Ready(ctx); err != nil {
		return err
	}
	nc, err := nats.Connect(url)
	if err != nil {
		return err
	}
	defer nc.Close()

	kinds := map[string]func(id string) error{
		"L": func(id string) error {
			_, err := pub.Invalidate(event.WithReason(ctx, id), event.Key("bench.f", "sku-"+id))
			return err
		},
		"N": func(id string) error {
			if err := nc.Publish(plainSubject, fmt.Appendf(nil, "%-*s", messageSize, id)); err != nil {
				return err
			}
			return nc.Flush()
		},
	}
	p50, p99 := map[string][]float64{}, map[string][]float64{}
	for r := range rounds {
		for _, kind := range []string{"N", "L"} {
			samples, err := round(ctx, kind, kinds[kind], r, events, nodes, all)
			if err != nil {
				return err
			}
			slices.Sort(samples)
			p50[kind] = append(p50[kind], samples[len(samples)/2])
			p99[kind] = append(p99[kind], samples[len(samples)*99/100])
		}
	}
	n50, l50 := median(p50["N"]), median(p50["L"])
	fmt.Printf("| %d | %.0f / %.0f | %.0f / %.0f | %.2f (%.2f-%.2f) |\n", nodes, n50, median(p99["N"]), l50, median(p99["L"]),
		l50/n50, slices.Min(ratios(p50)), slices.Max(ratios(p50)))
	return nil
}

func ratios(p50 map[string][]float64) []float64 {
	rs := make([]float64, len(p50["N"]))
	for i := range rs {
		rs[i] = p50["L"][i] / p50["N"][i]
	}
	return rs
}

func median(xs []float64) float64 {
	xs = slices.Clone(xs)
	slices.Sort(xs)
	return xs[len(xs)/2]
}

// round publishes events one by one and returns, in µs, how long each took to reach the last of nodes.
func round(ctx context.Context, kind string, publish func(string) error, r, events, nodes int, all <-chan heard) ([]float64, error) {
	var samples []float64
	for i := range events {
		id := fmt.Sprintf("%s-%d-%d", kind, r, i)
		sent := time.Now().UnixNano()
		if err := publish(id); err != nil {
			return nil, err
		}
		var last int64
		for got := 0; got < nodes; {
			select {
			case h := <-all:
				if h.id == id {
					got++
					last = max(last, h.at)
				}
			case <-ctx.Done():
				return nil, fmt.Errorf("event %s reached too few nodes: %w", id, ctx.Err())
			}
		}
		samples = append(samples, float64(last-sent)/1e3)
		time.Sleep(pause)
	}
	return samples, nil
}
