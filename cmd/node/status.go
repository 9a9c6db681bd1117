package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/lethe-cache/lethe/cmd/internal/ctl"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

// nodeStatus is what /v1/status says.
type nodeStatus struct {
	ctl.Status
	Manifests *manifestStatus `json:"manifests,omitempty"` // absent: this node has no database
}

// manifestStatus tells whether the node may work with its database, and the database answers.
type manifestStatus struct {
	Ready  bool   `json:"ready"`
	Reason string `json:"reason,omitempty"` // why not
}

func (a *api) status(w http.ResponseWriter, r *http.Request) {
	s := nodeStatus{Status: ctl.StatusOf(a.node)}
	s.Why = ctl.Why(a.unready())
	if a.manifests != nil {
		s.Outbox = a.outbox()
		s.Manifests = &manifestStatus{Ready: true}
		if err := a.manifests.Refused(r.Context()); err != nil {
			s.Manifests = &manifestStatus{Reason: err.Error()}
		} else if !s.Outbox.Known() {
			s.Manifests = &manifestStatus{Reason: "the database does not answer: " + s.Outbox.Error}
		}
	}
	writeJSON(w, http.StatusOK, s)
}

// outbox is what waits to be announced, nil without a database.
func (a *api) outbox() *ctl.Outbox {
	if a.manifests == nil {
		return nil
	}
	return a.manifests.Outbox()
}

func livez(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = fmt.Fprintln(w, "ok")
}

// readyz turns 200 when the node was first Ready and stays so through a lost lease, so that an outage of the bus does
// not take every node out of service at once; ?lease=1 asks for the lease itself. A database that is announced on another bus
// is no outage: what this node serves of it would be stale for ever.
func (a *api) readyz(w http.ResponseWriter, r *http.Request) {
	s := a.node.Status()
	lease, err := truth(r.URL.Query(), "lease")
	switch {
	case err != nil:
		writeError(w, err)
	case a.draining.Load():
		writeError(w, bad(http.StatusServiceUnavailable, "draining", "the node was told to end: it answers for %v more at most, and takes nothing new then", a.ending.drain))
	case !a.ready.Load():
		why := a.reason(r.Context())
		if why == nil { // it has become ready since
			why = errors.New("about to be")
		}
		writeError(w, bad(http.StatusServiceUnavailable, "", "not ready yet: %v", why))
	case a.otherBus(r.Context()) != nil:
		writeError(w, bad(http.StatusServiceUnavailable, "database", "%v", a.otherBus(r.Context())))
	case lease && s.State != lethe.Current:
		writeError(w, bad(http.StatusServiceUnavailable, "lease", "the lease is gone: %v", a.reason(r.Context())))
	default:
		livez(w, r)
	}
}

// otherBus is why the database must not be served from here, nil when it may or there is none.
func (a *api) otherBus(ctx context.Context) error {
	if a.manifests == nil {
		return nil
	}
	return a.manifests.OnAnotherBus(ctx)
}

// reason is what keeps the node from being ready right now.
func (a *api) reason(ctx context.Context) error {
	if err := a.unready(); err != nil || a.manifests == nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Millisecond)
	defer cancel()
	return a.manifests.Refused(ctx)
}

// unready is why the node is not current, nil where it is: what /readyz and /v1/status say alike.
func (a *api) unready() error { return a.conn.trouble(a.node.Status().Err) }
