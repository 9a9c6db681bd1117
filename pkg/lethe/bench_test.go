package lethe_test

import (
	"fmt"
	"testing"

	"github.com/lethe-cache/lethe/pkg/lethe"
)

func BenchmarkHotHit(b *testing.B) {
	f := lethe.Memoize(one(b), "f", loadProduct)
	ctx := deep()
	must[product](b)(f.Get(ctx, "sku-42"))
	b.ReportAllocs()
	for b.Loop() {
		_, _ = f.Get(ctx, "sku-42")
	}
}

func BenchmarkHotHitParallel(b *testing.B) {
	f := lethe.Memoize(one(b), "f", loadProduct)
	ctx := deep()
	var keys [256]string
	for i := range keys {
		keys[i] = fmt.Sprintf("sku-%d", i)
		must[product](b)(f.Get(ctx, keys[i]))
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			_, _ = f.Get(ctx, keys[i&255])
		}
	})
}

func BenchmarkBulkHit(b *testing.B) {
	f := lethe.Memoize(one(b), "f", loadProduct, lethe.WithoutHot())
	ctx := deep()
	must[product](b)(f.Get(ctx, "sku-42"))
	b.ReportAllocs()
	for b.Loop() {
		_, _ = f.Get(ctx, "sku-42")
	}
}

func BenchmarkMissAndStore(b *testing.B) {
	f := lethe.Memoize(one(b), "f", loadProduct)
	ctx := deep()
	keys := make([]string, 4096)
	for i := range keys {
		keys[i] = fmt.Sprintf("sku-%d", i)
	}
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		k := keys[n%len(keys)]
		n++
		if n > len(keys) {
			b.StopTimer()
			_, _ = f.InvalidateAll(ctx)
			n = 1
			k = keys[0]
			b.StartTimer()
		}
		_, _ = f.Get(ctx, k)
	}
}
