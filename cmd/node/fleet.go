package main

import (
	"context"
	"errors"
	"net/http"

	"github.com/lethe-cache/lethe/cmd/internal/ctl"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

func (a *api) nodes(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), defaultWait)
	defer cancel()
	nodes, err := a.node.Nodes(ctx)
	if err != nil {
		writeError(w, err)
		return
	}
	members := ctl.Members(nodes)
	ctl.WithOutboxes(ctx, a.conn.Conn, a.node.Status().Fleet, members)
	a.here(members)
	writeJSON(w, http.StatusOK, map[string][]ctl.Member{"nodes": members})
}

// here puts in what this node knows of itself, for which it needs no bus.
func (a *api) here(members []ctl.Member) {
	name := a.node.Name()
	for i := range members {
		m := &members[i]
		if m.Node != name || m.SeenMs > 0 {
			continue
		}
		if m.Outbox == nil {
			m.Outbox = a.outbox()
		}
		if m.State != lethe.Current.String() && m.Duplicates == 0 {
			m.Why = ctl.Why(a.unready())
		}
	}
}

// unfinished is the answer to a barrier that ended too soon: an error that says as much as the answer would have.
type unfinished struct {
	problem
	ctl.Report
}

func (a *api) barrier(w http.ResponseWriter, r *http.Request) {
	token, timeout, err := a.patience(r)
	if err != nil {
		writeError(w, err)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	defer cancel()
	got, err := a.node.Barrier(ctx, token)
	report := ctl.ReportOf(got)
	a.here(report.Applied)
	a.here(report.Pending)
	switch {
	case errors.Is(err, lethe.ErrPending):
		p := bad(http.StatusGatewayTimeout, "token", "within %v: %v", timeout, err)
		writeJSON(w, p.Status, unfinished{*p, report})
	case err != nil:
		writeError(w, err)
	default:
		writeJSON(w, http.StatusOK, report)
	}
}

// after makes a read that no loader stands behind wait for the token of its request, as reads of functions do. When the
// second is over it tells how things stand.
func (a *api) after(read http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		t, err := a.requestToken(r)
		if err != nil {
			writeError(w, err)
			return
		}
		if !t.IsZero() {
			ctx, cancel := context.WithTimeout(r.Context(), lethe.TokenWait)
			_ = a.node.Wait(ctx, t)
			cancel()
		}
		read(w, r)
	}
}
