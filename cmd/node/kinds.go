package main

import (
	"encoding/json"
	"net/http"

	"github.com/lethe-cache/lethe/cmd/internal/ctl"
)

func (m *manifests) serveKinds(w http.ResponseWriter, r *http.Request) error {
	m.After(r.Context())
	list, err := m.Kinds(r.Context())
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, list)
	return nil
}

// one is the kind that a request names.
func (m *manifests) one(r *http.Request) (ctl.Kind, error) {
	m.After(r.Context())
	return m.Kind(r.Context(), r.PathValue("kind"))
}

func (m *manifests) serveKind(w http.ResponseWriter, r *http.Request) error {
	k, err := m.one(r)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, k)
	return nil
}

func (m *manifests) serveExample(w http.ResponseWriter, r *http.Request) error {
	k, err := m.one(r)
	if err != nil {
		return err
	}
	return writeAs(w, r, r.URL.Query().Get("format"), k.Example)
}

func (m *manifests) serveSchema(w http.ResponseWriter, r *http.Request) error {
	k, err := m.one(r)
	if err != nil {
		return err
	}
	data, err := json.Marshal(k.Schema)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/schema+json")
	_, _ = w.Write(data)
	return nil
}
