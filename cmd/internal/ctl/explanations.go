package ctl

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

// Explanations is what the nodes of a fleet have for one key, in JSON.
type Explanations struct {
	Nodes    []lethe.Explanation `json:"nodes"`
	Silent   []string            `json:"silent"` // nodes the fleet knows of that did not answer
	Problems []string            `json:"problems,omitempty"`
}

// ExplainAll asks every node of asker's fleet about a key. It takes up to a second longer than the nodes do where one that is
// known of does not answer; ctx bounds it. When nobody answers it is ErrNoNode, and Silent still says who is known of.
func ExplainAll(ctx context.Context, nc *nats.Conn, asker *lethe.Node, t event.Target) (Explanations, error) {
	body, err := json.Marshal(t)
	if err != nil {
		return Explanations{}, err
	}
	var names, there []string
	listing, cancel := half(ctx)
	members, err := asker.Nodes(listing)
	cancel()
	if err != nil && ctx.Err() != nil {
		return Explanations{}, err
	}
	for _, m := range members {
		if m.Gone {
			continue // it has nothing to serve
		}
		names = append(names, m.Name)
		if m.Seen == 0 {
			there = append(there, m.Name)
		}
	}
	answers, err := Ask(ctx, nc, asker.Status().Fleet, Explain, "", body, there...)
	return explanations(answers, names), err
}

// half leaves as much of ctx's time for what follows.
func half(ctx context.Context) (context.Context, context.CancelFunc) {
	end, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Until(end)/2)
}

// ExplainOne asks the node of that name.
func ExplainOne(ctx context.Context, nc *nats.Conn, fleet, node string, t event.Target) (Explanations, error) {
	body, err := json.Marshal(t)
	if err != nil {
		return Explanations{}, err
	}
	answers, err := Ask(ctx, nc, fleet, Explain, node, body)
	return explanations(answers, nil), err
}

func explanations(answers []Answer, known []string) Explanations {
	x := Explanations{Nodes: []lethe.Explanation{}, Silent: []string{}}
	for _, a := range answers {
		var e lethe.Explanation
		if a.Err == nil {
			a.Err = json.Unmarshal(a.Data, &e)
		}
		if a.Err != nil {
			x.Problems = append(x.Problems, fmt.Sprintf("node %s answered: %v", a.Node, a.Err))
			continue
		}
		x.Nodes = append(x.Nodes, e)
	}
	x.Silent = append(x.Silent, Missing(answers, known)...)
	x.sort()
	return x
}

// Add puts in what a node says of itself, unless it has answered already.
func (x *Explanations) Add(e lethe.Explanation) {
	if slices.ContainsFunc(x.Nodes, func(have lethe.Explanation) bool { return have.Node == e.Node }) {
		return
	}
	x.Nodes = append(x.Nodes, e)
	if i := slices.Index(x.Silent, e.Node); i >= 0 {
		x.Silent = slices.Delete(x.Silent, i, i+1)
	}
	x.sort()
}

func (x *Explanations) sort() {
	slices.SortFunc(x.Nodes, func(a, b lethe.Explanation) int { return strings.Compare(a.Node, b.Node) })
	slices.Sort(x.Silent)
	slices.Sort(x.Problems)
}
