package lethe

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/lethe-cache/lethe/internal/depend"
	"github.com/lethe-cache/lethe/internal/flight"
	"github.com/lethe-cache/lethe/pkg/event"
)

// TokenWait is how long the reads of one WithToken wait for it, all together, before they bypass.
const TokenWait = time.Second

// reading is how reads made with a context are to be made. It is not changed once it is in a context.
type reading struct {
	node   *Node         // whose load the context belongs to; nil outside one
	load   *flight.Load  // the load the context belongs to; nil outside one
	token  event.Token   // to be reached before a read is answered from memory
	left   *atomic.Int64 // nanoseconds of waiting left for token, shared with nested reads: the second is spent once
	bypass bool
	tree   *readTree // of the outermost read that the context belongs to; nil outside one
}

// Named notes which tag a label is of, for Explain.
func (r *reading) Named(tag string) {
	if r.node != nil {
		r.node.labels.addTag(tag)
	}
}

func readingOf(f *depend.Frame) reading {
	if f == nil {
		return reading{}
	}
	r, _ := f.Reading.(*reading)
	if r == nil {
		return reading{}
	}
	return *r
}

// derive returns ctx with its frame's reading changed.
func derive(ctx context.Context, change func(*reading)) context.Context {
	f := depend.From(ctx)
	r := readingOf(f)
	change(&r)
	next := &depend.Frame{Reading: &r}
	if f != nil {
		next.Record = f.Record
	}
	return depend.With(ctx, next)
}

// WithToken makes reads wait until their node has applied t, for at most a second, then bypass. Of two tokens the last given
// counts. The zero Token changes nothing.
func WithToken(ctx context.Context, t event.Token) context.Context {
	if t.IsZero() {
		return ctx
	}
	return derive(ctx, func(r *reading) {
		r.token, r.left, r.tree = t, new(atomic.Int64), nil
		r.left.Store(int64(TokenWait))
	})
}

// WithBypass makes reads call the loader and store nothing.
func WithBypass(ctx context.Context) context.Context {
	return derive(ctx, func(r *reading) { r.bypass, r.tree = true, nil })
}

// AddTags adds tags to the load ctx belongs to, and does nothing when there is none. An illegal tag means NoStore, counted and
// logged. Safe for concurrent use. An entry keeps at least 64 tags of up to four levels, see WithTags.
func AddTags(ctx context.Context, tags ...string) {
	f := depend.From(ctx)
	if f == nil || f.Record == nil {
		return
	}
	for _, t := range tags {
		if event.CheckTag(t) != nil {
			f.Record.Illegal(t)
			continue
		}
		f.Record.AddTags(t)
		if n := readingOf(f).node; n != nil {
			n.labels.addTag(t)
		}
	}
}

// SetTTL sets how long the value of the load ctx belongs to is fresh, at most Config.MaxTTL; zero or less means NoStore. It does
// nothing outside a load.
func SetTTL(ctx context.Context, d time.Duration) {
	if f := depend.From(ctx); f != nil && f.Record != nil {
		if d <= 0 {
			f.Record.NoStore()
			return
		}
		f.Record.SetTTL(d)
	}
}

// NoStore keeps the value of the load ctx belongs to out of the cache, and does nothing outside a load.
func NoStore(ctx context.Context) {
	if f := depend.From(ctx); f != nil && f.Record != nil {
		f.Record.NoStore()
	}
}
