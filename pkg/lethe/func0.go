package lethe

import (
	"context"

	"github.com/lethe-cache/lethe/pkg/event"
)

// Func0 is a memoized function without arguments. All methods are safe for concurrent use.
type Func0[V any] struct{ c *core[none, V] }

// none is the key of a function that has no arguments.
type none struct{}

// Memoize0 is Memoize for a function without arguments.
func Memoize0[V any](n *Node, name string, load func(context.Context) (V, error), opts ...Option) *Func0[V] {
	var l func(context.Context, none) (V, error)
	if load != nil {
		l = func(ctx context.Context, _ none) (V, error) { return load(ctx) }
	}
	sig := signature[none]{canon: func(dst []byte, _ none) ([]byte, error) { return append(dst, "[]"...), nil }}
	return &Func0[V]{memoize(n, name, sig, l, opts)}
}

// Get is Func.Get.
func (f *Func0[V]) Get(ctx context.Context) (V, error) { return f.c.get(ctx, none{}) }

// Lookup is Func.Lookup.
func (f *Func0[V]) Lookup(ctx context.Context) (Result[V], error) {
	return f.c.lookup(ctx, none{})
}

// Peek is Func.Peek.
func (f *Func0[V]) Peek(ctx context.Context) (V, bool) { return f.c.peek(ctx, none{}) }

// Invalidate forgets the value here, then everywhere.
func (f *Func0[V]) Invalidate(ctx context.Context) (event.Token, error) {
	return f.c.invalidate(ctx, none{})
}

// Target is the value for Node.Invalidate and outbox.Append.
func (f *Func0[V]) Target() event.Target { return f.c.target(f.c.name, none{}) }
