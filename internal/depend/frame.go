package depend

import "context"

type key struct{}

// Frame is what travels in a context from a load to the reads it makes, behind one context key so that a read looks up once.
type Frame struct {
	Record  *Record // of the load the context belongs to; nil outside one
	Reading any     // how reads are to be made; the memoizing package's own. A Namer is told of tags
}

// Namer is told which tags a load depends on by name; labels are only hashes of them.
type Namer interface{ Named(tag string) }

// From returns the frame of ctx, nil when there is none.
func From(ctx context.Context) *Frame {
	f, _ := ctx.Value(key{}).(*Frame)
	return f
}

// With returns a context that carries f.
func With(ctx context.Context, f *Frame) context.Context { return context.WithValue(ctx, key{}, f) }

// On records, for the load ctx belongs to, that it depends on tags. Call it before the read, whatever its outcome: a cached
// "there is none" must go stale too. Outside a load it does nothing.
func On(ctx context.Context, tags ...string) {
	f := From(ctx)
	if f == nil || f.Record == nil {
		return
	}
	var ls []Label
	namer, _ := f.Reading.(Namer)
	for _, t := range tags {
		ls = AppendTag(ls, t)
		if namer != nil {
			namer.Named(t)
		}
	}
	f.Record.On(ls...)
}
