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
	stripped := make([]string, 0, len(args))
	for _, arg := range args {
		rest, ok := strings.CutPrefix(arg, manifestPrefix)
		if !ok || !strings.Contains(rest, "/") {
			return cli.Usagef("%q: want manifest/KIND/NAME here", arg)
		}
		stripped = append(stripped, rest)
	}
	list, err := names(stripped, o.namespace)
	if err != nil {
		return err
	}
	f := &changeFlags{reason: in.reason, wait: in.wait}
	return o.change(cmd, f, func(ctx context.Context, conn *nats.Conn) (ctl.Written, error) {
		return o.each(list, func(n ctl.Name) (done ctl.Written, err error) {
			err = o.ask(ctx, conn, ctl.Invalidate, n, f.header(), &done)
			return done, err
		})
	})
}
