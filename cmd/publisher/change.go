package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"github.com/lethe-cache/lethe/cmd/internal/cli"
	"github.com/lethe-cache/lethe/cmd/internal/ctl"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

// changeFlags are those of every command that changes manifests.
type changeFlags struct {
	actorFlag

	reason string
	wait   bool
	dryRun bool // of apply
}

func (f *changeFlags) add(cmd *cobra.Command) {
	f.actorFlag.add(cmd)
	cmd.Flags().StringVar(&f.reason, "reason", "", "why, for those who watch")
	cmd.Flags().BoolVar(&f.wait, "wait", false, "wait until the whole fleet has applied it; exit code 3 when --timeout ends first")
}

// header is what goes with every question that changes something.
func (f *changeFlags) header() (nats.Header, error) {
	h := nats.Header{}
	who, err := f.who()
	if err != nil {
		return nil, err
	}
	if who != "" {
		h.Set(ctl.ActorHeader, who)
	}
	if f.reason != "" {
		h.Set(ctl.ReasonHeader, f.reason)
	}
	if f.dryRun {
		h.Set(ctl.DryRunHeader, "true")
	}
	return h, nil
}

// changed is what a change has come to, in JSON.
type changed struct {
	ctl.Written
	*ctl.Report
}

// change does what changes something, waits until it is announced, and with --wait until the fleet has applied it. What was
// done is printed also where that takes too long.
func (o *options) change(cmd *cobra.Command, f *changeFlags, do func(ctx context.Context, conn *nats.Conn) (ctl.Written, error)) error {
	work := func(ctx context.Context, conn *nats.Conn, asker *lethe.Node) error {
		done, err := do(ctx, conn)
		if len(done.Results) == 0 {
			return err
		}
		if done.Pending() {
			var late error
			done.Token, late = o.announced(ctx, conn, done.Ticket)
			err = errors.Join(err, late)
		}
		result := changed{Written: done}
		if asker != nil && !done.Token.IsZero() {
			report, late := o.applied(ctx, cmd, conn, asker, done.Token)
			result.Report, err = &report, errors.Join(err, late)
		}
		return errors.Join(o.printChanged(cmd, result, f.dryRun), err)
	}
	if f.wait && !f.dryRun {
		return o.open(cmd, lethe.Config{ExternalStream: true}, work)
	}
	return o.connected(cmd, func(ctx context.Context, conn *nats.Conn) error { return work(ctx, conn, nil) })
}

// announced waits for the token of a change that is committed.
func (o *options) announced(ctx context.Context, conn *nats.Conn, ticket string) (event.Token, error) {
	var a ctl.Announcement
	// The node gives up first, and says so.
	patience := o.timeout - o.timeout/5
	err := o.ask(ctx, conn, ctl.Ticket, "", ctl.Announcement{Ticket: ticket, TimeoutMs: patience.Milliseconds()}, nil, &a)
	if err != nil {
		err = cli.Exit(cli.CodeUnknown, fmt.Errorf("committed, not announced yet (%s): nodes hear of it as soon as the bus is there: %w", ticket, err))
	}
	return a.Token, err
}

// applied waits until the fleet has applied token.
func (o *options) applied(ctx context.Context, cmd *cobra.Command, conn *nats.Conn, asker *lethe.Node, token event.Token) (ctl.Report, error) {
	ctx, cancel := o.within(ctx)
	defer cancel()
	if err := ready(ctx, asker); err != nil {
		return ctl.Report{}, outcome(ctx, fmt.Errorf("announced as %s: %w", token, notReady(ctx, o.fleet, err)))
	}
	report, err := o.barrier(ctx, cmd, conn, asker, token)
	if err != nil {
		err = fmt.Errorf("announced as %s: %w", token, outcome(ctx, err))
	}
	return report, err
}

// printChanged says of every object what became of it, in kubectl's words.
func (o *options) printChanged(cmd *cobra.Command, c changed, dryRun bool) error {
	rows, names := make([]string, 0, len(c.Results)), make([]string, 0, len(c.Results))
	for _, r := range c.Results {
		name := shortName(r.Kind, r.Name)
		row := name + " " + plain(r.Action)
		if r.Action == "invalidated" { // nobody but the reader can tell a wrong namespace
			row = plain(strings.ToLower(r.Kind)+" "+r.Namespace+"/"+r.Name) + " " + plain(r.Action)
			if r.Name == "" { // all of the namespace, or of all namespaces
				row = plain(strings.TrimSuffix("all of "+strings.ToLower(r.Kind)+" "+r.Namespace, " ")) + " " + plain(r.Action)
			}
		}
		if r.Exists != nil && !*r.Exists {
			cmd.PrintErrf("lethe-publisher: warning: no %s is called %s/%s (-n says the namespace): announced all the same\n",
				plain(r.Kind), plain(r.Namespace), plain(r.Name))
		}
		if dryRun {
			row += " (dry run)"
		}
		rows, names = append(rows, row), append(names, name)
	}
	return o.output.print(cmd.OutOrStdout(), c, rows, names...)
}

// shortName is how an object is named in output and on the command line.
func shortName(kind, name string) string { return plain(strings.ToLower(kind) + "/" + name) }

// merge adds what was done to what was done before: its token is the later one.
func merge(all, more ctl.Written) ctl.Written {
	all.Results = append(all.Results, more.Results...)
	if more.Ticket != "" {
		all.Ticket, all.Token = more.Ticket, more.Token
	}
	return all
}
