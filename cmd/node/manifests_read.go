package main

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/lethe-cache/lethe/cmd/internal/ctl"
	"github.com/lethe-cache/lethe/cmd/internal/desk"
	"github.com/lethe-cache/lethe/internal/document"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

// Headers of an answer that may have come from memory.
const (
	cacheHeader = "Lethe-Cache"  // hit, miss, stale, negative or bypass
	tierHeader  = "Lethe-Tier"   // hot or bulk
	ageHeader   = "Lethe-Age-Ms" // since its load began
)

func (m *manifests) serveGet(w http.ResponseWriter, r *http.Request) error {
	got, err := m.Lookup(r.Context(), nameIn(r))
	if err != nil {
		return from(got, err)
	}
	say(w, got)
	return writeAs(w, r, r.URL.Query().Get("format"), got.Value)
}

// serveList reads what it may through the memoized function: a part of a list, by labels or by pages, comes from the database.
func (m *manifests) serveList(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	namespace := r.PathValue("namespace")
	if q.Get("labelSelector") == "" && q.Get("limit") == "" && q.Get("continue") == "" {
		got, err := m.LookupList(r.Context(), r.PathValue("kind"), namespace)
		if err != nil {
			return from(got, err)
		}
		say(w, got)
		return writeAs(w, r, q.Get("format"), got.Value)
	}
	limit := 0
	if text := q.Get("limit"); text != "" {
		var err error
		if limit, err = strconv.Atoi(text); err != nil {
			return bad(http.StatusBadRequest, "limit", "%q: want a number up to %d", text, desk.MaxListed)
		}
	}
	m.After(r.Context())
	page, err := m.Query(r.Context(), ctl.Query{
		Kind: r.PathValue("kind"), Namespace: namespace, Selector: q.Get("labelSelector"), Limit: limit, Continue: q.Get("continue"),
	}, desk.MaxListedBytes)
	if err != nil {
		return err
	}
	w.Header().Set(cacheHeader, string(lethe.Bypassed))
	return writeAs(w, r, q.Get("format"), page)
}

// from adds to an error how it was come by: that something is not there is remembered as well.
func from[V any](r lethe.Result[V], err error) error {
	p := *problemOf(err)
	p.Cache, p.AgeMs = r.Cache, r.Age.Milliseconds()
	return &p
}

// say tells how an answer was come by.
func say[V any](w http.ResponseWriter, r lethe.Result[V]) {
	h := w.Header()
	h.Set(cacheHeader, string(r.Cache))
	h.Set(ageHeader, strconv.FormatInt(r.Age.Milliseconds(), 10))
	if r.Tier != "" {
		h.Set(tierHeader, string(r.Tier))
	}
}

// writeAs writes JSON, or YAML to who asks for it by ?format=yaml or by Accept.
func writeAs(w http.ResponseWriter, r *http.Request, format string, v any) error {
	switch format {
	case "":
		if !strings.Contains(r.Header.Get("Accept"), "yaml") {
			break
		}
		fallthrough
	case "yaml":
		data, err := json.Marshal(v)
		if err != nil {
			return err
		}
		if data, err = document.YAML(data); err != nil {
			return err
		}
		w.Header().Set("Content-Type", "application/yaml")
		_, _ = w.Write(data)
		return nil
	case "json":
	default:
		return bad(http.StatusBadRequest, "format", "%q: want json or yaml", format)
	}
	writeJSON(w, http.StatusOK, v)
	return nil
}
