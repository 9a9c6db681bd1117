package embedded

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/lethe-cache/lethe/internal/handover"
	"github.com/lethe-cache/lethe/internal/loglimit"
)

// logger turns the server's words into slog records of one message, so that they share a budget: many of them name a client, and
// would be a message each. It keeps its first fatal one: the server would end the process with it, a library may not.
type logger struct {
	to    *slog.Logger // on a goroutine of its own: the server logs with its locks held
	end   func()       // writes the last lines, for a second at most
	first atomic.Pointer[string]
}

func newLogger(to *slog.Logger) *logger {
	if to == nil {
		to = slog.New(slog.DiscardHandler)
	}
	to, end := handover.Logger(to)
	return &logger{to: loglimit.Logger(to).With("component", "nats-server"), end: end}
}

func (l *logger) fatal() string {
	if p := l.first.Load(); p != nil {
		return *p
	}
	return ""
}

func (l *logger) say(level slog.Level, format string, v []any) {
	l.to.Log(context.Background(), level, "the NATS server in this process reports", "text", fmt.Sprintf(format, v...))
}

// Noticef comes as debug: a start alone is twenty notices.
func (l *logger) Noticef(format string, v ...any) { l.say(slog.LevelDebug, format, v) }
func (l *logger) Debugf(format string, v ...any)  { l.say(slog.LevelDebug, format, v) }
func (l *logger) Tracef(format string, v ...any)  { l.say(slog.LevelDebug, format, v) }
func (l *logger) Warnf(format string, v ...any)   { l.say(slog.LevelWarn, format, v) }
func (l *logger) Errorf(format string, v ...any)  { l.say(slog.LevelError, format, v) }

func (l *logger) Fatalf(format string, v ...any) {
	text := fmt.Sprintf(format, v...)
	l.first.CompareAndSwap(nil, &text)
	l.say(slog.LevelError, format, v)
}
