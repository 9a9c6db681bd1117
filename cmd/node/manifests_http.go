package main

import (
	"net/http"

	"github.com/lethe-cache/lethe/cmd/internal/ctl"
	"github.com/lethe-cache/lethe/cmd/internal/desk"
)

// manifests is the desk of a node, over HTTP. It is nil where the node has no database.
type manifests struct{ *desk.Desk }

// manifestRoute is a handler, and the parameters that its query string may have.
type manifestRoute struct {
	handle     func(*manifests, http.ResponseWriter, *http.Request) error
	parameters []string
}

// manifestRoutes are there on every node, so that one without a database can say that it has none.
func (a *api) manifestRoutes(mux *http.ServeMux) {
	for pattern, route := range map[string]manifestRoute{
		"POST /v1/manifests":                                      {(*manifests).serveApply, []string{"dryRun"}},
		"GET /v1/manifests/{kind}":                                {(*manifests).serveList, []string{"labelSelector", "limit", "continue", "format"}},
		"GET /v1/manifests/{kind}/{namespace}":                    {(*manifests).serveList, []string{"labelSelector", "limit", "continue", "format"}},
		"GET /v1/manifests/{kind}/{namespace}/{name}":             {(*manifests).serveGet, []string{"format"}},
		"DELETE /v1/manifests/{kind}/{namespace}/{name}":          {(*manifests).serveDelete, nil},
		"PUT /v1/manifests/{kind}/{namespace}/{name}/status":      {(*manifests).serveStatus, nil},
		"POST /v1/manifests/{kind}/invalidate":                    {(*manifests).serveInvalidate, nil},
		"POST /v1/manifests/{kind}/{namespace}/invalidate":        {(*manifests).serveInvalidate, nil},
		"POST /v1/manifests/{kind}/{namespace}/{name}/invalidate": {(*manifests).serveInvalidate, nil},
		"GET /v1/manifests/{kind}/{namespace}/{name}/log":         {(*manifests).serveLog, []string{"since", "limit", "continue"}},
		"GET /v1/tickets/{ticket}":                                {(*manifests).serveTicket, []string{"timeout"}},
		"GET /v1/kinds":                                           {(*manifests).serveKinds, nil},
		"GET /v1/kinds/{kind}":                                    {(*manifests).serveKind, nil},
		"GET /v1/kinds/{kind}/example":                            {(*manifests).serveExample, []string{"format"}},
		"GET /v1/kinds/{kind}/schema":                             {(*manifests).serveSchema, nil},
	} {
		mux.HandleFunc(pattern, taking(func(w http.ResponseWriter, r *http.Request) {
			if err := a.withManifests(route.handle, w, r); err != nil {
				writeError(w, err)
			}
		}, route.parameters...))
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
	dryRun, err := truth(r.URL.Query(), "dryRun")
	if err != nil {
		return err
	}
	body, err := readBody(r)
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

func (m *manifests) serveStatus(w http.ResponseWriter, r *http.Request) error {
	body, err := readBody(r)
	if err != nil {
		return err
	}
	done, err := m.PutStatus(r.Context(), nameIn(r), body)
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
