package main

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/nats-io/nats.go"

	"github.com/lethe-cache/lethe/cmd/internal/cli"
	"github.com/lethe-cache/lethe/internal/bus"
	"github.com/lethe-cache/lethe/pkg/embedded"
)

// link is the node's connection, where it leads, and what became of the last attempt to make it.
type link struct {
	*nats.Conn
	url  string
	last atomic.Pointer[error]
}

// trouble is err, with what keeps the connection from being made: the connection itself forgets that.
func (l *link) trouble(err error) error {
	if last := l.last.Load(); err != nil && last != nil && !l.IsConnected() {
		return fmt.Errorf("cannot connect to %s: %w; %w", l.url, *last, err)
	}
	return err
}

// connect gives the node its bus: servers that run elsewhere, which need not be reachable yet, or one in this process.
func connect(ctx context.Context, cfg *config, logger *slog.Logger, opened *closers) (*link, error) {
	if !cfg.embedded() {
		return dial(cfg, logger, opened)
	}
	server, err := embedded.Start(ctx, embedded.Config{StateDir: cfg.stateDir, Listen: cfg.natsListen.text, Logger: logger})
	if err != nil {
		return nil, fmt.Errorf("--nats-listen: %w; or use the server that runs there with --nats-url", err)
	}
	opened.add(server.Close)
	conn, err := server.Connect(nats.MaxReconnects(-1), nats.ReconnectBufSize(-1))
	if err != nil {
		return nil, err
	}
	opened.add(func() error { conn.Close(); return nil })
	return &link{Conn: conn, url: server.URL()}, nil
}

func dial(cfg *config, logger *slog.Logger, opened *closers) (*link, error) {
	url, opts, err := cfg.nats.Resolve()
	if err != nil {
		return nil, err
	}
	l := &link{url: cli.Redact(url)}
	opts = append(opts, nats.ReconnectErrHandler(func(_ *nats.Conn, err error) { l.last.Store(&err) }))
	l.Conn, err = bus.Dial(url, logger, opts...)
	if err != nil {
		return nil, cli.Exit(cli.CodeUsage, fmt.Errorf("--nats-url: %w", err))
	}
	opened.add(func() error { l.Close(); return nil })
	return l, nil
}
