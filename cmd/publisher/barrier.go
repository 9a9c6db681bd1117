package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"github.com/lethe-cache/lethe/cmd/internal/cli"
	"github.com/lethe-cache/lethe/cmd/internal/ctl"
	"github.com/lethe-cache/lethe/internal/bus"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

func newWait(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "wait TOKEN",
		Short: "Wait until the whole fleet has applied the event of a token",
		Long: "Wait until the whole fleet has applied the event of a token: until every node that any node knows of has said so, has\n" +
			"said goodbye, or can no longer serve anything older. Exit code 3 when --timeout ends first; the nodes that are waited\n" +
			"for are named on standard error, and under \"pending\" in -o json.",
		Example: "  lethe-publisher --fleet shop wait lethe1.shop.x6kqm2.1795341000123 --timeout 15s",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			token, err := event.ParseToken(args[0])
			if err != nil {
				return cli.Exit(cli.CodeUsage, err)
			}
			if !cmd.Flags().Changed("fleet") {
				o.fleet = token.Fleet()
			}
			if token.Fleet() != o.fleet {
				return cli.Usagef("the token is of fleet %s, --fleet is %s", token.Fleet(), o.fleet)
			}
			return o.wait(cmd, token)
		},
	}
}

func (o *options) wait(cmd *cobra.Command, token event.Token) error {
	return o.asking(cmd, func(ctx context.Context, conn *nats.Conn, asker *lethe.Node) error {
		if err := ready(ctx, asker); err != nil {
			return outcome(ctx, notReady(ctx, o.fleet, err))
		}
		report, err := o.barrier(ctx, cmd, conn, asker, token)
		if err != nil && cli.Code(err) != cli.CodePending {
			return err
		}
		result := struct {
			Token event.Token `json:"token"`
			ctl.Report
		}{token, report}
		rows := []string{"NODE\tAPPLIED\tSTATE\tCURSOR\tSEEN"}
		var names []string
		for _, m := range report.Applied {
			names = append(names, m.Node)
			rows = append(rows, strings.Join([]string{plain(m.Node), "yes", m.State, known(m, m.Cursor), seen(m)}, "\t"))
		}
		for _, m := range report.Pending {
			rows = append(rows, strings.Join([]string{plain(m.Node), "no", m.State, known(m, m.Cursor), seen(m)}, "\t"))
		}
		return errors.Join(o.output.print(cmd.OutOrStdout(), result, rows, names...), err)
	})
}

// barrier waits for the fleet, and says on the side what it waits for.
func (o *options) barrier(ctx context.Context, cmd *cobra.Command, conn *nats.Conn, asker *lethe.Node, token event.Token) (ctl.Report, error) {
	aside, enough := context.WithCancel(ctx)
	said := make(chan struct{})
	w := &waiter{options: o, conn: conn, asker: asker, token: token, stderr: cmd.ErrOrStderr(), terminal: isTerminal(cmd.ErrOrStderr())}
	go func() {
		defer close(said)
		w.tell(aside)
	}()
	got, err := asker.Barrier(ctx, token)
	enough()
	<-said
	report := ctl.ReportOf(got)
	switch {
	case errors.Is(err, event.ErrInvalid):
		err = o.ahead(ctx, conn, token, err)
		err = cli.Exit(cli.CodeUsage, err)
	case errors.Is(err, lethe.ErrPending):
		err = outcome(ctx, cli.Exit(cli.CodePending, errors.New(o.pending(ctx, report, w.horizon))))
	}
	return report, err
}

// ahead is err, or that the stream ends before the token.
func (o *options) ahead(ctx context.Context, conn *nats.Conn, token event.Token, err error) error {
	s, failed := bus.Inspect(ctx, conn, o.fleet)
	if failed != nil || s.Epoch != token.Epoch() || token.Sequence() <= s.Last {
		return err
	}
	return fmt.Errorf("token %s: there is no such event: the stream of fleet %s ends at %d%w", token, o.fleet, s.Last, silent{err})
}

// pending says who is waited for, or why it is not known whether anybody is.
func (o *options) pending(ctx context.Context, r ctl.Report, longest func() time.Duration) string {
	when := fmt.Sprintf("within --timeout %v", o.timeout)
	if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		when = "before it was interrupted"
	}
	if len(r.Pending) > 0 {
		names := make([]string, 0, len(r.Pending))
		for _, m := range r.Pending {
			names = append(names, fmt.Sprintf("%s (%s, seen %s)", plain(m.Node), m.State, seen(m)))
		}
		return fmt.Sprintf("%d of %s had not applied it %s: %s", len(r.Pending), counted(len(r.Pending)+len(r.Applied), "node"), when, strings.Join(names, ", "))
	}
	who := fmt.Sprintf("no node of fleet %s answered", o.fleet)
	switch len(r.Applied) {
	case 0:
	case 1:
		who = "the one node that is known of has applied it"
	default:
		who = fmt.Sprintf("all %d nodes that are known of have applied it", len(r.Applied))
	}
	horizon := longest()
	return fmt.Sprintf("%s, but no roster can be trusted yet: whether there are others is not known %s. It is certain once the longest "+
		"has passed that any node may serve without the bus, %v: --timeout %v waits for that", who, when, horizon, horizon+slack)
}

// slack is on top of a horizon, for the asking.
const slack = 2 * time.Second

// unknownHorizon stands for the fleet's longest where the stream can't be asked: it is what nodes have by default.
const unknownHorizon = 10 * time.Second

// horizon is how long any node of the fleet may serve without the bus.
func (w *waiter) horizon() time.Duration {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	s, err := bus.Inspect(ctx, w.conn, w.fleet)
	if err != nil {
		return unknownHorizon
	}
	return s.Horizon
}
