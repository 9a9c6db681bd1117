package event

import "context"

type (
	actorKey  struct{}
	reasonKey struct{}
)

// WithReason says why, for people who read the events later: UTF-8 of at most 1 KiB.
func WithReason(ctx context.Context, reason string) context.Context {
	return context.WithValue(ctx, reasonKey{}, reason)
}

// ReasonFrom is what WithReason put there, else empty.
func ReasonFrom(ctx context.Context) string {
	reason, _ := ctx.Value(reasonKey{}).(string)
	return reason
}
