package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

// tokenHeader carries a token: a read waits until this node has applied it, a write answers with it.
const tokenHeader = "Lethe-Token"

func (a *api) listFunctions(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{"functions": a.node.Functions()})
}

func (a *api) callFunction(w http.ResponseWriter, r *http.Request) {
	f, args, err := a.call(r)
	if err != nil {
		writeError(w, err)
		return
	}
	ctx, err := a.withToken(r)
	if err != nil {
		writeError(w, err)
		return
	}
	got, err := f.lookup(ctx, args)
	if err != nil {
		writeError(w, err)
		return
	}
	writeJSON(w, http.StatusOK, got)
}

// call is the function a request names, and its arguments.
func (a *api) call(r *http.Request) (function, []json.RawMessage, error) {
	f, ok := a.functions[r.PathValue("name")]
	if !ok {
		return nil, nil, bad(http.StatusNotFound, "name", "no function %q is memoized here: GET /v1/functions lists them", r.PathValue("name"))
	}
	args, err := arguments(r.URL.Query())
	return f, args, err
}

// arguments reads ?args=JSONARRAY, or ?arg=… once for each argument, which then is a string.
func arguments(q url.Values) ([]json.RawMessage, error) {
	for name := range q {
		if name != "args" && name != "arg" {
			return nil, bad(http.StatusBadRequest, name, "no such parameter: use args (a JSON array), or arg once for each argument")
		}
	}
	if q.Has("args") && q.Has("arg") || len(q["args"]) > 1 {
		return nil, bad(http.StatusBadRequest, "args", "give either args once, or arg once for each argument")
	}
	args := []json.RawMessage{}
	if q.Has("args") {
		if err := json.Unmarshal([]byte(q.Get("args")), &args); err != nil {
			return nil, bad(http.StatusBadRequest, "args", `want a JSON array like ["a",2]: %v`, err)
		}
		if args == nil { // null
			return nil, bad(http.StatusBadRequest, "args", `want a JSON array like ["a",2]`)
		}
		return args, nil
	}
	for _, text := range q["arg"] {
		raw, err := json.Marshal(text)
		if err != nil {
			return nil, bad(http.StatusBadRequest, "arg", "%v", err)
		}
		args = append(args, raw)
	}
	return args, nil
}

// withToken makes the reads of a request wait for the token it brought.
func (a *api) withToken(r *http.Request) (context.Context, error) {
	t, err := a.requestToken(r)
	if err != nil {
		return nil, err
	}
	return lethe.WithToken(r.Context(), t), nil
}

// requestToken is the token a request brought, the zero one if none.
func (a *api) requestToken(r *http.Request) (event.Token, error) {
	text := r.Header.Get(tokenHeader)
	if text == "" {
		return event.Token{}, nil
	}
	return a.parseToken(tokenHeader, text)
}

func (a *api) parseToken(field, text string) (event.Token, error) {
	t, err := event.ParseToken(text)
	if err != nil {
		return t, bad(http.StatusBadRequest, field, "%v", err)
	}
	if fleet := a.node.Status().Fleet; t.Fleet() != fleet {
		return t, bad(http.StatusBadRequest, field, "the token is of fleet %q, this node of %q", t.Fleet(), fleet)
	}
	return t, nil
}
