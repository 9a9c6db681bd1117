// Package web is how the services of these examples begin and end: copy it.
package web

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"
)

// Signals returns a context that ends with the first SIGINT or SIGTERM. A second one ends the process at once.
func Signals() (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // from now on a signal does what it does by default
	return ctx, stop
}

// Shutdown is how long open requests have when the listener is closed.
const Shutdown = 5 * time.Second

// Serve answers on listener until ctx ends, and returns when every answer is given. /readyz is 200 from when ready first was nil, and
// stays so through an outage of the bus: all replicas would be taken out of service at once, and slow answers are better than none.
//
// The end has an order, so that a rolling restart refuses no request: (1) /readyz answers 503, and each answer closes its
// connection; (2) for the time of drain everything is answered as before, while balancers find out; (3) the listener closes, and
// open requests end. The caller then closes its node: while requests are answered it has to be there.
func Serve(ctx context.Context, listener net.Listener, handler http.Handler, ready func(context.Context) error, drain time.Duration) error {
	var was, draining atomic.Bool
	mux := http.NewServeMux()
	mux.Handle("/", handler)
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), time.Second)
		defer cancel()
		var err error
		switch {
		case draining.Load():
			err = errors.New("draining")
		case !was.Load():
			err = ready(ctx)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		was.Store(true)
	})
	server := &http.Server{ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if draining.Load() {
			w.Header().Set("Connection", "close")
		}
		mux.ServeHTTP(w, r)
	})}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	draining.Store(true)
	select {
	case err := <-ended:
		return err
	case <-time.After(drain):
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), Shutdown)
	defer cancel()
	err := server.Shutdown(grace)
	if err != nil {
		_ = server.Close() // requests that take longer are cut off
	}
	if failed := <-ended; !errors.Is(failed, http.ErrServerClosed) {
		err = errors.Join(err, failed)
	}
	return err
}
