package manifest_test

import (
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/lethe-cache/lethe/pkg/lethe"
)

// Apply until the token is there, of an object each: from one goroutine, and from eight.
func BenchmarkApply(b *testing.B) {
	for _, e := range engines() {
		for _, writers := range []int{1, 8} {
			b.Run(e.name+"/"+strconv.Itoa(writers), func(b *testing.B) {
				p := places(b, e, 1)[0]
				if err := p.store.Ready(b.Context()); err != nil {
					b.Fatal(err)
				}
				var n atomic.Int64
				if writers == 1 {
					for b.Loop() {
						apply(b, p, n.Add(1))
					}
					return
				}
				b.ResetTimer()
				done := make(chan struct{})
				for range writers {
					go func() {
						for i := n.Add(1); i <= int64(b.N); i = n.Add(1) {
							apply(b, p, i)
						}
						done <- struct{}{}
					}()
				}
				for range writers {
					<-done
				}
			})
		}
	}
}

func apply(b *testing.B, p *place, i int64) {
	r, err := p.bots.Apply(b.Context(), bot("bot-"+strconv.FormatInt(i%1000, 10), Bot{Account: "a", Model: strconv.FormatInt(i, 10)}))
	if err != nil || r.Token.IsZero() {
		b.Error(r, err)
	}
}

// Get from the database, and through a memoized function.
func BenchmarkGet(b *testing.B) {
	for _, e := range engines() {
		p := places(b, e, 1)[0]
		must(p.bots.Apply(b.Context(), bot("helper", Bot{Account: "a", Model: "m"})))
		b.Run(e.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.bots.Get(b.Context(), "acme", "helper"); err != nil {
					b.Fatal(err)
				}
			}
		})
		view := lethe.Memoize2(p.node, "bots.get", p.bots.Get)
		b.Run(e.name+"/memoized", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := view.Get(b.Context(), "acme", "helper"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
