package main

import (
	"context"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"github.com/lethe-cache/lethe/cmd/internal/cli"
	"github.com/lethe-cache/lethe/cmd/internal/ctl"
)

// manifestPrefix is in front of what invalidate announces as manifests.
const manifestPrefix = "manifest/"

// announce has a node announce manifests as if they had changed.
func (o *options) announce(cmd *cobra.Command, args []string, in invalidation) error {
	if in.soft || in.args != "" {
		return cli.Usagef("--soft and --args are not for manifests")
	}
	list := make([]ctl.Name, 0, len(args))
	for _, arg := range args {
		rest, ok := strings.CutPrefix(arg, manifestPrefix)
		kind, name, one := strings.Cut(rest, "/")
		n := ctl.Name{Kind: kind, Namespace: o.namespace, Name: name}
		switch {
		case !ok || kind == "" || one && name == "" || strings.Contains(name, "/"):
			return cli.Usagef("%q: want manifest/KIND/NAME here, or manifest/KIND for all of them", arg)
		case !one && !cmd.Flags().Changed("namespace"):
			n.Namespace = "" // all of them
		}
		list = append(list, n)
	}
	f := &changeFlags{actorFlag: in.actorFlag, reason: in.reason, wait: in.wait}
	header, err := f.header()
	if err != nil {
		return err
	}
	return o.change(cmd, f, func(ctx context.Context, conn *nats.Conn) (ctl.Written, error) {
		return o.each(list, func(n ctl.Name) (done ctl.Written, err error) {
			err = o.ask(ctx, conn, ctl.Invalidate, n.Kind, n, header, &done)
			return done, err
		})
	})
}
