package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/lethe-cache/lethe/cmd/internal/ctl"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

func (a *api) status(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, ctl.StatusOf(a.node))
}

func livez(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = fmt.Fprintln(w, "ok")
}

// readyz turns 200 when the node was first Ready and stays so through a lost lease, so that an outage of the bus does
// not take every node out of service at once; ?lease=1 asks for the lease itself.
func (a *api) readyz(w http.ResponseWriter, r *http.Request) {
	s := a.node.Status()
	switch {
	case !a.ready.Load():
		writeError(w, bad(http.StatusServiceUnavailable, "", "not ready yet: %v", a.reason(r.Context())))
	case r.URL.Query().Get("lease") == "1" && s.State != lethe.Current:
		writeError(w, bad(http.StatusServiceUnavailable, "lease", "the lease is gone: %v", a.reason(r.Context())))
	default:
		livez(w, r)
	}
}

// reason is what keeps the node from being ready right now.
func (a *api) reason(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Millisecond)
	defer cancel()
	return a.conn.trouble(a.node.Ready(ctx))
}
