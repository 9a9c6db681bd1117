package lethe_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/lethe-cache/lethe/pkg/lethe"
)

// tagged is what a product carries beside its function and its key: a tag with its two boundaries.
func tagged() lethe.Option {
	return lethe.WithTags(func(_ string, p *product) []string { return []string{"brand:" + p.Brand} })
}

func pointProduct(ctx context.Context, sku string) (*product, error) {
	p, err := loadProduct(ctx, sku)
	return &p, err
}

// longKeys are n keys of 64 bytes in random order.
func longKeys(n int) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("%s%08d", strings.Repeat("k", 56), i)
	}
	rand.Shuffle(n, func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	return keys
}

func BenchmarkHotHit(b *testing.B) {
	for _, n := range []int{512, 1 << 16} {
		keys := longKeys(n)
		f := lethe.Memoize(one(b, lethe.Config{MaxHot: 4 * n, MaxHotBytes: int64(4*n) << 12}), "f", pointProduct, tagged())
		ctx := deep()
		for _, k := range keys {
			must[*product](b)(f.Get(ctx, k))
		}
		rand.Shuffle(n, func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
		b.Run(fmt.Sprintf("keys=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if v, _ := f.Get(ctx, keys[i&(n-1)]); v.Price == 0 {
					b.Fatal("another value")
				}
			}
		})
		b.Run(fmt.Sprintf("keys=%d/parallel", n), func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for i := rand.Int(); pb.Next(); i++ {
					if v, _ := f.Get(ctx, keys[i&(n-1)]); v.Price == 0 {
						panic("another value")
					}
				}
			})
		})
	}
}

// plainCodec is of values that take hardly any decoding.
type plainCodec struct{}

func (plainCodec) Append(dst []byte, v any) ([]byte, error) {
	s, _ := v.(string)
	return append(dst, s...), nil
}

func (plainCodec) Decode(data []byte, v any) error {
	s, _ := v.(*string)
	*s = string(data)
	return nil
}

func BenchmarkBulkHit(b *testing.B) {
	keys := longKeys(512)
	ctx := deep()
	b.Run("fields", func(b *testing.B) {
		f := lethe.Memoize(one(b), "f", loadProduct, lethe.WithoutHot(), lethe.WithTags(func(string, product) []string { return []string{"brand:acme"} }))
		for _, k := range keys {
			must[product](b)(f.Get(ctx, k))
		}
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			_, _ = f.Get(ctx, keys[i&511])
		}
	})
	b.Run("100 bytes", func(b *testing.B) {
		f := lethe.Memoize(one(b), "f", func(context.Context, string) (string, error) { return strings.Repeat("x", 100), nil },
			lethe.WithoutHot(), lethe.WithCodec(plainCodec{}), lethe.WithTags(func(string, string) []string { return []string{"brand:acme"} }))
		for _, k := range keys {
			must[string](b)(f.Get(ctx, k))
		}
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			_, _ = f.Get(ctx, keys[i&511])
		}
	})
}

func BenchmarkMiss(b *testing.B) {
	var at atomic.Int64
	keys := longKeys(1 << 20)
	next := func() string { return keys[at.Add(1)&(1<<20-1)] }
	f := lethe.Memoize(one(b, lethe.Config{MaxBytes: 32 << 20, MaxHot: 1 << 16, MaxHotBytes: 256 << 20}), "f", pointProduct, tagged())
	ctx := deep()
	b.Run("one", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = f.Get(ctx, next())
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				_, _ = f.Get(ctx, next())
			}
		})
	})
}
