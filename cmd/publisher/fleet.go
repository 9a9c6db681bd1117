package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"github.com/lethe-cache/lethe/cmd/internal/cli"
	"github.com/lethe-cache/lethe/cmd/internal/ctl"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

func newNodes(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "nodes",
		Short: "List the nodes of the fleet, with those that others know of and that do not answer",
		Long: "List the nodes of the fleet, with those that others know of and that do not answer: their state is silent.\n\n" +
			"FOR is how long a node has been current, or has not; WHY, where one is not, the reason and what its reads get meanwhile.\n" +
			"BEHIND is how many events others know of that a node has not applied, LEASE AGE how long ago what it serves was known to\n" +
			"be current, OUTBOX how many changes wait to be announced in its database and for how long (\"-\": it has none, or does not tell),\n" +
			"SEEN when it last gave a sign of life. A name with \"(2 instances!)\" is that of several living nodes: give each its own.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.nodes(cmd) },
	}
}

func (o *options) nodes(cmd *cobra.Command) error {
	return o.asking(cmd, func(ctx context.Context, conn *nats.Conn, asker *lethe.Node) error {
		nodes, err := asker.Nodes(ctx)
		if err != nil {
			var refused *cli.Error
			if errors.As(outcome(ctx, err), &refused) {
				return refused
			}
			return cli.Exit(cli.CodeUnknown, fmt.Errorf("no node of fleet %s has answered: does one run, on these servers and in this account?%s", o.fleet, o.fleetsHere(ctx, conn)))
		}
		members := ctl.Members(nodes)
		ctl.WithOutboxes(ctx, conn, o.fleet, members)
		rows, names := nodeTable(members)
		return o.output.print(cmd.OutOrStdout(), map[string][]ctl.Member{"nodes": members}, rows, names...)
	})
}

// nodeTable is a line for each member, below a head, and their names. There is a column for reasons where a member has one.
func nodeTable(members []ctl.Member) (rows, names []string) {
	rows = []string{"NODE\tSTATE\tFOR\tCURSOR\tBEHIND\tLEASE AGE\tENTRIES\tRESETS\tOUTBOX\tVERSION\tSEEN"}
	reasons := slices.ContainsFunc(members, func(m ctl.Member) bool { return m.Why != "" })
	if reasons {
		rows[0] += "\tWHY"
	}
	for _, m := range members {
		name := plain(m.Node)
		if m.Duplicates > 0 {
			name += fmt.Sprintf(" (%d instances!)", m.Duplicates+1)
		}
		names = append(names, m.Node)
		since := "-"
		if m.SinceMs > 0 {
			since = brief(m.SinceMs)
		}
		cells := []string{
			name, m.State, since, known(m, m.Cursor), known(m, m.Behind), known(m, brief(m.LeaseAgeMs)), known(m, m.Entries),
			known(m, m.Resets), m.Outbox.String(), plain(cmp.Or(m.Version, "-")), seen(m),
		}
		if reasons {
			cells = append(cells, plain(cmp.Or(m.Why, "-")))
		}
		rows = append(rows, strings.Join(cells, "\t"))
	}
	return rows, names
}

// asking works with a connection and a node that only asks.
func (o *options) asking(cmd *cobra.Command, work func(ctx context.Context, conn *nats.Conn, asker *lethe.Node) error) error {
	return o.open(cmd, lethe.Config{ExternalStream: true}, work)
}

// open works with a connection and a node that follows nothing.
func (o *options) open(cmd *cobra.Command, cfg lethe.Config, work func(ctx context.Context, conn *nats.Conn, node *lethe.Node) error) error {
	ctx, conn, err := o.connect(cmd.Context())
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx, cancel := o.within(ctx)
	defer cancel()
	cfg.Conn, cfg.Fleet, cfg.Name, cfg.PublishOnly = conn, o.fleet, o.nats.Name, true
	node, err := lethe.Open(ctx, cfg)
	if err != nil {
		return cli.Exit(cli.CodeUsage, err)
	}
	return errors.Join(work(ctx, conn, node), node.Close())
}

// known is what a member has told of itself; of one that is only known by its name there is nothing.
func known(m ctl.Member, value any) string {
	if m.Epoch == "" {
		return "-"
	}
	return fmt.Sprint(value)
}

func seen(m ctl.Member) string {
	if m.SeenMs == 0 {
		return "now"
	}
	return brief(m.SeenMs) + " ago"
}

// brief prints milliseconds as people say them.
func brief(ms int64) string {
	d := time.Duration(ms) * time.Millisecond
	switch {
	case d < time.Second:
		return strconv.FormatInt(ms, 10) + "ms"
	case d < time.Minute:
		return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + "s"
	}
	return d.Round(time.Second).String()
}
