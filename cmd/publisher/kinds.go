package main

import (
	"context"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"github.com/lethe-cache/lethe/cmd/internal/ctl"
)

func newKinds(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "kinds [KIND]",
		Short: "List the kinds of manifests there are; one with its schema and example in -o json or yaml",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.connected(cmd, func(ctx context.Context, conn *nats.Conn) error {
				list, err := o.kinds(ctx, conn, args)
				if err != nil {
					return err
				}
				rows, names := []string{"NAME\tSHORT NAMES\tAPI VERSION\tKIND\tSTORED"}, []string{}
				for _, k := range list.Kinds {
					short, stored := "-", "no"
					if len(k.ShortNames) > 0 {
						short = strings.Join(k.ShortNames, ",")
					}
					if k.Stored {
						stored = "yes"
					}
					rows = append(rows, strings.Join([]string{plain(k.Plural), plain(short), plain(k.APIVersion), plain(k.Kind), stored}, "\t"))
					names = append(names, plain(k.Kind))
				}
				return o.output.print(cmd.OutOrStdout(), list, rows, names...)
			})
		},
	}
}

// kinds asks for all, or for one.
func (o *options) kinds(ctx context.Context, conn *nats.Conn, args []string) (list ctl.KindList, err error) {
	var question any = []byte(nil)
	if len(args) > 0 {
		question = ctl.Name{Kind: args[0]}
	}
	err = o.ask(ctx, conn, ctl.Kinds, "", question, nil, &list)
	return list, err
}

func newExample(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "example KIND",
		Short: "Print a manifest of a kind, to change and apply",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.connected(cmd, func(ctx context.Context, conn *nats.Conn) error {
				list, err := o.kinds(ctx, conn, args)
				if err != nil {
					return err
				}
				if o.output == table {
					o.output = asYAML
				}
				s := shownObjects{single: true}
				for _, k := range list.Kinds {
					s.all = append(s.all, k.Example)
				}
				return o.printObjects(cmd, s)
			})
		},
	}
}
