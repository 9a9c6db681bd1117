package main

import (
	"io"
	"log"
	"log/slog"
	"strings"

	"github.com/lethe-cache/lethe/internal/loglimit"
)

// newLogger is what the whole process logs with, and its budget: whatever comes over HTTP or NATS, the log stays readable and
// the disk is not filled.
func newLogger(cfg config, w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: cfg.logLevel.Level}
	if cfg.logFormat == "json" {
		return slog.New(loglimit.New(slog.NewJSONHandler(w, options)))
	}
	return slog.New(loglimit.New(slog.NewTextHandler(w, options)))
}

// httpErrors logs what the HTTP server complains of, under one message. Its texts name remote addresses, and where a handler
// panics what was asked: each would be a message of its own to the budget, and together they would keep back all others.
type httpErrors struct{ to *slog.Logger }

// Write is io.Writer; what is behind the first line is the stack of a panic.
func (h httpErrors) Write(p []byte) (int, error) {
	text, stack, panicked := strings.Cut(strings.TrimSuffix(string(p), "\n"), "\n")
	if panicked {
		h.to.Error("an HTTP handler panicked", "error", text, "stack", stack)
	} else {
		h.to.Warn("the HTTP server reports an error", "error", text)
	}
	return len(p), nil
}

func errorLog(to *slog.Logger) *log.Logger { return log.New(httpErrors{to}, "", 0) }
