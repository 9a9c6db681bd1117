package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"github.com/lethe-cache/lethe/cmd/internal/cli"
	"github.com/lethe-cache/lethe/cmd/internal/ctl"
	"github.com/lethe-cache/lethe/pkg/event"
)

// options are the flags every command has.
type options struct {
	nats      cli.Connection
	fleet     string
	namespace string // of manifests
	output    format
	timeout   time.Duration
	spare     atomic.Bool // the next refusal to ask who is there is passed over
	spareKind atomic.Bool // the next refusal to ask which kinds there are is passed over
	tried     sync.Map    // subjects that there is another way than, each with what is told of a refusal
}

func newRoot() *cobra.Command {
	o := &options{output: table}
	root := &cobra.Command{
		Use:   "lethe-publisher",
		Short: "Say what has changed, and every node of the fleet forgets it",
		Long: "Say what has changed, and every node of the fleet forgets it.\n\n" +
			"Every flag can be set by the environment: LETHE_ and its name (LETHE_FLEET), NATS_URL for --server.\n" +
			"Exit codes: 0 done, 1 error, 2 wrong command line (nothing was done), 3 published, but some nodes had not applied\n" +
			"it in time, 4 no answer in time (it may have happened), 5 no connection or no permission.",
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			return o.complete(cmd)
		},
	}
	flags := root.PersistentFlags()
	flags.StringVarP(&o.nats.Server, "server", "s", "", "NATS servers (NATS_URL)")
	o.nats.Flags(flags)
	flags.StringVar(&o.fleet, "fleet", "default", "the nodes that forget together")
	flags.StringVarP(&o.namespace, "namespace", "n", defaultNamespace, "the namespace of manifests")
	flags.VarP(&o.output, "output", "o", "table, json, yaml or name")
	flags.DurationVar(&o.timeout, "timeout", 5*time.Second, "how long to wait for a connection and for an answer")
	root.AddCommand(newInvalidate(o), newWait(o), newNodes(o), newWatch(o), newExplain(o), newStream(o), newVersion(o))
	root.AddCommand(newApply(o), newDelete(o), newSetStatus(o), newGet(o), newDiff(o), newKinds(o), newExample(o), newLog(o))
	root.AddCommand(newReceivers(o), newDeadLetters(o), newReplay(o))
	// Cannot fail: the flag is there.
	_ = root.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(formats(), cobra.ShellCompDirectiveNoFileComp))
	return root
}

// complete takes what is left out from the environment and refuses what can't be meant.
func (o *options) complete(cmd *cobra.Command) error {
	if err := cli.FromEnv(cmd.Flags(), os.Getenv); err != nil {
		return cli.Exit(cli.CodeUsage, err)
	}
	var problems []error
	if err := event.CheckFleet(o.fleet); err != nil {
		problems = append(problems, fmt.Errorf("--fleet: %w", err))
	}
	if o.timeout <= 0 {
		problems = append(problems, fmt.Errorf("--timeout %v: want more than nothing", o.timeout))
	}
	return cli.Exit(cli.CodeUsage, errors.Join(problems...))
}

// connect connects, and returns a context that ends when the server refuses a permission: it says so on the side, while
// what was asked for just gets no answer.
func (o *options) connect(ctx context.Context) (context.Context, *nats.Conn, error) {
	ctx, refuse := context.WithCancelCause(ctx)
	conn, err := o.nats.Connect(o.timeout, nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
		if errors.Is(err, nats.ErrPermissionViolation) && !o.tries(err) && !o.spared(err) {
			refuse(cli.Exit(cli.CodeConnection, fmt.Errorf("the server refused: %w: this user lacks that permission", err)))
		}
	}))
	if err != nil {
		refuse(err)
		return nil, nil, err
	}
	return ctx, conn, nil
}

// spared says whether a permission is one that a command does without: to ask the nodes whether there is such a function, and
// for that who is there, the server which fleets there are, and a node how a kind
// is spelt.
func (o *options) spared(err error) bool {
	of := func(subject string) bool { return strings.Contains(err.Error(), strconv.Quote(subject)) }
	return of(ctl.AnySubject(o.fleet, ctl.Has)) || of("$JS.API.STREAM.LIST") || of(ctl.AnySubject(o.fleet, "barrier")) && o.spare.Swap(false) ||
		of(ctl.AnySubject(o.fleet, ctl.Kinds)) && o.spareKind.Swap(false)
}

// within bounds ctx by --timeout.
func (o *options) within(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, o.timeout, fmt.Errorf("no answer within %v: %w", o.timeout, context.DeadlineExceeded))
}

// outcome is err, or why ctx ended where that is the better reason: a refused permission shows as a timeout otherwise.
func outcome(ctx context.Context, err error) error {
	var refused *cli.Error
	if err != nil && errors.As(context.Cause(ctx), &refused) {
		return refused
	}
	return err
}

func newVersion(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			v := map[string]string{"version": cli.Version()}
			return o.output.print(cmd.OutOrStdout(), v, []string{cli.VersionLine("lethe-publisher")}, cli.Version())
		},
	}
}
