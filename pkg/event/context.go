package event

import "context"

type (
	actorKey  struct{}
	reasonKey struct{}
	actor     struct{ typ, id string }
)

// WithActor says who makes the changes announced with ctx, e.g. "user" and a login; receivers see it, and it travels in
// the clear (authtype and authid of the event).
func WithActor(ctx context.Context, typ, id string) context.Context {
	return context.WithValue(ctx, actorKey{}, actor{typ, id})
}

// ActorFrom is what WithActor put there, else empty.
func ActorFrom(ctx context.Context) (typ, id string) {
	a, _ := ctx.Value(actorKey{}).(actor)
	return a.typ, a.id
}

// WithReason says why, for people who read the events later: UTF-8 of at most 1 KiB.
func WithReason(ctx context.Context, reason string) context.Context {
	return context.WithValue(ctx, reasonKey{}, reason)
}

// ReasonFrom is what WithReason put there, else empty.
func ReasonFrom(ctx context.Context) string {
	reason, _ := ctx.Value(reasonKey{}).(string)
	return reason
}
