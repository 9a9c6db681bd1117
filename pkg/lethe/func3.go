package lethe

import (
	"context"
	"reflect"

	"github.com/lethe-cache/lethe/pkg/event"
)

// Func3 is a memoized function of three arguments. All methods are safe for concurrent use.
type Func3[A, B, C comparable, V any] struct{ c *core[args3[A, B, C], V] }

type args3[A, B, C comparable] struct {
	a A
	b B
	c C
}

// Memoize3 is Memoize for a function of three arguments.
func Memoize3[A, B, C comparable, V any](n *Node, name event.Name3[A, B, C], load func(context.Context, A, B, C) (V, error), opts ...Option) *Func3[A, B, C, V] {
	var l func(context.Context, args3[A, B, C]) (V, error)
	if load != nil {
		l = func(ctx context.Context, k args3[A, B, C]) (V, error) { return load(ctx, k.a, k.b, k.c) }
	}
	ca := canonicalOf[A]()
	cb := canonicalOf[B]()
	cc := canonicalOf[C]()
	sig := signature[args3[A, B, C]]{
		types: []reflect.Type{reflect.TypeFor[A](), reflect.TypeFor[B](), reflect.TypeFor[C]()},
		canon: func(dst []byte, k args3[A, B, C]) ([]byte, error) {
			var err error
			if dst, err = ca(append(dst, '['), k.a); err != nil {
				return dst, err
			}
			if dst, err = cb(append(dst, ','), k.b); err != nil {
				return dst, err
			}
			if dst, err = cc(append(dst, ','), k.c); err != nil {
				return dst, err
			}
			return append(dst, ']'), nil
		},
	}
	return &Func3[A, B, C, V]{memoize(n, string(name), sig, l, opts)}
}

// Get is Func.Get.
func (f *Func3[A, B, C, V]) Get(ctx context.Context, a A, b B, c C) (V, error) {
	return f.c.get(ctx, args3[A, B, C]{a, b, c})
}

// Lookup is Func.Lookup.
func (f *Func3[A, B, C, V]) Lookup(ctx context.Context, a A, b B, c C) (Result[V], error) {
	return f.c.lookup(ctx, args3[A, B, C]{a, b, c})
}

// Peek is Func.Peek.
func (f *Func3[A, B, C, V]) Peek(ctx context.Context, a A, b B, c C) (V, bool) {
	return f.c.peek(ctx, args3[A, B, C]{a, b, c})
}

// Invalidate forgets the value of one key here, then everywhere.
func (f *Func3[A, B, C, V]) Invalidate(ctx context.Context, a A, b B, c C) (event.Token, error) {
	return f.c.invalidate(ctx, args3[A, B, C]{a, b, c})
}

// InvalidateAll is Func.InvalidateAll.
func (f *Func3[A, B, C, V]) InvalidateAll(ctx context.Context) (event.Token, error) {
	return f.c.invalidateAll(ctx)
}

// Target is one key for Node.Invalidate and outbox.Append.
func (f *Func3[A, B, C, V]) Target(a A, b B, c C) event.Target {
	t := f.c.target(f.c.name, args3[A, B, C]{a, b, c})
	if t.Err() != nil {
		return clearer(t, event.Key(f.c.name, a, b, c))
	}
	return t
}
