package main

import (
	"net/http"

	"github.com/lethe-cache/lethe/pkg/event"
)

func (a *api) invalidate(w http.ResponseWriter, r *http.Request) {
	body, err := readBody(r)
	if err != nil {
		writeError(w, err)
		return
	}
	targets, reason, err := event.ParseInvalidation(body)
	if err != nil {
		writeError(w, err)
		return
	}
	ctx := r.Context()
	if reason != "" {
		ctx = event.WithReason(ctx, reason)
	}
	token, err := a.node.Invalidate(ctx, targets...)
	if !token.IsZero() {
		w.Header().Set(tokenHeader, token.String())
	}
	if err != nil {
		p := *problemOf(err)
		if !token.IsZero() {
			p.Token = &token
			if p.Status == http.StatusServiceUnavailable { // which says that nothing was done
				p.Status = http.StatusGatewayTimeout
			}
		}
		writeError(w, &p)
		return
	}
	writeJSON(w, http.StatusOK, map[string]event.Token{"token": token})
}
