package lethe_test

import (
	"context"
	"runtime"
	"testing"

	"github.com/lethe-cache/lethe/pkg/lethe"
)

// raceEnabled says that the race detector allocates besides.
const raceEnabled = lethe.RaceEnabled

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
	// The copies bulk makes of key and value, the value, its reader and its three strings.
	if got := testing.AllocsPerRun(1000, func() { _, _ = f.Get(ctx, "sku-42") }); got > 7 && !raceEnabled {
		t.Errorf("%v allocations", got)
	}
	if got := metric(t, n, "lethe_requests_total", "function", "f", "result", "hit"); got < 1000 {
		t.Errorf("%v hits: this run shows nothing", got)
	}
}

func TestAMissAllocatesLittleAndStartsNoGoroutine(t *testing.T) {
	n := one(t)
	f := lethe.Memoize(n, "f", pointProduct, tagged())
	ctx := deep()
	keys := longKeys(4096)
	must[*product](t)(f.Get(ctx, "first"))
	at, before := 0, runtime.NumGoroutine()
	got := testing.AllocsPerRun(2000, func() {
		_, _ = f.Get(ctx, keys[at])
		at++
	})
	// Of the user: value, tag and its slice. Then text, flight, its channel, job, record, two contexts, labels, the hot entry; the rest
	// is bulk and map growing, a sample of encoded values, and what the node does meanwhile.
	if got > 15 && !raceEnabled {
		t.Errorf("%v allocations", got)
	}
	if now := runtime.NumGoroutine(); now > before+8 { // those of other things come and go
		t.Errorf("%d goroutines after %d misses, %d before", now, at, before)
	}
	if got := metric(t, n, "lethe_requests_total", "function", "f", "result", "miss"); got < 2000 {
		t.Errorf("%v misses: this run shows nothing", got)
	}
}
