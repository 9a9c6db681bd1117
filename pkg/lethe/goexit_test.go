package lethe_test

import (
	"context"
	"errors"
	"runtime"
	"testing"

	"github.com/lethe-cache/lethe/pkg/lethe"
)

// leaving is a codec that ends the goroutine that encodes with it, but for the zero that Memoize tries it with.
type leaving struct{}

func (leaving) Append(dst []byte, v any) ([]byte, error) {
	if v != 0 {
		runtime.Goexit()
	}
	return append(dst, '0'), nil
}
func (leaving) Decode([]byte, any) error { return nil }

func TestUserCodeThatEndsItsGoroutineAfterTheLoadHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	n := one(t, lethe.Config{MaxLoads: 1})
	load := func(_ context.Context, k string) (int, error) { return len(k), nil }
	batch := lethe.WithBatch(func(_ context.Context, ks []string) (map[string]int, error) {
		m := map[string]int{}
		for _, k := range ks {
			m[k] = len(k)
		}
		return m, nil
	})
	for _, f := range []*lethe.Func[string, int]{
		lethe.Memoize(n, "tags", load, batch, lethe.WithTags(func(string, int) []string { runtime.Goexit(); return nil })),
		lethe.Memoize(n, "codec", load, batch, lethe.WithCodec(leaving{})),
		lethe.Memoize(n, "pack", load, batch, lethe.WithCodec(leaving{}), lethe.WithoutHot()),
	} {
		for range 3 { // neither the key nor the place among the loads stays taken
			_, one := f.Get(within(t), "k")
			_, some := f.GetMany(within(t), []string{"a", "b", "c"})
			_, filled := f.Fill(within(t), func(context.Context) (map[string]int, error) { return map[string]int{"a": 1, "b": 2}, nil })
			for how, err := range map[string]error{"Get": one, "GetMany": some, "Fill": filled} {
				if !contains(err, "Goexit") || errors.Is(err, context.DeadlineExceeded) {
					t.Fatalf("%s: %v", how, err)
				}
			}
		}
	}
}
