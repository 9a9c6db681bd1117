package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// admin is the listener of --admin: probes and metrics, with a bound of its own, so that what happens at --http does not keep
// them from being answered. It answers until everything else of the node has ended.
type admin struct {
	listener net.Listener
	guard    *guard
	server   *http.Server
	served   chan struct{} // closed when it has ended; nil: it has not begun
}

// openAdmin listens, and answers once serve was called. None of what it serves asks for a token at --http either, so it takes
// none, on whatever address.
func openAdmin(ctx context.Context, address string) (*admin, error) {
	loopback, err := isLoopback(address)
	if err != nil {
		return nil, err
	}
	g, err := newGuard("", loopback)
	if err != nil {
		return nil, err
	}
	l, err := listen(ctx, "--admin", address)
	if err != nil {
		return nil, err
	}
	return &admin{listener: l, guard: g}, nil
}

func (d *admin) serve(h http.Handler, logger *slog.Logger) {
	l := adminLimits()
	d.server = l.server(d.guard.wrap(h), logger)
	d.served = make(chan struct{})
	bounded := newCrowd(d.listener, l.conns, l.one)
	go func() {
		defer close(d.served)
		if err := bounded.serve(d.server); !errors.Is(err, http.ErrServerClosed) {
			logger.Error("--admin has ended", "error", err)
		}
	}()
}

// adminPatience is how long its requests may take when the node has ended.
const adminPatience = time.Second

func (d *admin) close() error {
	if d.served == nil {
		return ignoreClosed(d.listener.Close())
	}
	ctx, cancel := context.WithTimeout(context.Background(), adminPatience)
	defer cancel()
	if d.server.Shutdown(ctx) != nil {
		_ = d.server.Close()
	}
	<-d.served
	return nil
}
