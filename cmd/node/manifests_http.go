package main

import (
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/lethe-cache/lethe/cmd/internal/ctl"
	"github.com/lethe-cache/lethe/cmd/internal/desk"
)

// manifests is the desk of a node, over HTTP. It is nil where the node has no database.
type manifests struct{ *desk.Desk }

// manifestRoutes are there on every node, so that one without a database can say that it has none.
func (a *api) manifestRoutes(mux *http.ServeMux) {
	for pattern, handle := range map[string]func(*manifests, http.ResponseWriter, *http.Request) error{
		"POST /v1/manifests":                                      (*manifests).serveApply,
		"GET /v1/manifests/{kind}":                                (*manifests).serveList,
		"GET /v1/manifests/{kind}/{namespace}":                    (*manifests).serveList,
		"GET /v1/manifests/{kind}/{namespace}/{name}":             (*manifests).serveGet,
		"DELETE /v1/manifests/{kind}/{namespace}/{name}":          (*manifests).serveDelete,
		"POST /v1/manifests/{kind}/{namespace}/{name}/invalidate": (*manifests).serveInvalidate,
		"GET /v1/tickets/{ticket}":                                (*manifests).serveTicket,
		"GET /v1/kinds":                                           (*manifests).serveKinds,
		"GET /v1/kinds/{kind}":                                    (*manifests).serveKind,
		"GET /v1/kinds/{kind}/example":                            (*manifests).serveExample,
		"GET /v1/kinds/{kind}/schema":                             (*manifests).serveSchema,
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if err := a.withManifests(handle, w, r); err != nil {
				writeError(w, err)
			}
		})
	}
}

// endpoints is what this node answers over NATS besides questions about itself.
func (a *api) endpoints() []ctl.Endpoint {
	if a.manifests == nil {
		return nil
	}
	return a.manifests.Endpoints()
}

func (a *api) withManifests(handle func(*manifests, http.ResponseWriter, *http.Request) error, w http.ResponseWriter, r *http.Request) error {
	if a.manifests == nil {
		return errNoDatabase()
	}
	t, err := a.requestToken(r)
	if err != nil {
		return err
	}
	ctx, err := desk.Because(r.Context(), r.Header.Get(ctl.ReasonHeader))
	if err != nil {
		return err
	}
	return handle(a.manifests, w, r.WithContext(desk.WithToken(ctx, t)))
}

func errNoDatabase() error {
	return bad(http.StatusServiceUnavailable, "database", "this node has no database: start it with --database-url, or ask one that has")
}

func (m *manifests) serveApply(w http.ResponseWriter, r *http.Request) error {
	q, err := parameters(r.URL.Query(), "dryRun")
	if err != nil {
		return err
	}
	dryRun := false
	if text := q.Get("dryRun"); text != "" {
		if dryRun, err = strconv.ParseBool(text); err != nil {
			return bad(http.StatusBadRequest, "dryRun", "%q: want true or false", text)
		}
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	done, err := m.Apply(r.Context(), body, dryRun)
	if err != nil {
		return err
	}
	writeDone(w, done)
	return nil
}

func (m *manifests) serveDelete(w http.ResponseWriter, r *http.Request) error {
	done, err := m.Delete(r.Context(), nameIn(r))
	if err != nil {
		return err
	}
	writeDone(w, done)
	return nil
}

func (m *manifests) serveInvalidate(w http.ResponseWriter, r *http.Request) error {
	done, err := m.Invalidate(r.Context(), nameIn(r))
	if err != nil {
		return err
	}
	writeDone(w, done)
	return nil
}

func (m *manifests) serveTicket(w http.ResponseWriter, r *http.Request) error {
	timeout, err := timeoutIn(r.URL.Query())
	if err != nil {
		return err
	}
	token, err := m.Announced(r.Context(), r.PathValue("ticket"), timeout)
	if err != nil {
		return err
	}
	w.Header().Set(tokenHeader, token.String())
	writeJSON(w, http.StatusOK, ctl.Announcement{Token: token})
	return nil
}

// writeDone answers a change: 202 when it is committed and has no token yet.
func writeDone(w http.ResponseWriter, done ctl.Written) {
	status := http.StatusOK
	if done.Pending() {
		status = http.StatusAccepted
	}
	if !done.Token.IsZero() {
		w.Header().Set(tokenHeader, done.Token.String())
	}
	writeJSON(w, status, done)
}

func nameIn(r *http.Request) ctl.Name {
	return ctl.Name{Kind: r.PathValue("kind"), Namespace: r.PathValue("namespace"), Name: r.PathValue("name")}
}

// parameters refuses those that are not known, and those that are given twice.
func parameters(q url.Values, known ...string) (url.Values, error) {
	for name, values := range q {
		ok := false
		for _, k := range known {
			ok = ok || k == name
		}
		switch {
		case !ok:
			return nil, bad(http.StatusBadRequest, name, "no such parameter here: there are %q", known)
		case len(values) > 1:
			return nil, bad(http.StatusBadRequest, name, "is given %d times", len(values))
		}
	}
	return q, nil
}
