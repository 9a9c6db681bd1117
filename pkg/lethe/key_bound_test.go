package lethe_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

// A key is refused by every way to it from one byte over the bound on, with an error that names function and bound; the longest
// one is kept. A longer one in an event is the whole function.
func TestAKeyOverTheBoundIsRefusedByEveryWay(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]lethe.Option{
		"plain": nil, "bulk": {lethe.WithoutHot()}, "hot": {lethe.WithoutBulk()}, "hashed": {lethe.WithHashedKeys()},
		"batch": {lethe.WithBatch(func(_ context.Context, ks []string) (map[string]string, error) {
			m := map[string]string{}
			for _, k := range ks {
				m[k] = "v"
			}
			return m, nil
		})},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n, ctx := one(t), t.Context()
			loads := 0
			f := lethe.Memoize(n, event.Name[string]("f."+name), func(context.Context, string) (string, error) { loads++; return "v", nil }, opts...)
			longest := strings.Repeat("k", event.MaxKey-len(`[""]`))
			must[string](t)(f.Get(ctx, longest))
			must[string](t)(f.Get(ctx, longest))
			if loads != 1 {
				t.Errorf("the longest key is loaded %d times by two reads", loads)
			}
			must[event.Token](t)(f.Invalidate(ctx, longest))
			must[string](t)(f.Get(ctx, longest))
			if loads != 2 {
				t.Errorf("the longest key is loaded %d times", loads)
			}
			for _, k := range []string{longest + "k", strings.Repeat("q", 65_520), strings.Repeat("q", 1<<20)} {
				for way, call := range map[string]func() error{
					"Get":        func() error { _, err := f.Get(ctx, k); return err },
					"Lookup":     func() error { _, err := f.Lookup(ctx, k); return err },
					"GetMany":    func() error { _, err := f.GetMany(ctx, []string{k}); return err },
					"Invalidate": func() error { _, err := f.Invalidate(ctx, k); return err },
					"Target":     func() error { _, err := n.Invalidate(ctx, f.Target(k)); return err },
					"Key":        func() error { _, err := n.Invalidate(ctx, event.Name[string]("f."+name).Key(k)); return err },
					"Explain":    func() error { _, err := n.Explain(ctx, f.Target(k)); return err },
					"Fill": func() error {
						_, err := f.Fill(ctx, func(context.Context) (map[string]string, error) { return map[string]string{k: "v"}, nil })
						return err
					},
				} {
					if err := call(); !errors.Is(err, event.ErrInvalid) || !strings.Contains(err.Error(), "f."+name) || !strings.Contains(err.Error(), "at most 32768") {
						t.Errorf("%s of a key of %d bytes: %.200v", way, len(k), err)
					}
				}
				if _, ok := f.Peek(ctx, k); ok {
					t.Errorf("Peek has a key of %d bytes", len(k))
				}
			}
			if loads != 2 {
				t.Errorf("a refused key was loaded")
			}
		})
	}
}

func TestAKeyOverTheBoundOfSeveralArgumentsIsRefused(t *testing.T) {
	t.Parallel()
	n, half := one(t), strings.Repeat("k", event.MaxKey/2)
	f2 := lethe.Memoize2(n, "f.two", func(context.Context, string, string) (int, error) { return 1, nil })
	f3 := lethe.Memoize3(n, "f.three", func(context.Context, string, string, int) (int, error) { return 1, nil })
	_, err2 := f2.Get(t.Context(), half, half)
	_, err3 := f3.Get(t.Context(), half, half, 1)
	for _, err := range []error{err2, err3, f2.Target(half, half).Err(), f3.Target(half, half, 1).Err(), f2.Target("a", "\xff").Err(), f3.Target("\xff", "a", 1).Err()} {
		if !errors.Is(err, event.ErrInvalid) {
			t.Errorf("%.200v", err)
		}
	}
}

// price has an exact decimal, as many packages do: its JSON is a number with all its digits.
type price struct{ Nanos int64 }

func (p price) MarshalJSON() ([]byte, error) {
	s := fmt.Sprintf("%010d", p.Nanos)
	return []byte(s[:len(s)-9] + "." + s[len(s)-9:]), nil
}

func TestTwoDecimalsNeverShareAnEntry(t *testing.T) {
	t.Parallel()
	n := one(t)
	f := lethe.Memoize(n, "f.price", func(_ context.Context, p price) (int64, error) { return p.Nanos, nil })
	taken := 0
	for nanos := int64(1_234_567_890_123_456_780); nanos < 1_234_567_890_123_456_800; nanos++ {
		got, err := f.Get(t.Context(), price{nanos})
		if err == nil && got != nanos || err != nil && !errors.Is(err, event.ErrInvalid) {
			t.Errorf("Get(%d) = %d, %v", nanos, got, err)
		}
		if err == nil != (f.Target(price{nanos}).Err() == nil) {
			t.Errorf("Target(%d): %v", nanos, f.Target(price{nanos}).Err())
		}
	}
	for _, nanos := range []int64{1_500_000_000, 1_100_000_000, 19_990_000_000} { // a scale of its own is no other number
		if got := must[int64](t)(f.Get(t.Context(), price{nanos})); got == nanos {
			taken++
		}
	}
	if taken != 3 {
		t.Errorf("%d of 3 prices are keys", taken)
	}
	g := lethe.Memoize(n, "f.number", func(_ context.Context, d json.Number) (string, error) { return string(d), nil })
	h := lethe.Memoize(n, "f.numbers", func(_ context.Context, d [1]json.Number) (string, error) { return string(d[0]), nil })
	for _, c := range []struct {
		n  json.Number
		ok bool
	}{
		{"1.1", true},
		{"1.10", false},
		{"0.30000000000000004", true},
		{"0.300000000000000041", false},
		{"0", true},
		{"1e-400", false},
		{"-0", false},
		{"", false},
		{"1e+21", true},
		{"1e21", false},
		{"123456789012345678901234567890", true},
		{"9007199254740993.0", false},
		{"1e400", false},
	} {
		for name, get := range map[string]func() (string, error){
			"number": func() (string, error) { return g.Get(t.Context(), c.n) },
			"array":  func() (string, error) { return h.Get(t.Context(), [1]json.Number{c.n}) },
		} {
			got, err := get()
			if c.ok != (err == nil) || c.ok && got != string(c.n) {
				t.Errorf("%s: Get(%s) = %q, %v", name, c.n, got, err)
			}
		}
	}
}
