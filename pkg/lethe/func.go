package lethe

import (
	"context"
	"reflect"

	"github.com/lethe-cache/lethe/pkg/event"
)

// Func is a memoized function of one argument. All methods are safe for concurrent use.
type Func[K comparable, V any] struct{ c *core[K, V] }

// Memoize panics, at registration, on: a duplicate or illegal name; a nil loader; a K whose JSON does not tell all its values apart
// (K or a field of it: unexported, "-", omitted or clashing fields, pointers, interfaces; a TextMarshaler is keyed by its text); a V the codec loses part of; options of another
// K or V; a TTL over Config.MaxTTL. Loads get a context that keeps the caller's values, not its cancellation.
func Memoize[K comparable, V any](n *Node, name event.Name[K], load func(context.Context, K) (V, error), opts ...Option) *Func[K, V] {
	return &Func[K, V]{memoize(n, string(name), signatureOf[K](), load, opts)}
}

// signatureOf is that of a function of one argument: its key is an array of one.
func signatureOf[K comparable]() signature[K] {
	one := canonicalOf[K]()
	return signature[K]{
		types: []reflect.Type{reflect.TypeFor[K]()},
		canon: func(dst []byte, k K) ([]byte, error) {
			dst, err := one(append(dst, '['), k)
			return append(dst, ']'), err
		},
	}
}

// Get returns the value, loading it once however many ask. Values may be shared with other callers: read-only, or WithoutHot.
// An error of the loader is returned as it is, a panic as a *PanicError. When ctx ends first, its error is returned and the load goes on for others.
func (f *Func[K, V]) Get(ctx context.Context, k K) (V, error) { return f.c.get(ctx, k) }

// Lookup is Get that also says how it was answered.
func (f *Func[K, V]) Lookup(ctx context.Context, k K) (Result[V], error) {
	return f.c.lookup(ctx, k)
}

// GetMany loads what is missing in one call WithBatch, else each by itself, up to 16 at a time. Keys the batch left out are absent
// from the map, and so are keys whose answer is an error named in WithNegative, whoever asked before. On error the map has what
// succeeded. It is not a snapshot.
func (f *Func[K, V]) GetMany(ctx context.Context, ks []K) (map[K]V, error) {
	return f.c.getMany(ctx, ks)
}

// Peek never loads and never waits; inside a loader it records what it saw.
func (f *Func[K, V]) Peek(ctx context.Context, k K) (V, bool) { return f.c.peek(ctx, k) }

// Fill runs load under the fence, as a loader of several keys, and keeps what it returns: the race-free way to warm. On error
// nothing is kept. Values that were invalidated while load ran are returned and not kept.
func (f *Func[K, V]) Fill(ctx context.Context, load func(context.Context) (map[K]V, error)) (map[K]V, error) {
	return f.c.fill(ctx, load)
}

// Invalidate forgets ks here, then everywhere. No keys: nothing, zero Token, nil. Errors as of Node.Invalidate.
func (f *Func[K, V]) Invalidate(ctx context.Context, ks ...K) (event.Token, error) {
	return f.c.invalidate(ctx, ks...)
}

// InvalidateAll forgets every key of the function, here, then everywhere.
func (f *Func[K, V]) InvalidateAll(ctx context.Context) (event.Token, error) {
	return f.c.invalidateAll(ctx)
}

// Target is k for Node.Invalidate and outbox.Append, of this or several functions at once.
func (f *Func[K, V]) Target(k K) event.Target {
	t := f.c.target(f.c.name, k)
	if t.Err() != nil {
		return clearer(t, event.Key(f.c.name, k))
	}
	return t
}

// clearer returns the error of the untyped constructor, which names the field, where it refuses the arguments as well.
func clearer(t, untyped event.Target) event.Target {
	if untyped.Err() != nil {
		return untyped
	}
	return t
}

// target is k under one of the function's names. One that can't be a key has an error.
func (c *core[K, V]) target(name string, k K) event.Target {
	text, err := c.textOf(k)
	if err != nil {
		return event.Key(name, refused{err})
	}
	t := event.FromCanonical(name, c.canonical(text))
	if c.hashed {
		t = t.Hashed()
	}
	return t
}

// refused is an argument that can't be one, so that the target carries the error.
type refused struct{ err error }

func (r refused) MarshalJSON() ([]byte, error) { return nil, r.err }

func (c *core[K, V]) invalidate(ctx context.Context, ks ...K) (event.Token, error) {
	ts := make([]event.Target, 0, len(ks))
	for _, k := range ks {
		if _, err := c.textOf(k); err != nil {
			return event.Token{}, err
		}
		ts = append(ts, c.target(c.name, k))
	}
	return c.n.Invalidate(ctx, ts...)
}

func (c *core[K, V]) invalidateAll(ctx context.Context) (event.Token, error) {
	return c.n.Invalidate(ctx, event.Function(c.name))
}
