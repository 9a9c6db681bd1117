package lethe

import (
	"context"
	"fmt"
	"testing"

	"github.com/lethe-cache/lethe/internal/bus"
	"github.com/lethe-cache/lethe/pkg/embedded"
	"github.com/lethe-cache/lethe/pkg/event"
)

// What a node does with one message of the live feed, from its bytes to the fence.
func BenchmarkApplyEventOf1Key(b *testing.B)    { benchmarkApply(b, 1) }
func BenchmarkApplyEventOf100Keys(b *testing.B) { benchmarkApply(b, 100) }

func benchmarkApply(b *testing.B, keys int) {
	srv, err := embedded.Start(b.Context(), embedded.Config{})
	if err != nil {
		b.Fatal(err)
	}
	defer srv.Close()
	conn, err := srv.Connect()
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	n, err := Open(b.Context(), Config{Conn: conn})
	if err != nil {
		b.Fatal(err)
	}
	defer n.Close()
	Memoize(n, "catalog.price", func(context.Context, string) (int, error) { return 0, nil })
	h := (*handler)(n)
	messages := make([]event.Message, 1024)
	for i := range messages {
		e := event.Event{Source: "/bench"}
		for k := range keys {
			e.Targets = append(e.Targets, event.Key("catalog.price", fmt.Sprintf("sku-%d-%d", i, k)))
		}
		if messages[i], err = event.Encode("default", e); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		m := messages[i%len(messages)]
		h.Apply(&bus.Delivery{Received: event.Decode("default", m.Subject, m.Header, m.Data), Live: true})
		i++
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(b.N*keys)/b.Elapsed().Seconds(), "keys/s")
}
