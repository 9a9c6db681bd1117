package loglimit

import (
	"context"
	"log/slog"
	"time"
)

// Handler is a slog.Handler with a budget. It is safe for concurrent use, and calls the one behind it with no lock held.
type Handler struct {
	next slog.Handler
	b    *budget
}

// New returns a Handler in front of next; of one that is a Handler already, that one.
func New(next slog.Handler) *Handler {
	if h, ok := next.(*Handler); ok {
		return h
	}
	return &Handler{next: next, b: newBudget()}
}

// Logger returns l with a Handler in front of its own; nil discards.
func Logger(l *slog.Logger) *slog.Logger {
	if l == nil {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(New(l.Handler()))
}

// Enabled is slog.Handler.
func (h *Handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

// Handle is slog.Handler. A line over the budget is counted, and that is all.
func (h *Handler) Handle(ctx context.Context, r slog.Record) error {
	ok, suppressed := h.b.take(r.Message, r.Level, now(r))
	if !ok {
		return nil
	}
	out := slog.NewRecord(r.Time, r.Level, text(r.Message, errorMost), r.PC)
	r.Attrs(func(a slog.Attr) bool {
		out.AddAttrs(clipped(a))
		return true
	})
	if suppressed > 0 {
		out.AddAttrs(slog.Uint64("suppressed", suppressed))
	}
	return h.next.Handle(ctx, out) //nolint:wrapcheck // it is the handler's
}

func now(r slog.Record) time.Time {
	if r.Time.IsZero() {
		return time.Now()
	}
	return r.Time
}

// WithAttrs is slog.Handler. The budget is shared.
func (h *Handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	cut := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		cut[i] = clipped(a)
	}
	return &Handler{next: h.next.WithAttrs(cut), b: h.b}
}

// WithGroup is slog.Handler. The budget is shared.
func (h *Handler) WithGroup(name string) slog.Handler {
	return &Handler{next: h.next.WithGroup(name), b: h.b}
}

// Tell logs how many lines were kept back since they were last told of, of all messages, if any were.
func (h *Handler) Tell(ctx context.Context) {
	n, most := h.b.kept()
	if n == 0 || !h.next.Enabled(ctx, slog.LevelWarn) {
		return
	}
	r := slog.NewRecord(time.Now(), slog.LevelWarn, "log lines were suppressed", 0)
	r.AddAttrs(slog.String("event", "log_suppressed"), slog.Uint64("suppressed", n), slog.String("most_of", text(most, fieldMost)))
	_ = h.next.Handle(ctx, r)
}
