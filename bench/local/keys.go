package local

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/viccon/sturdyc"

	"github.com/lethe-cache/lethe/bench/internal/suite"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

// priceKey is a key of several fields.
type priceKey struct {
	SKU     string
	Country string
	Tier    int
}

func keyText() suite.Question {
	return suite.Question{
		ID: "keys", Title: "Building a key", Unit: "ns/op",
		About: "From the arguments of a call to the text of its key. Lethe's is canonical JSON (RFC 8785), checked to be UTF-8, and the same for " +
			"publishers in every language: event.Key takes any arguments, Func.Target those of a memoized function, whose types were looked at " +
			"when it was registered. By hand is strconv.Append, without quotes or escapes; Sprintf, json.Marshal and sturdyc's PermutatedKey (of " +
			"structs) are what else one finds. Only Lethe's and JSON's keep every two keys apart. A hot hit of Lethe needs no text at all.",
		Cases: []suite.Case{
			{Name: "a string", Open: keysOfString},
			{Name: "two integers", Open: keysOfInts, Full: true},
			{Name: "a struct", Open: keysOfStruct},
		},
	}
}

// builder makes the text of a key; i is never the same twice.
type builder struct {
	name  string
	build func(i int) (string, error)
	want  string // of 7; empty where it does not matter
}

func builders(e *suite.Env, bs ...builder) ([]suite.Contender, error) {
	all := make([]suite.Contender, 0, len(bs))
	for _, b := range bs {
		if got, err := b.build(7); err != nil || b.want != "" && got != b.want {
			return nil, wrong(b.name, "made %q: %v", got, err)
		}
		at := 0
		all = append(all, suite.Contender{Name: b.name, Run: func(context.Context) (suite.Sample, error) {
			return timed(e, 1, func(_, n int) error {
				for range n {
					at++
					if k, err := b.build(at & 0xffff); err != nil || k == "" {
						return wrong(b.name, "made %q: %v", k, err)
					}
				}
				return nil
			})
		}})
	}
	return all, nil
}

func text(t event.Target) (string, error) { return t.Canonical(), t.Err() }

const catalogPrice = "catalog.price"

func keysOfString(ctx context.Context, e *suite.Env) ([]suite.Contender, error) {
	node, stop, err := openNode(ctx, lethe.Config{MaxBytes: 1 << 20})
	if err != nil {
		return nil, err
	}
	e.Defer(stop)
	f := lethe.Memoize(node, catalogPrice, (&loader{}).load)
	keys := keysOf("sku-", 1<<16)
	want := `["` + keys[7] + `"]`
	return builders(e,
		builder{"lethe, Func.Target", func(i int) (string, error) { return text(f.Target(keys[i])) }, want},
		builder{"lethe, event.Key", func(i int) (string, error) { return text(event.Key(catalogPrice, keys[i])) }, want},
		builder{"by hand", func(i int) (string, error) { return catalogPrice + ":" + keys[i], nil }, ""},
		builder{"Sprintf", func(i int) (string, error) { return fmt.Sprintf("%s:%s", catalogPrice, keys[i]), nil }, ""},
		builder{"json.Marshal", func(i int) (string, error) { b, err := json.Marshal([]string{keys[i]}); return string(b), err }, want},
	)
}

func keysOfInts(ctx context.Context, e *suite.Env) ([]suite.Contender, error) {
	node, stop, err := openNode(ctx, lethe.Config{MaxBytes: 1 << 20})
	if err != nil {
		return nil, err
	}
	e.Defer(stop)
	f := lethe.Memoize2(node, catalogPrice, func(context.Context, int, int) (int, error) { return 0, nil })
	const want = "[1000007,7]"
	return builders(e,
		builder{"lethe, Func.Target", func(i int) (string, error) { return text(f.Target(1_000_000+i, i)) }, want},
		builder{"lethe, event.Key", func(i int) (string, error) { return text(event.Key(catalogPrice, 1_000_000+i, i)) }, want},
		builder{"by hand", func(i int) (string, error) {
			var room [64]byte
			b := append(room[:0], catalogPrice+":"...)
			b = append(strconv.AppendInt(b, int64(1_000_000+i), 10), ':')
			return string(strconv.AppendInt(b, int64(i), 10)), nil
		}, ""},
		builder{"Sprintf", func(i int) (string, error) { return fmt.Sprintf("%s:%d:%d", catalogPrice, 1_000_000+i, i), nil }, ""},
		builder{"json.Marshal", func(i int) (string, error) { b, err := json.Marshal([]int{1_000_000 + i, i}); return string(b), err }, want},
	)
}

func keysOfStruct(ctx context.Context, e *suite.Env) ([]suite.Contender, error) {
	node, stop, err := openNode(ctx, lethe.Config{MaxBytes: 1 << 20})
	if err != nil {
		return nil, err
	}
	e.Defer(stop)
	f := lethe.Memoize(node, catalogPrice, func(context.Context, priceKey) (int, error) { return 0, nil })
	sc := sturdyc.New[int](100, 2, ttl, 10, sturdyc.WithNoContinuousEvictions())
	of := func(i int) priceKey { return priceKey{SKU: "sku-42", Country: "NL", Tier: i} }
	const want = `[{"Country":"NL","SKU":"sku-42","Tier":7}]`
	return builders(e,
		builder{"lethe, Func.Target", func(i int) (string, error) { return text(f.Target(of(i))) }, want},
		builder{"lethe, event.Key", func(i int) (string, error) { return text(event.Key(catalogPrice, of(i))) }, want},
		builder{"by hand", func(i int) (string, error) {
			k := of(i)
			var room [64]byte
			b := append(append(append(append(room[:0], catalogPrice+":"...), k.SKU...), ':'), k.Country...)
			return string(strconv.AppendInt(append(b, ':'), int64(k.Tier), 10)), nil
		}, ""},
		builder{"Sprintf", func(i int) (string, error) { return fmt.Sprintf("%s:%+v", catalogPrice, of(i)), nil }, ""},
		builder{"json.Marshal", func(i int) (string, error) { b, err := json.Marshal(of(i)); return string(b), err }, ""}, //nolint:musttag // the names of its fields are those of the key
		builder{"sturdyc, PermutatedKey", func(i int) (string, error) { return sc.PermutatedKey(catalogPrice, of(i)), nil }, ""},
	)
}
