package lethe_test

import (
	"context"
	"runtime"
	"testing"

	"github.com/lethe-cache/lethe/pkg/lethe"
)

// memoryScale makes the loops of this file fit under the race detector.
func memoryScale() int {
	if raceEnabled {
		return 20
	}
	return 1
}

// fillAll stores n values of size bytes through Fill, a thousand at a time; key says which.
func fillAll(t *testing.T, f *lethe.Func[int, []byte], n, size int, key func(i int) int) {
	t.Helper()
	value := make([]byte, size)
	for i := 0; i < n; {
		if _, err := f.Fill(context.Background(), func(context.Context) (map[int][]byte, error) {
			m := make(map[int][]byte, 1000)
			for range 1000 {
				m[key(i)] = value
				i++
			}
			return m, nil
		}); err != nil {
			t.Fatal(err)
		}
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return s.HeapInuse
}

// These two count the heap, so they run alone.

func TestATwoMillionFoldChurnOfAThousandKeysStaysWithinItsBounds(t *testing.T) {
	const maxBytes, maxHot = 16 << 20, 500
	n := one(t, lethe.Config{MaxBytes: maxBytes, MaxHot: maxHot})
	f := lethe.Memoize(n, "f", load[int, []byte])
	before := heap()
	fillAll(t, f, 2_000_000/memoryScale(), 48, func(i int) int { return i % 1000 })
	if got := lethe.BulkBytes(n); got > maxBytes {
		t.Errorf("bulk has %d bytes, MaxBytes is %d", got, maxBytes)
	}
	if got := lethe.HotLen(n); got > maxHot {
		t.Errorf("%d hot values, MaxHot is %d", got, maxHot)
	}
	if got := lethe.BulkLen(n); got > 1000 {
		t.Errorf("%d entries of 1,000 keys", got)
	}
	if grown := int64(heap()) - int64(before); grown > 2*maxBytes {
		t.Errorf("the heap has grown by %d bytes, MaxBytes is %d", grown, maxBytes)
	}
	runtime.KeepAlive(f)
}

func TestAMillionKeysStayWithinTheBounds(t *testing.T) {
	const maxBytes, maxHot = 16 << 20, 500
	n := one(t, lethe.Config{MaxBytes: maxBytes, MaxHot: maxHot})
	f := lethe.Memoize(n, "f", load[int, []byte])
	before := heap()
	fillAll(t, f, 1_000_000/memoryScale(), 48, func(i int) int { return i })
	if got := lethe.BulkBytes(n); got > maxBytes {
		t.Errorf("bulk has %d bytes, MaxBytes is %d", got, maxBytes)
	}
	if got := lethe.HotLen(n); got > maxHot {
		t.Errorf("%d hot values, MaxHot is %d", got, maxHot)
	}
	if lethe.BulkLen(n) < 1000 {
		t.Errorf("only %d entries are kept", lethe.BulkLen(n))
	}
	if grown := int64(heap()) - int64(before); grown > 2*maxBytes {
		t.Errorf("the heap has grown by %d bytes, MaxBytes is %d", grown, maxBytes)
	}
	if raceEnabled {
		return
	}
	if metric(t, n, "lethe_evictions_total", "tier", "bulk", "reason", "space") == 0 || metric(t, n, "lethe_evictions_total", "tier", "hot") == 0 {
		t.Error("nothing was evicted: this run shows nothing")
	}
	runtime.KeepAlive(f)
}
