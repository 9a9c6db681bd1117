package main

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/lethe-cache/lethe/pkg/event"
)

// A request waits this long unless it says otherwise, and never longer than maxWait.
const (
	defaultWait = 5 * time.Second
	maxWait     = time.Minute
)

// patience is which token a request waits for, and how long.
func (a *api) patience(r *http.Request) (event.Token, time.Duration, error) {
	q := r.URL.Query()
	if !q.Has("token") {
		return event.Token{}, 0, bad(http.StatusBadRequest, "token", "is missing: give ?token= and what a write was answered with")
	}
	token, err := a.parseToken("token", q.Get("token"))
	if err != nil {
		return token, 0, err
	}
	timeout, err := timeoutIn(q)
	return token, timeout, err
}

// timeoutIn is how long a request says that it waits.
func timeoutIn(q url.Values) (time.Duration, error) {
	text := q.Get("timeout")
	if text == "" {
		return defaultWait, nil
	}
	timeout, err := time.ParseDuration(text)
	if err != nil || timeout < 0 || timeout > maxWait {
		return 0, bad(http.StatusBadRequest, "timeout", "%q: want a duration like 500ms or 5s, at most %v", text, maxWait)
	}
	return timeout, nil
}

func (a *api) wait(w http.ResponseWriter, r *http.Request) {
	token, timeout, err := a.patience(r)
	if err != nil {
		writeError(w, err)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	defer cancel()
	err = a.node.Wait(ctx, token)
	s := a.node.Status()
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		p := bad(http.StatusGatewayTimeout, "token", "not applied within %v: this node stands at %d", timeout, s.Cursor)
		p.Cursor = s.Cursor
		writeError(w, p)
	case err != nil:
		writeError(w, err)
	default:
		writeJSON(w, http.StatusOK, map[string]any{"applied": true, "node": s.Name, "cursor": s.Cursor})
	}
}
