package ctl

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/lethe-cache/lethe/cmd/internal/cli"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

// Knowledge is what one node knows of a function, in JSON.
type Knowledge struct {
	Node    string   `json:"node"`
	Known   bool     `json:"known"`             // it memoizes the function, under this name or a former one
	Fits    bool     `json:"fits"`              // the arguments can be the function's; true of a whole function that is known
	Args    []string `json:"args,omitempty"`    // the kinds of its arguments
	Nearest []string `json:"nearest,omitempty"` // names there are that look like it, where it is not known
}

// knowledgeOf is what functions say of t.
func knowledgeOf(node string, functions []lethe.FunctionInfo, t event.Target) Knowledge {
	k := Knowledge{Node: node}
	names := make([]string, 0, len(functions))
	for _, f := range functions {
		names = append(names, f.Name)
		if f.Name == t.Name() || f.Former != "" && f.Former == t.Name() {
			k.Known, k.Args, k.Fits = true, f.Kinds, fit(f.Kinds, t)
			return k
		}
	}
	k.Nearest = cli.Nearest(t.Name(), names)
	return k
}

// fit says whether the arguments of a key can be those of a function: as many, and each of its kind. Of a key that is told by its
// hash nobody knows the arguments.
func fit(kinds []string, t event.Target) bool {
	if t.Scope() != event.ScopeKey || t.Args() == nil {
		return true
	}
	var args []json.RawMessage
	if json.Unmarshal(t.Args(), &args) != nil || len(args) != len(kinds) {
		return false
	}
	for i, arg := range args {
		if kinds[i] != "any" && kinds[i] != kindOf(arg) {
			return false
		}
	}
	return true
}

// kindOf is the kind of a JSON value.
func kindOf(value json.RawMessage) string {
	value = bytes.TrimSpace(value)
	if len(value) == 0 {
		return ""
	}
	switch value[0] {
	case '"':
		return "string"
	case '{':
		return "object"
	case '[':
		return "array"
	case 't', 'f':
		return "boolean"
	case 'n':
		return "null"
	}
	return "number"
}

func has(n *lethe.Node, body []byte) (any, *Refusal) {
	var t event.Target
	err := json.Unmarshal(body, &t)
	if err == nil && t.Scope() != event.ScopeKey && t.Scope() != event.ScopeFunction {
		err = errors.New("it is no function's")
	}
	if err != nil {
		return nil, Refuse(http.StatusBadRequest, "", "the body has to be one target of a function: %v", err)
	}
	return knowledgeOf(n.Status().Name, n.Functions(), t), nil
}

// Verdict is what a fleet knows of a function.
type Verdict struct {
	Known, Fits bool
	Args        [][]string // how the nodes that know it want the arguments, each way once
	Nearest     []string
	Answered    []string // nodes
	// Complete says that every node of the fleet has answered: what none of them knows, nobody does.
	Complete bool
}

// AskHas asks the nodes for a function. It takes one round trip where the first to answer knows it and its arguments fit, else as
// long as ctx: nodes that are no lethe-node never answer. Only then is who is there asked for; list says so beforehand, since that
// takes another permission.
func AskHas(ctx context.Context, nc *nats.Conn, asker *lethe.Node, t event.Target, list func()) (Verdict, error) {
	body, err := json.Marshal(t)
	if err != nil {
		return Verdict{}, err
	}
	asking, cancel := half(ctx)
	answers, err := gather(asking, nc, AnySubject(asker.Status().Fleet, Has), body, func(answers []Answer) bool {
		return verdict(answers[len(answers)-1:], nil, false).Fits
	})
	cancel()
	if err != nil {
		return Verdict{}, err
	}
	v := verdict(answers, nil, false)
	if v.Fits {
		return v, nil
	}
	list()
	members, err := asker.Nodes(ctx)
	var there []string
	for _, m := range members {
		if !m.Gone {
			there = append(there, m.Name) // one that is silent has not answered either
		}
	}
	return verdict(answers, there, err == nil), nil
}

// verdict puts answers together; listed says that there are no nodes but those.
func verdict(answers []Answer, there []string, listed bool) Verdict {
	var v Verdict
	var names []string
	understood := make([]Answer, 0, len(answers))
	for _, a := range answers {
		var k Knowledge
		if a.Err != nil || json.Unmarshal(a.Data, &k) != nil {
			continue
		}
		understood = append(understood, a)
		v.Answered = append(v.Answered, a.Node)
		v.Known, v.Fits = v.Known || k.Known, v.Fits || k.Known && k.Fits
		if k.Known && !slices.ContainsFunc(v.Args, func(have []string) bool { return slices.Equal(have, k.Args) }) {
			v.Args = append(v.Args, k.Args)
		}
		for _, n := range k.Nearest {
			if !slices.Contains(names, n) {
				names = append(names, n)
			}
		}
	}
	slices.Sort(v.Answered)
	if !v.Known {
		v.Nearest = names[:min(len(names), cli.MaxNearest)]
	}
	v.Complete = listed && len(there) > 0 && len(Missing(understood, there)) == 0
	return v
}

// HasTime is how long a fleet is asked, at most, before something is published.
const HasTime = 250 * time.Millisecond
