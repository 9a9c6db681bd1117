package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"github.com/lethe-cache/lethe/cmd/internal/cli"
	"github.com/lethe-cache/lethe/cmd/internal/ctl"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

// spelt asks the nodes whether there is such a function before an event is published that nobody would understand: an error
// where all nodes have said no, a warning where not all could be asked.
func (o *options) spelt(ctx context.Context, cmd *cobra.Command, conn *nats.Conn, node *lethe.Node, t event.Target) error {
	if t.Scope() != event.ScopeFunction && t.Scope() != event.ScopeKey {
		return nil
	}
	asking, cancel := context.WithTimeout(ctx, ctl.HasTime)
	v, err := ctl.AskHas(asking, conn, node, t, func() { o.spare.Store(true) })
	cancel()
	var wrong string
	switch {
	case err != nil:
		cmd.PrintErrf("lethe-publisher: warning: whether a node has %s is not known, none has answered: published unchecked\n", t.Name())
		return nil
	case v.Known && v.Fits:
		return nil
	case v.Known:
		wrong = fmt.Sprintf("these can't be arguments of %s: it takes %s, and got %s (words are strings; --args says numbers and objects)", t.Name(), argumentsOf(v.Args), t.Args())
	default:
		wrong = "no node of fleet " + o.fleet + " has a function " + t.Name()
		if len(v.Nearest) > 0 {
			wrong += "; there is " + plain(strings.Join(v.Nearest, ", "))
		}
	}
	if v.Complete {
		return cli.Usagef("%s; nothing was published (--force publishes it all the same)", wrong)
	}
	cmd.PrintErrf("lethe-publisher: warning: %s; but not all nodes have answered: published all the same\n", wrong)
	return nil
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
