package lethe_test

import (
	"context"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/lethe-cache/lethe/pkg/lethe"
)

// report holds far more than its encoding says: each of its parts is a string and a number of one byte encoded.
type report struct {
	Rows []struct {
		Name string
		N    int64
	}
	Body []byte
}

// These count the heap, so they run alone. What is allowed beside the two bounds: bulk's buffers (a quarter of MaxBytes) and index, a
// quarter of the hot tier for what an estimate may miss, and 48 MiB for what a node and the test hold.
func TestBothTiersStayWithinTheirBytesForValuesOfEverySize(t *testing.T) {
	const maxBytes, maxHotBytes = 32 << 20, 16 << 20
	n := one(t, lethe.Config{MaxBytes: maxBytes, MaxHotBytes: maxHotBytes})
	small := lethe.Memoize(n, "small", func(_ context.Context, k int) ([]byte, error) { return make([]byte, k%512), nil })
	blob := lethe.Memoize(n, "blob", func(_ context.Context, k int) ([]byte, error) { return make([]byte, 1+k), nil })
	rows := lethe.Memoize(n, "rows", func(_ context.Context, k int) (*report, error) {
		r := &report{Body: make([]byte, k%64)}
		for range k / 32 {
			r.Rows = append(r.Rows, struct {
				Name string
				N    int64
			}{N: 1})
		}
		return r, nil
	})
	live := lethe.Memoize(n, "live", func(_ context.Context, k int) (map[string]*report, error) {
		return map[string]*report{strings.Repeat("k", k%1000): {Body: make([]byte, k)}}, nil
	}, lethe.WithoutBulk())
	before := heap()
	rng, ctx := rand.New(rand.NewPCG(1, 2)), context.Background()
	for i := range 6000 / memoryScale() {
		size := 1 << rng.IntN(25) // 1 B to 16 MiB
		size += rng.IntN(size)
		if size > 1<<16 && i%16 != 0 { // few of the large, or the test would only allocate
			size %= 1 << 16
		}
		must[[]byte](t)(small.Get(ctx, i))
		must[[]byte](t)(blob.Get(ctx, min(size, 16<<20)))
		must[*report](t)(rows.Get(ctx, min(size, 1<<21)))
		must[map[string]*report](t)(live.Get(ctx, min(size, 16<<20)))
	}
	grown := int64(heap()) - int64(before)
	t.Logf("bulk %.0f, hot %.0f of %d and %d bytes, the heap has grown by %d", metric(t, n, "lethe_bytes", "tier", "bulk"), metric(t, n, "lethe_bytes", "tier", "hot"), maxBytes, maxHotBytes, grown)
	if most := int64(maxBytes + maxBytes/4 + maxHotBytes + maxHotBytes/4 + 48<<20); grown > most {
		t.Errorf("the heap has grown by %d bytes, at most %d are allowed", grown, most)
	}
	for tier, most := range map[string]float64{"bulk": maxBytes, "hot": maxHotBytes} {
		if got := metric(t, n, "lethe_bytes", "tier", tier); got > most || got < most/8 && !raceEnabled || metric(t, n, "lethe_max_bytes", "tier", tier) != most {
			t.Errorf("%s has %v bytes of %v", tier, got, most)
		}
		if metric(t, n, "lethe_evictions_total", "tier", tier, "reason", "too_large") == 0 {
			t.Errorf("no value was too large for %s: this run shows nothing", tier)
		}
	}
	runtime.KeepAlive(blob)
}

// link is a list of which nothing tells how long it is.
type link struct {
	next *link
	body [64]byte //nolint:unused // takes room
}

// A list with too many parts to be weighed counts as the largest value.
func TestFewValuesThatCannotBeWeighedAreKept(t *testing.T) {
	n := one(t, lethe.Config{MaxHotBytes: 64 << 20})
	f := lethe.Memoize(n, "f", func(context.Context, int) (l *link, _ error) {
		for range 100_000 {
			l = &link{next: l}
		}
		return l, nil
	}, lethe.WithoutBulk())
	for i := range 12 {
		must[*link](t)(f.Get(t.Context(), i))
		if r, err := f.Lookup(t.Context(), i); err != nil || i == 0 && r.Tier != lethe.Hot {
			t.Fatalf("%+v, %v", r, err)
		}
	}
	if got := lethe.HotLen(n); got < 1 || got > 4 {
		t.Errorf("%d lists are kept, want one to four", got)
	}
}

// What is too large for a part of bulk costs the entries that are there nothing.
func TestAValueTooLargeForBulkThrowsNothingOut(t *testing.T) {
	n := one(t, lethe.Config{MaxBytes: 8 << 20})
	loads := 0
	f := lethe.Memoize(n, "f.small", func(_ context.Context, _ int) ([]byte, error) { loads++; return make([]byte, 1000), nil }, lethe.WithoutHot())
	g := lethe.Memoize(n, "f.large", func(_ context.Context, size int) ([]byte, error) { return make([]byte, size), nil }, lethe.WithoutHot())
	warm := func() int {
		loads = 0
		for i := range 2000 {
			must[[]byte](t)(f.Get(t.Context(), i))
		}
		return loads
	}
	if warm() != 2000 || warm() != 0 {
		t.Fatal("2,000 small values are not kept: this run shows nothing")
	}
	const most = 1 << 20
	for _, size := range []int{most, most + 1, 2 << 20, 3 << 20, 16 << 20} {
		must[[]byte](t)(g.Get(t.Context(), size))
		must[[]byte](t)(g.Get(t.Context(), size))
	}
	if lost := warm(); lost > 0 {
		t.Errorf("%d of 2,000 entries were thrown out for values that are not kept", lost)
	}
	if got := metric(t, n, "lethe_evictions_total", "tier", "bulk", "reason", "too_large"); got != 10 {
		t.Errorf("%v were counted as too large, want 10", got)
	}
	must[[]byte](t)(g.Get(t.Context(), most-200))
	if r, err := g.Lookup(t.Context(), most-200); err != nil || r.Tier != lethe.Bulk {
		t.Errorf("the largest is not kept: %v, %v", r.Tier, err)
	}
}

// A later value that can't be kept leaves no earlier one behind.
func TestAnEarlierValueGoesWhereALaterOneIsTooLarge(t *testing.T) {
	t.Parallel()
	n := one(t, lethe.Config{MaxBytes: 1 << 20, MaxHotBytes: 1 << 20})
	f := lethe.Memoize(n, "f", load[int, []byte])
	for i, size := range []int{100, 1 << 20} {
		must[map[int][]byte](t)(f.Fill(t.Context(), func(context.Context) (map[int][]byte, error) { return map[int][]byte{1: make([]byte, size)}, nil }))
		if v, ok := f.Peek(t.Context(), 1); ok != (i == 0) {
			t.Errorf("after a value of %d bytes one of %d is there: %v", size, len(v), ok)
		}
	}
}
