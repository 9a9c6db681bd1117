package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/rs/zerolog"
)

// roleVar is set in the processes that the driver starts.
const roleVar = "LETHE_CHAOS_ROLE"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := start(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(1)
	}
}

// start plays the role that the arguments name.
func start(ctx context.Context, args []string, out io.Writer) error {
	if os.Getenv(roleVar) != "" && len(args) > 0 {
		switch args[0] {
		case "server":
			return serve(ctx, args[1:])
		case "node":
			return beNode(ctx, args[1:])
		case "broker":
			return beBroker(ctx, args[1:])
		case "bus":
			return beBus(ctx, args[1:])
		case "citizen":
			return beCitizen(ctx, args[1:])
		}
	}
	return drive(ctx, args, out)
}

// Sabotages, by which a run shows that it would see what it looks for.
const (
	sabotageOld   = "old"
	sabotageLost  = "lost"
	sabotageBound = "bound"
	sabotageStuck = "stuck"
)

var (
	errWrong    = errors.New("not the truth")
	errViolated = errors.New("promises were broken")
)

// drive makes a run and returns an error unless every promise was kept.
func drive(ctx context.Context, args []string, out io.Writer) (err error) {
	opt := options{}
	flags := flag.NewFlagSet("chaos", flag.ContinueOnError)
	flags.DurationVar(&opt.world, "world", 0, "instead of all that: how long a world of brokers goes on; it takes -seed, -databases and -history")
	flags.DurationVar(&opt.length, "for", time.Minute, "how long there are faults")
	flags.Uint64Var(&opt.seed, "seed", 1, "of faults and writes")
	flags.StringVar(&opt.faults, "faults", "", "kinds, with commas; all where empty; none")
	flags.IntVar(&opt.nodes, "nodes", 5, "nodes of the fleet")
	flags.IntVar(&opt.reads, "reads", 300, "reads a second and node")
	flags.IntVar(&opt.writes, "writes", 16, "writes a second")
	flags.StringVar(&opt.databases, "databases", "", "sqlite, postgres or both, with commas: processes that share one write manifests; none where empty")
	flags.DurationVar(&opt.settle, "settle", 2*time.Minute, "how long after the end whatever was committed may take to be announced")
	flags.StringVar(&opt.outages, "outages", "none", "how long the whole bus is away at a time, from-to; where empty, what fits the run, 2m at most; none")
	flags.StringVar(&opt.report, "report", "", "file for the report, JSON")
	flags.StringVar(&opt.history, "history", filepath.Join(os.TempDir(), "chaos-violations.txt"), "file that violations are appended to, with the history around each")
	flags.StringVar(&opt.sabotage, "sabotage", "", "old: loaders lie now and then; lost: writes are called acknowledged that were not; bound: nodes serve for longer than is judged; stuck: brokers publish nothing any more after a few seconds. The run has to fail")
	flags.IntVar(&opt.lies, "lies", 100, "with -sabotage old: how many loads of a million lie")
	flags.DurationVar(&opt.staleness, "staleness", 5*time.Second, "MaxStaleness of the nodes; every other one has twice as much")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if opt.nodes < 1 || opt.reads < 1 || opt.writes < 1 || opt.staleness < 5*time.Second {
		return errors.New("-nodes, -reads and -writes are at least 1, -staleness at least 5s")
	}
	if opt.away, err = parseSpan(opt.outages, opt.length); err != nil {
		return err
	}
	zerolog.SetGlobalLevel(zerolog.Disabled) // the proxies' own, on standard error
	dir, err := os.MkdirTemp("", "lethe-chaos-")
	if err != nil {
		return err
	}
	if opt.world > 0 {
		return liveInAWorld(ctx, opt, dir, out)
	}
	d := &driver{opt: opt, dir: dir, out: out, sabotage: opt.sabotage, life: ctx}
	defer func() { err = errors.Join(err, d.close()) }()
	if err := d.start(ctx); err != nil {
		return err
	}
	err = d.run(ctx)
	if err := d.finish(); err != nil {
		return err
	}
	if n := d.violations(); n > 0 {
		err = errors.Join(err, fmt.Errorf("%w: %d violations, see %s", errViolated, n, opt.history))
	}
	return err
}
