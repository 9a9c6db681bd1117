package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

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
		Args:  cobra.MinimumNArgs(1),
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
	body, err := json.Marshal(t)
	if err != nil {
		return err
	}
	ctx, conn, err := o.connect(cmd.Context())
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx, cancel := o.within(ctx)
	defer cancel()
	answers, err := ctl.Ask(ctx, conn, o.fleet, ctl.Explain, node, body)
	if err != nil {
		if errors.Is(err, ctl.ErrNoNode) {
			err = cli.Exit(cli.CodeUnknown, fmt.Errorf("%w: is a lethe-node of fleet %s running there?", err, o.fleet))
		}
		return outcome(ctx, err)
	}
	var nodes []lethe.Explanation
	var problems []error
	for _, a := range answers {
		var e lethe.Explanation
		if a.Err == nil {
			a.Err = json.Unmarshal(a.Data, &e)
		}
		if a.Err != nil {
			problems = append(problems, fmt.Errorf("a node answered: %w", a.Err))
			continue
		}
		nodes = append(nodes, e)
	}
	slices.SortFunc(nodes, func(a, b lethe.Explanation) int { return strings.Compare(a.Node, b.Node) })
	rows, names := explained(nodes)
	result := map[string][]lethe.Explanation{"nodes": nodes}
	return errors.Join(o.output.print(cmd.OutOrStdout(), result, rows, names...), outcome(context.WithoutCancel(ctx), errors.Join(problems...)))
}

// explained is the table, and the names of the nodes that have the key.
func explained(nodes []lethe.Explanation) (rows, names []string) {
	rows = []string{"NODE\tCACHED\tTIER\tBORN\tEXPIRES\tLABEL\tLAST TOUCHED"}
	for _, n := range nodes {
		head := n.Node + "\tno\t-\t-\t-"
		if n.Cached {
			names = append(names, n.Node)
			head = strings.Join([]string{n.Node, "yes", string(n.Tier), stamp(n.Born), stamp(n.Expires)}, "\t")
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
	return rows, names
}

func stamp(t *time.Time) string {
	if t == nil || t.IsZero() {
		return "-"
	}
	return t.Local().Format(time.DateTime)
}
