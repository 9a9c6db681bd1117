package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"github.com/lethe-cache/lethe/cmd/internal/cli"
	"github.com/lethe-cache/lethe/cmd/internal/ctl"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

func newExplain(o *options) *cobra.Command {
	var jsonArgs, node string
	cmd := &cobra.Command{
		Use:   "explain FUNCTION [ARG…]",
		Short: "Ask the nodes whether they have a key in memory, by what labels, and what touched those last",
		Long: "Ask the nodes whether they have a key in memory, by what labels, and what touched those last. Nodes that the fleet\n" +
			"knows of and that do not answer are named: only a lethe-node can be asked.",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 && jsonArgs == "" {
				jsonArgs = "[]" // a key, where invalidate means all of the function
			}
			t, err := functionTarget(args[0], args[1:], jsonArgs)
			if err != nil {
				return err
			}
			return o.explain(cmd, t, node)
		},
	}
	cmd.Flags().StringVar(&jsonArgs, "args", "", "the function's arguments as a JSON array, for those that are not strings")
	cmd.Flags().StringVar(&node, "node", "", "ask only the node of that name")
	return cmd
}

func (o *options) explain(cmd *cobra.Command, t event.Target, node string) error {
	return o.asking(cmd, func(ctx context.Context, conn *nats.Conn, asker *lethe.Node) error {
		var all ctl.Explanations
		var err error
		if node != "" {
			all, err = ctl.ExplainOne(ctx, conn, o.fleet, node, t)
		} else {
			all, err = ctl.ExplainAll(ctx, conn, asker, t)
		}
		if err != nil {
			if errors.Is(err, ctl.ErrNoNode) {
				err = o.noneExplains(ctx, conn, asker, node, all.Silent)
			}
			return outcome(ctx, err)
		}
		doubt, err := o.explainable(ctx, conn, asker, t, all)
		if err != nil {
			return err
		}
		if doubt != "" {
			cmd.PrintErrln("lethe-publisher: warning:", doubt)
		}
		for _, name := range all.Silent {
			cmd.PrintErrf("%s is known to the fleet and did not answer\n", plain(name))
		}
		rows, names := explained(all)
		if all.Problems != nil {
			err = errors.New(plain(strings.Join(all.Problems, "; ")))
		}
		return errors.Join(o.output.print(cmd.OutOrStdout(), all, rows, names...), err)
	})
}

// explainable refuses a key that no node can have: of a function that none memoizes, or with arguments that can't be its. Where
// not all nodes have answered the former is a doubt.
func (o *options) explainable(ctx context.Context, conn *nats.Conn, asker *lethe.Node, t event.Target, all ctl.Explanations) (doubt string, err error) {
	if slices.ContainsFunc(all.Nodes, func(n lethe.Explanation) bool { return n.Cached }) {
		return "", nil
	}
	v, err := o.has(ctx, conn, asker, t)
	switch {
	case err != nil: // nobody says what it has: old nodes, or no permission
		return "", nil //nolint:nilerr // what was explained stands
	case v.Known && !v.Fits:
		return "", cli.Usagef("%s", misfit(t, v))
	case v.Known:
		return o.kindSpelt(ctx, conn, t), nil
	}
	wrong := "no node memoizes " + t.Name()
	if len(v.Nearest) > 0 {
		wrong += "; nearest: " + plain(strings.Join(v.Nearest, ", "))
	}
	if len(all.Silent) > 0 || all.Problems != nil {
		return wrong + "; but not all nodes have answered", nil
	}
	return "", cli.Exit(cli.CodeFailed, errors.New(wrong))
}

// noneExplains is that no node, or not the one that was named, has answered: there may be none of that name.
func (o *options) noneExplains(ctx context.Context, conn *nats.Conn, asker *lethe.Node, node string, silent []string) error {
	if node != "" {
		listing, cancel := context.WithTimeout(context.WithoutCancel(ctx), fleetsTime)
		defer cancel()
		members, err := asker.Nodes(listing)
		var names []string
		for _, m := range members {
			names = append(names, m.Name)
		}
		if err == nil && len(names) > 0 && !slices.Contains(names, node) {
			return cli.Exit(cli.CodeFailed, fmt.Errorf("no node is called %s; there are: %s", plain(node), plain(strings.Join(names, ", "))))
		}
		if slices.Contains(names, node) {
			silent = []string{node}
		}
	}
	return cli.Exit(cli.CodeUnknown, fmt.Errorf("no node answered: %s%s", whoIsThere(o.fleet, silent), o.fleetsHere(ctx, conn)))
}

// whoIsThere is what to do when nobody answers: only lethe-node does.
func whoIsThere(fleet string, silent []string) string {
	if len(silent) == 0 {
		return fmt.Sprintf("is a lethe-node of fleet %s running there?", fleet)
	}
	return fmt.Sprintf("fleet %s knows of %s: only those that are a lethe-node can be asked", fleet, plain(strings.Join(silent, ", ")))
}

// explained is the table, and the names of the nodes that have the key.
func explained(all ctl.Explanations) (rows, names []string) {
	rows = []string{"NODE\tCACHED\tTIER\tBORN\tEXPIRES\tLABEL\tLAST TOUCHED"}
	for _, n := range all.Nodes {
		head := n.Node + "\tno\t-\t-\t-"
		if !n.Known {
			head = n.Node + "\tnot memoized here\t-\t-\t-"
		}
		if n.Cached {
			names = append(names, n.Node)
			cached := "yes"
			if !n.Usable {
				cached = "outdated" // in memory, and not served any more
			}
			head = strings.Join([]string{plain(n.Node), cached, string(n.Tier), stamp(n.Born), stamp(n.Expires)}, "\t")
		}
		if len(n.Labels) == 0 {
			rows = append(rows, head+"\t-\t-")
		}
		for _, l := range n.Labels {
			touched := "-"
			if by := l.Touched; by != nil {
				touched = plain(strings.TrimSpace(stamp(&by.Time) + " " + by.Source + " " + by.Reason))
			}
			rows = append(rows, head+"\t"+plain(l.Label)+"\t"+touched)
			head = "\t\t\t\t"
		}
	}
	for _, name := range all.Silent {
		rows = append(rows, plain(name)+"\tno answer\t-\t-\t-\t-\t-")
	}
	return rows, names
}

func stamp(t *time.Time) string {
	if t == nil || t.IsZero() {
		return "-"
	}
	return t.Local().Format(time.DateTime)
}
