package lethe_test

import (
	"context"
	"testing"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
	"github.com/lethe-cache/lethe/pkg/lethe/lethetest"
)

type (
	keyV1 struct {
		SKU string `json:"sku"`
	}
	keyAdded struct {
		SKU    string `json:"sku"`
		Region string `json:"region"`
	}
	keyRenamed struct {
		SKU string `json:"article"`
	}
	keyRetyped struct {
		SKU int `json:"sku"`
	}
	keyNested struct {
		SKU string `json:"sku"`
		In  [2]keyV1
	}
	keyNestedRenamed struct {
		SKU string `json:"sku"`
		In  [2]keyRenamed
	}
	keyNestedLonger struct {
		SKU string `json:"sku"`
		In  [3]keyV1
	}
)

// version is a replica of a program with its own idea of a function's arguments.
type version struct {
	node       *lethe.Node
	fill       func(context.Context) error
	has        func(context.Context) bool
	invalidate func(context.Context) (event.Token, error)
}

func versionOf[K comparable](n *lethe.Node, name string, k K, opts ...lethe.Option) version {
	f := lethe.Memoize(n, event.Name[K](name), func(context.Context, K) (int, error) { return 1, nil }, opts...)
	return version{
		n, func(ctx context.Context) error { _, err := f.Get(ctx, k); return err },
		func(ctx context.Context) bool { _, ok := f.Peek(ctx, k); return ok },
		func(ctx context.Context) (event.Token, error) { return f.Invalidate(ctx, k) },
	}
}

func versionOf2[A, B comparable](n *lethe.Node, name string, a A, b B, opts ...lethe.Option) version {
	f := lethe.Memoize2(n, event.Name2[A, B](name), func(context.Context, A, B) (int, error) { return 1, nil }, opts...)
	return version{
		n, func(ctx context.Context) error { _, err := f.Get(ctx, a, b); return err },
		func(ctx context.Context) bool { _, ok := f.Peek(ctx, a, b); return ok },
		func(ctx context.Context) (event.Token, error) { return f.Invalidate(ctx, a, b) },
	}
}

func TestReplicasWithOtherKeyFieldsForgetTheWholeFunction(t *testing.T) {
	t.Parallel()
	nodes := lethetest.Fleet(t, 2)
	for _, hashed := range []bool{false, true} {
		var opts []lethe.Option
		suffix := ".plain"
		if hashed {
			opts, suffix = append(opts, lethe.WithHashedKeys()), ".hashed"
		}
		a := func(what string) string { return what + suffix }
		for what, vs := range map[string][2]version{
			"added":   {versionOf(nodes[0], a("added"), keyV1{"a"}, opts...), versionOf(nodes[1], a("added"), keyAdded{"a", "eu"}, opts...)},
			"renamed": {versionOf(nodes[0], a("renamed"), keyV1{"a"}, opts...), versionOf(nodes[1], a("renamed"), keyRenamed{"a"}, opts...)},
			"retyped": {versionOf(nodes[0], a("retyped"), keyV1{"a"}, opts...), versionOf(nodes[1], a("retyped"), keyRetyped{1}, opts...)},
			"nested":  {versionOf(nodes[0], a("nested"), keyNested{}, opts...), versionOf(nodes[1], a("nested"), keyNestedRenamed{}, opts...)},
			"longer":  {versionOf(nodes[0], a("longer"), keyNested{}, opts...), versionOf(nodes[1], a("longer"), keyNestedLonger{}, opts...)},
			"struct":  {versionOf(nodes[0], a("struct"), "a", opts...), versionOf(nodes[1], a("struct"), keyV1{"a"}, opts...)},
			"arity":   {versionOf(nodes[0], a("arity"), "a", opts...), versionOf2(nodes[1], a("arity"), "a", "eu", opts...)},
			"swapped": {versionOf2(nodes[0], a("swapped"), "a", 1, opts...), versionOf2(nodes[1], a("swapped"), 1, "a", opts...)},
		} {
			for from := range vs {
				to := vs[1-from]
				if err := to.fill(t.Context()); err != nil {
					t.Fatal(err)
				}
				before := metric(t, to.node, "lethe_events_widened_total", "reason", "shape")
				lethetest.WaitAll(t, must[event.Token](t)(vs[from].invalidate(t.Context())), nodes...)
				if to.has(t.Context()) {
					t.Errorf("%s%s: version %d does not notice the keys of version %d", what, suffix, 2-from, from+1)
				}
				if got := metric(t, to.node, "lethe_events_widened_total", "reason", "shape") - before; got != 1 {
					t.Errorf("%s%s: counted %v times as widened", what, suffix, got)
				}
			}
		}
	}
}

// Two replicas of one version forget one key and no more, whether it is hashed or not.
func TestReplicasWithTheSameKeyFieldsForgetOneKey(t *testing.T) {
	t.Parallel()
	nodes := lethetest.Fleet(t, 2)
	for name, opts := range map[string][]lethe.Option{"plain": nil, "hashed": {lethe.WithHashedKeys()}} {
		type key = keyAdded
		load := func(context.Context, key) (int, error) { return 1, nil }
		a := lethe.Memoize(nodes[0], event.Name[key](name), load, opts...)
		b := lethe.Memoize(nodes[1], event.Name[key](name), load, opts...)
		must[int](t)(b.Get(t.Context(), key{"a", "eu"}))
		must[int](t)(b.Get(t.Context(), key{"b", "eu"}))
		lethetest.WaitAll(t, must[event.Token](t)(a.Invalidate(t.Context(), key{"a", "eu"})), nodes...)
		_, gone := b.Peek(t.Context(), key{"a", "eu"})
		_, left := b.Peek(t.Context(), key{"b", "eu"})
		if gone || !left {
			t.Errorf("%s: the key is there: %v; the other: %v", name, gone, left)
		}
		if got := metric(t, nodes[1], "lethe_events_widened_total", "reason", "shape"); got != 0 {
			t.Errorf("%s: %v events were widened", name, got)
		}
	}
}

// Events with hashed keys that do not tell their shape, as they were published before, name one key.
func TestAHashedKeyWithoutAShapeIsThatKey(t *testing.T) {
	t.Parallel()
	n, nc := wire(t)
	b := newBook()
	f := lethe.Memoize(n, "hashed", b.load, lethe.WithHashedKeys())
	for shape, want := range map[string][2]bool{"": {false, true}, `"lethekeyshape":"mixed",`: {false, false}, `"lethekeyshape":"00000001",`: {false, false}} {
		must[int](t)(f.Get(t.Context(), "k"))
		must[int](t)(f.Get(t.Context(), "other"))
		publish(t, n, nc, event.Message{Subject: "lethe.v1.log.shop.fn.hashed", Data: []byte(`{"specversion":"1.0","id":"1","source":"/cli",` + shape +
			`"type":"dev.lethe.invalidated.v1","data":{"targets":[{"function":"hashed","argsHash":"` + event.HashKey(`["k"]`) + `"}]}}`)})
		_, k := f.Peek(t.Context(), "k")
		_, other := f.Peek(t.Context(), "other")
		if k != want[0] || other != want[1] {
			t.Errorf("%q: k is there: %v, other: %v", shape, k, other)
		}
	}
}

// A target of a function that is memoized here with other arguments is noticed on the node that publishes it as well.
func TestAnInvalidationOfOtherArgumentsIsCountedWhereItIsMade(t *testing.T) {
	t.Parallel()
	n, b := one(t), newBook()
	f := lethe.Memoize(n, "f", b.load)
	must[int](t)(f.Get(t.Context(), "k"))
	must[event.Token](t)(n.Invalidate(t.Context(), event.Key("f", "k", 2)))
	if _, ok := f.Peek(t.Context(), "k"); ok || metric(t, n, "lethe_events_widened_total", "reason", "shape") != 1 {
		t.Errorf("k is there: %v", ok)
	}
}
