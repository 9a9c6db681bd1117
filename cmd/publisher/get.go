package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"github.com/lethe-cache/lethe/cmd/internal/cli"
	"github.com/lethe-cache/lethe/cmd/internal/ctl"
)

// maxShown is how many objects are shown at most.
const maxShown = 100_000

func newGet(o *options) *cobra.Command {
	var selector string
	var everywhere bool
	cmd := &cobra.Command{
		Use:   "get [KIND[,KIND…] | KIND/NAME… | KIND NAME…]",
		Short: "Show manifests as the database has them now",
		Long: "Show manifests as the database has them now, of the namespace of -n; without a kind, those of all kinds.\n\n" +
			"-o yaml and -o json print what can be changed and applied again: the resourceVersion in it makes sure that nobody else has\n" +
			"changed it meanwhile.",
		Example: "  lethe-publisher --fleet shop get\n" +
			"  lethe-publisher --fleet shop -n acme get chatbots -l team=a\n" +
			"  lethe-publisher --fleet shop -n acme get chatbot/helper -o yaml",
		RunE: func(cmd *cobra.Command, args []string) error {
			namespace := o.namespace
			if everywhere {
				if cmd.Flags().Changed("namespace") {
					return cli.Usagef("-A is every namespace: leave out -n")
				}
				namespace = ""
			}
			list, err := wantedObjects(args, namespace, selector)
			if err != nil {
				return err
			}
			return o.connected(cmd, func(ctx context.Context, conn *nats.Conn) error {
				return o.get(ctx, cmd, conn, list, namespace, selector)
			})
		},
	}
	cmd.Flags().StringVarP(&selector, "selector", "l", "", "only those with these labels: a=b, a!=b, a in (b,c), a notin (b,c), a, !a; comma is and")
	cmd.Flags().BoolVarP(&everywhere, "all-namespaces", "A", false, "of every namespace")
	return cmd
}

// wantedObjects reads the arguments of get; nil is every kind.
func wantedObjects(args []string, namespace, selector string) ([]ctl.Name, error) {
	if len(args) == 0 {
		return nil, nil
	}
	if len(args) == 1 && !strings.Contains(args[0], "/") {
		var list []ctl.Name
		for kind := range strings.SplitSeq(args[0], ",") {
			if kind == "" {
				return nil, cli.Usagef("%q: want kinds, with a comma between two", args[0])
			}
			list = append(list, ctl.Name{Kind: kind, Namespace: namespace})
		}
		return list, nil
	}
	switch {
	case selector != "":
		return nil, cli.Usagef("-l chooses among all of a kind: leave out the names")
	case namespace == "":
		return nil, cli.Usagef("a name is of one namespace: leave out -A, or the names")
	}
	return names(args, namespace)
}

func (o *options) get(ctx context.Context, cmd *cobra.Command, conn *nats.Conn, list []ctl.Name, namespace, selector string) error {
	var kinds ctl.KindList
	if list == nil {
		if err := o.ask(ctx, conn, ctl.Kinds, "", []byte(nil), nil, &kinds); err != nil {
			return err
		}
		for _, k := range kinds.Kinds {
			list = append(list, ctl.Name{Kind: k.Kind, Namespace: namespace})
		}
	}
	var all []json.RawMessage
	for _, n := range list {
		if n.Name != "" {
			var one json.RawMessage
			if err := o.ask(ctx, conn, ctl.Get, n.Kind, n, nil, &one); err != nil {
				return err
			}
			all = append(all, one)
			continue
		}
		more, err := o.list(ctx, conn, ctl.Query{Kind: n.Kind, Namespace: n.Namespace, Selector: selector}, maxShown-len(all))
		if err != nil {
			return err
		}
		all = append(all, more...)
	}
	return o.printObjects(cmd, shownObjects{
		all: all, single: len(list) == 1 && list[0].Name != "", kinds: len(list) != 1, namespaces: namespace == "",
	})
}

// list reads page after page. What is changed meanwhile may be in it or not.
func (o *options) list(ctx context.Context, conn *nats.Conn, q ctl.Query, most int) (all []json.RawMessage, err error) {
	for {
		var page ctl.Page
		if err := o.ask(ctx, conn, ctl.List, q.Kind, q, nil, &page); err != nil {
			return nil, err
		}
		if all = append(all, page.Items...); len(all) > most {
			return nil, fmt.Errorf("more than %d objects: choose some by -n, -l or a kind", maxShown)
		}
		if page.Continue == "" {
			return all, nil
		}
		if len(page.Items) == 0 {
			return nil, fmt.Errorf("the node has more objects of kind %s and does not send them", plain(q.Kind))
		}
		q.Continue = page.Continue
	}
}
