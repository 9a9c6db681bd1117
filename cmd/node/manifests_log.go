package main

import (
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/lethe-cache/lethe/cmd/internal/ctl"
	"github.com/lethe-cache/lethe/cmd/internal/desk"
	"github.com/lethe-cache/lethe/pkg/manifest"
)

// serveLog is what became of a manifest, the latest first.
func (m *manifests) serveLog(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	query := ctl.LogQuery{Name: nameIn(r), Continue: q.Get("continue")}
	if text := q.Get("limit"); text != "" {
		var err error
		if query.Limit, err = strconv.Atoi(text); err != nil {
			return bad(http.StatusBadRequest, "limit", "%q: want a number up to %d", text, manifest.MaxJournalLimit)
		}
	}
	var err error
	if query.Since, err = sinceIn(q, time.Now()); err != nil {
		return err
	}
	m.After(r.Context())
	page, err := m.Log(r.Context(), query, desk.MaxListedBytes)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, page)
	return nil
}

// sinceIn is a parameter that is a duration before now, or a time.
func sinceIn(q url.Values, now time.Time) (time.Time, error) {
	text := q.Get("since")
	if text == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, bad(http.StatusBadRequest, "since", "%q: want a duration like 2h, or a time like 2026-11-22T10:00:00Z", text)
	}
	return at, nil
}
