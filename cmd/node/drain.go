package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// Defaults of how a node ends.
const (
	defaultDrain    = 5 * time.Second // --drain-delay where others can reach the node
	defaultShutdown = 5 * time.Second // --shutdown-timeout
)

// ending is how long the node takes to end.
type ending struct {
	drain    time.Duration // it says that it is not ready, and answers like before
	shutdown time.Duration // it takes no more connections, and requests under way end
}

// optional is a flag of a duration whose default depends on other flags.
type optional struct {
	time.Duration
	set bool
}

func (o *optional) Set(text string) error {
	d, err := time.ParseDuration(text)
	if err != nil {
		return errors.New("want a duration like 500ms or 5s")
	}
	o.Duration, o.set = d, true
	return nil
}

func (o *optional) String() string {
	if !o.set {
		return ""
	}
	return o.Duration.String()
}

func (*optional) Type() string { return "duration" }

// run serves until ctx ends or the server fails, and returns when both it and the watch over readiness have ended.
//
// The end has an order, so that no request is refused: first /readyz says no while everything is answered as before, for as long
// as a balancer may take to notice; then nothing more is let in, and what is under way ends.
func (a *api) run(ctx context.Context, server *http.Server, listener net.Listener) error {
	watching, stop := context.WithCancel(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		a.watchReady(watching)
	}()
	defer func() {
		stop()
		<-watched
	}()
	failed := make(chan error, 1)
	bounded := newCrowd(listener, a.limits.conns, a.limits.one)
	go func() { failed <- bounded.serve(server) }()
	select {
	case err := <-failed:
		return fmt.Errorf("http: %w", err)
	case <-ctx.Done():
	}
	begin := time.Now()
	a.draining.Store(true)
	a.logger.Info("draining", "for", a.ending.drain)
	select {
	case err := <-failed:
		return fmt.Errorf("http: %w", err)
	case <-time.After(a.ending.drain):
	}
	a.logger.Info("closing the listener", "timeout", a.ending.shutdown)
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.ending.shutdown)
	defer cancel()
	if err := server.Shutdown(grace); err != nil {
		a.logger.Warn("requests were cut off", "error", err)
		_ = server.Close()
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("http: %w", err)
	}
	a.logger.Info("http ended", "took", time.Since(begin).Round(time.Millisecond))
	return nil
}

// parting ends each connection with its next answer while the node drains: a client that keeps connections has its next request
// answered by another node, and none is on its way here when the listener closes.
func (a *api) parting(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a.draining.Load() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}
