package handover

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// Bounds of a Logger.
const (
	linesMost = 1024        // lines that wait for the handler; beyond it they are dropped and counted
	closeFor  = time.Second // end waits so long for the handler
)

// Logger returns a logger that never calls log's handler on the goroutine that logs, and never waits for it. Lines that find 1,024 others
// waiting are dropped; the next line that is written is preceded by one that says how many. end writes what waits, for a second at
// most, and lets nothing more in. What is such a logger already, or discards everything, is returned as it is.
func Logger(log *slog.Logger) (_ *slog.Logger, end func()) {
	h := log.Handler()
	if _, ours := h.(*handler); ours || h == slog.DiscardHandler {
		return log, func() {}
	}
	q := New(linesMost)
	base := func() slog.Handler { return h }
	return slog.New(&handler{q: q, base: base, to: base}), func() { q.Close(closeFor) }
}

// handler hands records over. What makes the handler behind it is user code as well, so that it is made where it is used.
type handler struct {
	q        *Queue
	base, to func() slog.Handler
}

// Enabled can't ask the handler, which might wait: it is asked when the line is written.
func (h *handler) Enabled(context.Context, slog.Level) bool { return true }

func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	ctx, r = context.WithoutCancel(ctx), r.Clone()
	h.q.Do(func() {
		if n := h.q.Dropped(); n > 0 {
			lost := slog.NewRecord(time.Now(), slog.LevelWarn, "lethe: log lines were dropped, the handler is slower than they come", 0)
			lost.AddAttrs(slog.Uint64("lines", n))
			write(ctx, h.base(), lost)
		}
		write(ctx, h.to(), r)
	})
	return nil
}

func write(ctx context.Context, to slog.Handler, r slog.Record) {
	if to.Enabled(ctx, r.Level) {
		_ = to.Handle(ctx, r) // as slog.Logger does
	}
}

func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &handler{q: h.q, base: h.base, to: sync.OnceValue(func() slog.Handler { return h.to().WithAttrs(attrs) })}
}

func (h *handler) WithGroup(name string) slog.Handler {
	return &handler{q: h.q, base: h.base, to: sync.OnceValue(func() slog.Handler { return h.to().WithGroup(name) })}
}
