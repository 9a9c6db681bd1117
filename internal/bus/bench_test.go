package bus_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/lethe-cache/lethe/internal/bus"
	"github.com/lethe-cache/lethe/pkg/embedded"
	"github.com/lethe-cache/lethe/pkg/event"
)

// BenchmarkInvalidateUntilAppliedElsewhere is publish to applied on another node, in one process.
func BenchmarkInvalidateUntilAppliedElsewhere(b *testing.B) {
	nodes := benchFleet(b)
	for b.Loop() {
		token, err := nodes[0].Invalidate(b.Context(), []event.Target{event.Tag("user:42")})
		if err != nil {
			b.Fatal(err)
		}
		if err := nodes[1].Wait(b.Context(), token); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkInvalidateFromManyCallers is group commit at work.
func BenchmarkInvalidateFromManyCallers(b *testing.B) {
	nodes := benchFleet(b)
	before := nodes[0].Status().Published
	b.SetParallelism(64)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := nodes[0].Invalidate(b.Context(), []event.Target{event.Tag("user:" + event.NewID())}); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(nodes[0].Status().Published-before)/float64(b.N), "events/op")
}

// deaf is a Handler that does nothing.
type deaf struct{}

func (deaf) Apply(*bus.Delivery) {}
func (deaf) FenceAll()           {}
func (deaf) ResetDone(string)    {}
func (deaf) Passed(uint64)       {}
func (deaf) Lease(int64)         {}

func benchFleet(b *testing.B) []*bus.Bus {
	b.Helper()
	srv, err := embedded.Start(b.Context(), embedded.Config{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = srv.Close() })
	base := time.Now()
	var nodes []*bus.Bus
	for range 2 {
		nc, err := srv.Connect()
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(nc.Close)
		n, err := bus.Open(b.Context(), bus.Config{
			Conn: nc, Fleet: fleet, Name: "bench", Source: "/lethe/shop/" + event.NewID(), Handler: deaf{},
			Now: func() int64 { return int64(time.Since(base)) + 1 }, Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = n.Close() })
		ctx, cancel := context.WithTimeout(b.Context(), 10*time.Second)
		if err := n.Ready(ctx); err != nil {
			b.Fatal(err)
		}
		cancel()
		nodes = append(nodes, n)
	}
	return nodes
}
