package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/lethe-cache/lethe/cmd/internal/cli"
	"github.com/lethe-cache/lethe/cmd/internal/ctl"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

// spelt asks the nodes whether there is such a function before an event is published that nobody would understand: an error
// where all nodes have said no, a doubt where not all could be asked. The doubt is to be told once it is published.
func (o *options) spelt(ctx context.Context, conn *nats.Conn, node *lethe.Node, t event.Target) (doubt string, err error) {
	if t.Scope() != event.ScopeFunction && t.Scope() != event.ScopeKey {
		return "", nil
	}
	v, err := o.has(ctx, conn, node, t)
	var wrong string
	switch {
	case err != nil:
		doubt = "published; could not be checked: only a lethe-node can be asked for " + t.Name() + ", and none has answered; --force asks nobody"
		return doubt, nil //nolint:nilerr // it is the doubt
	case v.Known && v.Fits:
		return o.kindSpelt(ctx, conn, t), nil
	case v.Known:
		wrong = misfit(t, v)
	case v.Complete:
		wrong = fmt.Sprintf("no node of fleet %s has a function %s%s", o.fleet, t.Name(), thereIs(v.Nearest))
	default:
		wrong = fmt.Sprintf("no node of fleet %s that answered has a function %s%s", o.fleet, t.Name(), thereIs(v.Nearest))
	}
	if slices.Contains(slashed(), t.Name()) {
		wrong += fmt.Sprintf("; for a %s say %[1]s/…", t.Name())
	}
	if v.Complete {
		return "", cli.Usagef("%s; nothing was published (--force publishes it all the same)", wrong)
	}
	return wrong + "; but not all nodes have answered (programs that embed the library can't): published all the same; --force asks nobody", nil
}

// has asks the nodes for a function, for a moment.
func (o *options) has(ctx context.Context, conn *nats.Conn, node *lethe.Node, t event.Target) (ctl.Verdict, error) {
	ctx, cancel := context.WithTimeout(ctx, ctl.HasTime)
	defer cancel()
	return ctl.AskHas(ctx, conn, node, t, func() { o.spare.Store(true) })
}

func thereIs(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return "; there is " + plain(strings.Join(names, ", "))
}

// misfit says how a function wants its arguments.
func misfit(t event.Target, v ctl.Verdict) string {
	return fmt.Sprintf("these can't be arguments of %s: it takes %s, and got %s (words are strings; --args says numbers and objects)",
		t.Name(), argumentsOf(v.Args), t.Args())
}

// argumentsOf says how the nodes want the arguments of a function, in words.
func argumentsOf(ways [][]string) string {
	all := make([]string, 0, len(ways))
	for _, kinds := range ways {
		switch len(kinds) {
		case 0:
			all = append(all, "none ([])")
		default:
			all = append(all, "["+plain(strings.Join(kinds, ", "))+"]")
		}
	}
	return strings.Join(all, " or ")
}

// kindSpelt is what is wrong with the kind in a key of a lethe-node's manifest.get or manifest.list, whose keys have a kind's own
// name. It is empty where nothing is, or where nobody can tell.
func (o *options) kindSpelt(ctx context.Context, conn *nats.Conn, t event.Target) string {
	if t.Name() != "manifest.get" && t.Name() != "manifest.list" {
		return ""
	}
	var args []string
	if json.Unmarshal(t.Args(), &args) != nil || len(args) == 0 {
		return ""
	}
	body, err := json.Marshal(ctl.Name{Kind: args[0]})
	if err != nil {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, ctl.HasTime)
	defer cancel()
	o.spareKind.Store(true)
	var list ctl.KindList
	err = ctl.Request(ctx, conn, o.fleet, ctl.Kinds, body, nil, &list)
	var no *ctl.Refusal
	switch {
	case errors.As(err, &no) && no.Code == http.StatusNotFound:
		return fmt.Sprintf("there is no kind %q, so %s has nothing of it: 'lethe-publisher kinds' shows which there are", plain(args[0]), t.Name())
	case err != nil, len(list.Kinds) != 1, list.Kinds[0].Kind == args[0]:
		return ""
	}
	return fmt.Sprintf("keys of %s have the kind's own name, %s: nothing is kept under %q", t.Name(), plain(list.Kinds[0].Kind), plain(args[0]))
}
