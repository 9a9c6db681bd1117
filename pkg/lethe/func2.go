package lethe

import (
	"context"
	"reflect"

	"github.com/lethe-cache/lethe/pkg/event"
)

// Func2 is a memoized function of two arguments. All methods are safe for concurrent use.
type Func2[A, B comparable, V any] struct{ c *core[args2[A, B], V] }

type args2[A, B comparable] struct {
	a A
	b B
}

// Memoize2 is Memoize for a function of two arguments.
func Memoize2[A, B comparable, V any](n *Node, name event.Name2[A, B], load func(context.Context, A, B) (V, error), opts ...Option) *Func2[A, B, V] {
	var l func(context.Context, args2[A, B]) (V, error)
	if load != nil {
		l = func(ctx context.Context, k args2[A, B]) (V, error) { return load(ctx, k.a, k.b) }
	}
	ca := canonicalOf[A]()
	cb := canonicalOf[B]()
	sig := signature[args2[A, B]]{
		types: []reflect.Type{reflect.TypeFor[A](), reflect.TypeFor[B]()},
		canon: func(dst []byte, k args2[A, B]) ([]byte, error) {
			var err error
			if dst, err = ca(append(dst, '['), k.a); err != nil {
				return dst, err
			}
			if dst, err = cb(append(dst, ','), k.b); err != nil {
				return dst, err
			}
			return append(dst, ']'), nil
		},
	}
	return &Func2[A, B, V]{memoize(n, string(name), sig, l, opts)}
}

// Get is Func.Get.
func (f *Func2[A, B, V]) Get(ctx context.Context, a A, b B) (V, error) {
	return f.c.get(ctx, args2[A, B]{a, b})
}

// Lookup is Func.Lookup.
func (f *Func2[A, B, V]) Lookup(ctx context.Context, a A, b B) (Result[V], error) {
	return f.c.lookup(ctx, args2[A, B]{a, b})
}

// Peek is Func.Peek.
func (f *Func2[A, B, V]) Peek(ctx context.Context, a A, b B) (V, bool) {
	return f.c.peek(ctx, args2[A, B]{a, b})
}

// Invalidate forgets the value of one key here, then everywhere.
func (f *Func2[A, B, V]) Invalidate(ctx context.Context, a A, b B) (event.Token, error) {
	return f.c.invalidate(ctx, args2[A, B]{a, b})
}

// InvalidateAll is Func.InvalidateAll.
func (f *Func2[A, B, V]) InvalidateAll(ctx context.Context) (event.Token, error) {
	return f.c.invalidateAll(ctx)
}

// Target is one key for Node.Invalidate and outbox.Append.
func (f *Func2[A, B, V]) Target(a A, b B) event.Target {
	t := f.c.target(f.c.name, args2[A, B]{a, b})
	if t.Err() != nil {
		return clearer(t, event.Key(f.c.name, a, b))
	}
	return t
}
