package desk

import (
	"context"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

type tokenKey struct{}

// WithToken is ctx for reads that wait for a token: those of memoized functions by themselves, the others by After.
func WithToken(ctx context.Context, t event.Token) context.Context {
	if t.IsZero() {
		return ctx
	}
	return lethe.WithToken(context.WithValue(ctx, tokenKey{}, t), t)
}

// After waits for the token of ctx before a read that no memoized function makes.
func (d *Desk) After(ctx context.Context) {
	if t, ok := ctx.Value(tokenKey{}).(event.Token); ok {
		d.reach(ctx, t)
	}
}

// reach waits until this node has applied a token, for at most lethe.TokenWait: then the database is asked how things stand.
func (d *Desk) reach(ctx context.Context, t event.Token) {
	ctx, cancel := context.WithTimeout(ctx, lethe.TokenWait)
	defer cancel()
	_ = d.node.Wait(ctx, t)
}
