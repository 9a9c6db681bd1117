package main

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"github.com/lethe-cache/lethe/cmd/internal/cli"
	"github.com/lethe-cache/lethe/internal/bus"
)

func newReceivers(o *options) *cobra.Command {
	run := func(cmd *cobra.Command, _ []string) error { return o.receivers(cmd) }
	cmd := &cobra.Command{
		Use:   "receivers",
		Short: "List the once-per-fleet receivers and what waits for them, or remove one",
		Args:  cobra.NoArgs,
		RunE:  run,
	}
	list := &cobra.Command{
		Use:   "list",
		Short: "List the once-per-fleet receivers and what waits for them",
		Long: "List the once-per-fleet receivers and what waits for them.\n\n" +
			"WAITING is how many nodes wait for its next event, PENDING how many events wait for it, IN HAND whether a node works on one or\n" +
			"it is to be tried again, REDELIVERED whether that was handed out more than once, DEAD how many dead letters it has.",
		Args: cobra.NoArgs,
		RunE: run,
	}
	yes := false
	remove := &cobra.Command{
		Use:   "delete NAME",
		Short: "Forget a receiver that no node registers any more, and what waits for it; its dead letters stay",
		Long: "Forget a receiver that no node registers any more, and what waits for it; its dead letters stay.\n\n" +
			"Where nodes still register it, they make it anew, and one of them is told that it lost events.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !yes {
				return cli.Usagef("what waits for %s is lost to it: add --yes", plain(args[0]))
			}
			return o.deleteReceiver(cmd, args[0])
		},
	}
	remove.Flags().BoolVar(&yes, "yes", false, "do it")
	cmd.AddCommand(list, remove)
	return cmd
}

// printedReceiver is a receiver in JSON.
type printedReceiver struct {
	Name        string     `json:"name"`
	Consumer    string     `json:"consumer"`
	Filters     string     `json:"filters"`
	Version     string     `json:"version"`
	Waiting     int        `json:"waiting"`
	Pending     uint64     `json:"pending"`
	InHand      uint64     `json:"inHand"`
	Redelivered uint64     `json:"redelivered"`
	DeadLetters uint64     `json:"deadLetters"`
	LastActive  *time.Time `json:"lastActive,omitempty"`
	Created     time.Time  `json:"created"`
}

// briefly works with a connection, within --timeout.
func (o *options) briefly(cmd *cobra.Command, work func(ctx context.Context, nc *nats.Conn) error) error {
	ctx, conn, err := o.connect(cmd.Context())
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx, cancel := o.within(ctx)
	defer cancel()
	return outcome(ctx, o.noStream(ctx, conn, work(ctx, conn)))
}

func (o *options) receivers(cmd *cobra.Command) error {
	return o.briefly(cmd, func(ctx context.Context, nc *nats.Conn) error {
		found, err := bus.Receivers(ctx, nc, o.fleet)
		if err != nil {
			return err
		}
		data := make([]printedReceiver, 0, len(found))
		names := make([]string, 0, len(found))
		rows := []string{"RECEIVER\tWAITING\tPENDING\tIN HAND\tREDELIVERED\tDEAD\tLAST ACTIVE\tFILTERS"}
		for _, r := range found {
			p := printedReceiver{
				Name: r.Name, Consumer: r.Consumer, Filters: r.Filters, Version: r.Version, Waiting: r.Nodes, Pending: r.Pending, InHand: r.InHand,
				Redelivered: r.Redelivered, DeadLetters: r.Letters, Created: r.Since,
			}
			active := "never"
			if !r.LastActive.IsZero() {
				p.LastActive = &r.LastActive
				active = ago(r.LastActive)
			}
			data = append(data, p)
			names = append(names, r.Name)
			number := func(n uint64) string { return strconv.FormatUint(n, 10) }
			rows = append(rows, strings.Join([]string{
				plain(r.Name), strconv.Itoa(r.Nodes), number(r.Pending), number(r.InHand), number(r.Redelivered), number(r.Letters), active,
				plain(cmp.Or(r.Filters, "-")),
			}, "\t"))
		}
		return o.output.print(cmd.OutOrStdout(), map[string][]printedReceiver{"receivers": data}, rows, names...)
	})
}

// ago is how long ago that was, as people say it.
func ago(at time.Time) string { return brief(max(time.Since(at), 0).Milliseconds()) + " ago" }

func (o *options) deleteReceiver(cmd *cobra.Command, name string) error {
	return o.briefly(cmd, func(ctx context.Context, nc *nats.Conn) error {
		found, err := bus.Receivers(ctx, nc, o.fleet)
		if err != nil {
			return err
		}
		if err := bus.RemoveReceiver(ctx, nc, o.fleet, name); err != nil {
			return fmt.Errorf("%w; 'lethe-publisher receivers list' shows which there are", err)
		}
		for _, r := range found {
			if r.Name == name && r.Nodes > 0 {
				cmd.PrintErrln(stillThere(r.Nodes, name))
			}
		}
		return o.output.print(cmd.OutOrStdout(), map[string]string{"deleted": name}, []string{"deleted " + plain(name)}, name)
	})
}

// stillThere says that a receiver which was removed comes back.
func stillThere(nodes int, receiver string) string {
	if nodes == 1 {
		return fmt.Sprintf("1 node still registers %s: it makes it anew, and is told that it lost events", plain(receiver))
	}
	return fmt.Sprintf("%d nodes still register %s: they make it anew, and one is told that it lost events", nodes, plain(receiver))
}
