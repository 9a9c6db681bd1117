package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
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

type invalidation struct {
	actorFlag

	args   string
	all    bool
	yes    bool
	soft   bool
	reason string
	wait   bool
	force  bool
}

func newInvalidate(o *options) *cobra.Command {
	var in invalidation
	cmd := &cobra.Command{
		Use:   "invalidate FUNCTION [ARG…] | tag/TAG… | prefix/PREFIX… | manifest/KIND[/NAME]… | --all",
		Short: "Make every node forget a key, a function, tags, prefixes or everything",
		Long: "Make every node forget a key, a function, tags, prefixes or everything, and print the token of the event:\n" +
			"with it a node, or with --wait or the command wait the fleet, can be asked to wait until it has applied it.\n\n" +
			"A function without arguments is all of it; --args '[]' is the key of a function that takes none. The nodes are asked first: a\n" +
			"function that none of them has, or arguments that can't be its, are an error (exit code 2), and nothing is published. Where\n" +
			"not all nodes can be asked, it is a warning. --force asks nobody.\n\n" +
			"A manifest is announced as a change of it would be, with all that its kind says; one of the nodes with a database does that.\n" +
			"manifest/KIND is all manifests of the kind: with -n those of a namespace, else of every namespace.",
		Example: "  lethe-publisher --fleet shop invalidate catalog.price sku-42\n" +
			"  lethe-publisher --fleet shop invalidate catalog.page --args '[\"lamps\",2]'\n" +
			"  lethe-publisher --fleet shop invalidate catalog.price\n" +
			"  lethe-publisher --fleet shop invalidate tag/user:42 prefix/chatbot:acme/ --reason 'import of November'\n" +
			"  lethe-publisher --fleet shop invalidate manifest/chatbot/helper manifest/plugin\n" +
			"  lethe-publisher --fleet shop invalidate --all --yes",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 && strings.HasPrefix(args[0], manifestPrefix) && !in.all {
				return o.announce(cmd, args, in)
			}
			list, err := targets(args, in.args, in.all)
			if err != nil {
				return err
			}
			if arg := taken(args); arg != "" {
				cmd.PrintErrf("lethe-publisher: warning: %s is taken as an argument of %s; what begins with tag/, prefix/ or manifest/ stands in a command of its own\n",
					plain(arg), plain(args[0]))
			}
			if in.all && !in.yes {
				if err := confirm(cmd, o.fleet); err != nil {
					return err
				}
			}
			if in.soft {
				for i := range list {
					list[i] = list[i].Soft()
				}
			}
			return o.invalidate(cmd, list, in)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&in.args, "args", "", "the function's arguments as a JSON array, for those that are not strings")
	flags.BoolVar(&in.all, "all", false, "everything, on every node of the fleet")
	flags.BoolVar(&in.yes, "yes", false, "do not ask before --all")
	flags.BoolVar(&in.soft, "soft", false, "nodes may serve the old value while they load the new one")
	in.add(cmd)
	flags.StringVar(&in.reason, "reason", "", "why, for those who watch")
	flags.BoolVar(&in.wait, "wait", false, "wait until the whole fleet has applied it; exit code 3 when --timeout ends first")
	flags.BoolVar(&in.force, "force", false, "ask no node whether there is such a function, and warn of nothing")
	return cmd
}

// confirm asks a person; what is not a terminal has to say --yes.
func confirm(cmd *cobra.Command, fleet string) error {
	in, ok := cmd.InOrStdin().(*os.File)
	if info, err := in.Stat(); !ok || err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return cli.Usagef("--all makes every node of fleet %s load everything again: add --yes", fleet)
	}
	cmd.PrintErrf("Every node of fleet %s will load everything again. Go on? [y/N] ", fleet)
	answer, err := bufio.NewReader(in).ReadString('\n')
	if err != nil || !strings.EqualFold(strings.TrimSpace(answer), "y") {
		return errors.New("nothing was done")
	}
	return nil
}

func (o *options) invalidate(cmd *cobra.Command, list []event.Target, in invalidation) error {
	who, err := in.who()
	if err != nil {
		return err
	}
	return o.open(cmd, lethe.Config{}, func(ctx context.Context, conn *nats.Conn, node *lethe.Node) error {
		if err := ready(ctx, node); err != nil {
			return outcome(ctx, fmt.Errorf("nothing was published: %w", notReady(ctx, o.fleet, err)))
		}
		var doubt string
		if !in.force {
			var err error
			if doubt, err = o.spelt(ctx, conn, node, list[0]); err != nil {
				return err
			}
		}
		said := event.WithReason(ctx, in.reason)
		if who != "" {
			said = event.WithClaim(said, who)
		}
		token, err := node.Invalidate(said, list...)
		if err != nil {
			if !token.IsZero() {
				err = fmt.Errorf("%w (a part of it was published: %s)", err, token)
			}
			return outcome(ctx, notPublished(ctx, err))
		}
		if doubt != "" {
			cmd.PrintErrln("lethe-publisher: warning:", doubt)
		}
		result := struct {
			Token   event.Token    `json:"token"`
			Targets []event.Target `json:"targets"`
			*ctl.Report
		}{Token: token, Targets: list}
		if in.wait {
			var report ctl.Report
			if report, err = o.barrier(ctx, cmd, conn, node, token); err != nil {
				err = fmt.Errorf("published as %s: %w", token, err)
			}
			result.Report = &report
		}
		rows := []string{"TARGET\tTOKEN"}
		for _, t := range list {
			rows = append(rows, plain(t.String())+"\t"+token.String())
		}
		return errors.Join(o.output.print(cmd.OutOrStdout(), result, rows, token.String()), err)
	})
}

// ready waits until node is. That there is no stream is known at once, and waiting makes none.
func ready(ctx context.Context, node *lethe.Node) error {
	for {
		short, cancel := context.WithTimeout(ctx, readyPause)
		err := node.Ready(short)
		cancel()
		if err == nil || ctx.Err() != nil || errors.Is(err, bus.ErrNoStream) || errors.Is(err, lethe.ErrClosed) {
			return err
		}
		select {
		case <-short.Done():
		case <-ctx.Done():
		}
	}
}

// readyPause is how often a node that is not ready is asked why.
const readyPause = 100 * time.Millisecond

// notReady is before anything was done: what is missing is a stream, or an answer.
func notReady(ctx context.Context, fleet string, err error) error {
	if errors.Is(err, bus.ErrNoStream) {
		return cli.Exit(cli.CodeFailed, err)
	}
	if ctx.Err() == nil || cli.Code(err) == cli.CodeConnection {
		return err
	}
	return cli.Exit(cli.CodeUnknown, fmt.Errorf("%w; is there a stream of fleet %s? "+
		"'lethe-publisher stream info' tells, and 'stream init' makes one", err, fleet))
}

// notPublished is a publish without an acknowledgement: it may have been stored.
func notPublished(ctx context.Context, err error) error {
	if cli.Code(err) == cli.CodeConnection || errors.Is(err, event.ErrInvalid) {
		return err
	}
	if ctx.Err() != nil || errors.Is(err, lethe.ErrNotPublished) {
		return cli.Exit(cli.CodeUnknown, fmt.Errorf("%w: whether the event was stored is not known; to say it again does no harm", err))
	}
	return err
}
