package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/lethe-cache/lethe/cmd/internal/ctl"
	"github.com/lethe-cache/lethe/pkg/event"
)

// explainWait is how long other nodes have to say what they have.
const explainWait = 3 * time.Second

// explainKey says what every node of the fleet has for a key. Of this node it needs no bus.
func (a *api) explainKey(w http.ResponseWriter, r *http.Request) {
	t, err := a.key(r)
	if err != nil {
		writeError(w, err)
		return
	}
	here, err := a.node.Explain(r.Context(), t)
	if err != nil {
		writeError(w, err)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), explainWait)
	defer cancel()
	all, err := ctl.ExplainAll(ctx, a.conn.Conn, a.node, t)
	all.Add(here)
	if err != nil && !errors.Is(err, ctl.ErrNoNode) {
		all.Problems = append(all.Problems, "the others could not be asked: "+a.conn.trouble(err).Error())
	}
	writeJSON(w, http.StatusOK, all)
}

// key is what a request names. A function that is not memoized here may be on other nodes.
func (a *api) key(r *http.Request) (event.Target, error) {
	name := r.PathValue("name")
	args, err := arguments(r.URL.Query())
	if err != nil {
		return event.Target{}, err
	}
	if f, ok := a.functions[name]; ok {
		return f.target(r.Context(), args)
	}
	t := event.Key(name, anys(args)...)
	return t, t.Err()
}

func anys(args []json.RawMessage) []any {
	list := make([]any, len(args))
	for i, raw := range args {
		list[i] = raw
	}
	return list
}
