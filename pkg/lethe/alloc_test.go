package lethe_test

import (
	"context"
	"testing"

	"github.com/lethe-cache/lethe/pkg/lethe"
)

type ctxKey int

// deep is a context five values deep, as a request's is.
func deep() context.Context {
	ctx := context.Background()
	for i := range 5 {
		ctx = context.WithValue(ctx, ctxKey(i), i)
	}
	return ctx
}

type product struct {
	SKU, Name, Brand string
	Price            int64
}

func loadProduct(_ context.Context, sku string) (product, error) {
	return product{SKU: sku, Name: "Teapot, blue", Brand: "acme", Price: 1995}, nil
}

func TestAHotHitAllocatesNothing(t *testing.T) {
	n := one(t)
	f := lethe.Memoize(n, "f", loadProduct)
	g := lethe.Memoize2(n, "g", func(ctx context.Context, sku string, _ int) (product, error) { return loadProduct(ctx, sku) })
	ctx := deep()
	must[product](t)(f.Get(ctx, "sku-42"))
	must[product](t)(g.Get(ctx, "sku-42", 7))
	if got := testing.AllocsPerRun(1000, func() { _, _ = f.Get(ctx, "sku-42") }); got != 0 && !raceEnabled {
		t.Errorf("%v allocations", got)
	}
	if got := testing.AllocsPerRun(1000, func() { _, _ = g.Get(ctx, "sku-42", 7) }); got != 0 && !raceEnabled {
		t.Errorf("two arguments: %v allocations", got)
	}
	if got := metric(t, n, "lethe_requests_total", "function", "f", "result", "hit"); got < 1000 {
		t.Errorf("%v hits: this run shows nothing", got)
	}
}

func TestABulkHitAllocatesLittle(t *testing.T) {
	n := one(t)
	f := lethe.Memoize(n, "f", loadProduct, lethe.WithoutHot())
	ctx := deep()
	must[product](t)(f.Get(ctx, "sku-42"))
	// The canonical key and its place in bulk, the copies bulk makes, the reader and its argument, and the value's strings.
	if got := testing.AllocsPerRun(1000, func() { _, _ = f.Get(ctx, "sku-42") }); got > 14 && !raceEnabled {
		t.Errorf("%v allocations", got)
	}
}
