package manifest

import (
	"bytes"
	"context"
	"encoding/json"
)

// Broker applies, reads and deletes manifests of one typed kind. All methods are safe for concurrent use; what the Store's
// methods of the same names promise holds for them.
type Broker[S any] struct {
	store *Store
	shape *shape
}

// Apply creates or changes one object; see [Store.Apply]. An empty APIVersion or Kind is the kind's. Fields of the stored spec that S
// does not know, which a newer version of the program has written, are kept; where a list that has such fields changes, it is refused
// with the field. A text says all of a spec and keeps nothing: see [Store.Apply].
func (b *Broker[S]) Apply(ctx context.Context, m Manifest[S]) (Result[S], error) {
	all, err := b.toApply(m)
	if err != nil {
		return Result[S]{}, err
	}
	r, err := only(b.store.write(ctx, false, func(ctx context.Context, q querier) (*plan, error) {
		return b.store.planApply(ctx, q, all)
	}))
	if err != nil {
		err = b.store.refuse(ctx, verbApply, deniedOf(all), err)
	}
	return b.typed(r, err)
}

// Diff is what Apply would change, as a unified diff of YAML; empty when nothing.
func (b *Broker[S]) Diff(ctx context.Context, m Manifest[S]) (string, error) {
	all, err := b.toApply(m)
	if err != nil {
		return "", err
	}
	return b.store.diff(ctx, all)
}

func (b *Broker[S]) toApply(m Manifest[S]) ([]applied, error) {
	o := Object{APIVersion: m.APIVersion, Kind: m.Kind, Metadata: m.Metadata}
	if o.APIVersion == "" {
		o.APIVersion = b.shape.apiVersion
	}
	if o.Kind == "" {
		o.Kind = b.shape.kind
	}
	if o.Kind != b.shape.kind {
		return nil, of(o, &Error{Field: "kind", Reason: "is " + quote(o.Kind) + "; this is the broker of " + b.shape.kind})
	}
	spec, err := json.Marshal(m.Spec)
	if err != nil {
		return nil, of(o, &Error{Field: "spec", Reason: "can't be written as JSON", Err: err})
	}
	o.Spec = spec
	return []applied{{object: o, value: true}}, nil
}

// Delete deletes one object; see [Store.Delete].
func (b *Broker[S]) Delete(ctx context.Context, namespace, name string) (Result[S], error) {
	return b.typed(b.store.Delete(ctx, b.shape.kind, namespace, name))
}

// InvalidateCache announces without writing; see [Store.InvalidateCache].
func (b *Broker[S]) InvalidateCache(ctx context.Context, namespace, name string) (Result[S], error) {
	return b.typed(b.store.InvalidateCache(ctx, b.shape.kind, namespace, name))
}

// SetStatus replaces what is reported about an object, any value; see [Store.SetStatus].
func (b *Broker[S]) SetStatus(ctx context.Context, namespace, name string, status any, opts ...StatusOption) (Result[S], error) {
	return b.typed(b.store.SetStatus(ctx, b.shape.kind, namespace, name, status, opts...))
}

// Get reads one object; see [Store.Get]. A memoized function that passes its ctx depends on it.
func (b *Broker[S]) Get(ctx context.Context, namespace, name string) (Manifest[S], error) {
	ctx, end, err := b.store.begin(ctx)
	if err != nil {
		return Manifest[S]{}, err
	}
	defer end()
	var o Object
	err = b.store.reading(ctx, func() (err error) {
		o, err = b.store.get(ctx, b.shape, namespace, name)
		return err
	})
	if err != nil {
		return Manifest[S]{}, err
	}
	return decode[S](b.shape.code, o)
}

// List reads objects; see [Store.List]. A memoized function that passes its ctx depends on the collection.
func (b *Broker[S]) List(ctx context.Context, o ListOptions) (ms []Manifest[S], next string, err error) {
	objects, next, err := b.list(ctx, o)
	if err != nil {
		return nil, "", err
	}
	ms, err = b.decodeAll(objects)
	if err != nil {
		return nil, "", err
	}
	return ms, next, nil
}

func (b *Broker[S]) list(ctx context.Context, o ListOptions) (objects []Object, next string, err error) {
	ctx, end, err := b.store.begin(ctx)
	if err != nil {
		return nil, "", err
	}
	defer end()
	err = b.store.reading(ctx, func() (err error) {
		objects, next, err = b.store.list(ctx, b.shape, o)
		return err
	})
	return objects, next, err
}

func (b *Broker[S]) decodeAll(objects []Object) (ms []Manifest[S], err error) {
	ms = make([]Manifest[S], len(objects))
	for i := range objects {
		if ms[i], err = decode[S](b.shape.code, objects[i]); err != nil {
			return nil, err
		}
	}
	return ms, nil
}

// Example is a manifest that can be applied: the kind's, or one made from its schema.
func (b *Broker[S]) Example() Manifest[S] {
	var o Object
	if err := json.Unmarshal(b.shape.example, &o); err != nil {
		return Manifest[S]{APIVersion: b.shape.apiVersion, Kind: b.shape.kind}
	}
	m, err := decode[S](b.shape.code, o)
	if err != nil { // of a kind whose schema allows no example
		return Manifest[S]{APIVersion: o.APIVersion, Kind: o.Kind, Metadata: o.Metadata}
	}
	return m
}

// Schema is the JSON Schema of the kind's spec.
func (b *Broker[S]) Schema() json.RawMessage { return bytes.Clone(b.shape.schema) }

func (b *Broker[S]) typed(r Result[json.RawMessage], err error) (Result[S], error) {
	t := Result[S]{Action: r.Action, Ticket: r.Ticket, Token: r.Token}
	if err != nil {
		return t, err
	}
	o := r.Manifest
	if t.Manifest, err = decode[S](b.shape.code, o); err != nil { // of an object that was stored long ago; what was asked for is done
		t.Manifest = Manifest[S]{APIVersion: o.APIVersion, Kind: o.Kind, Metadata: o.Metadata, Status: o.Status}
	}
	return t, nil
}
