package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"

	"github.com/lethe-cache/lethe/bench/scale/proc"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := start(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "capacity:", err)
		os.Exit(1)
	}
}

func start(ctx context.Context) error {
	if len(os.Args) > 2 && os.Args[1] == "child" {
		switch os.Args[2] {
		case proc.ServerName:
			return proc.Server(ctx, os.Args[3:])
		case nodeName:
			return runNode(ctx, os.Args[3:])
		}
	}
	return run(ctx)
}

func run(ctx context.Context) error {
	var in Load
	file := flag.String("constants", "", "the file of constants; \"\" = those built in (with -calibrate: capacity/constants.json)")
	flag.IntVar(&in.Nodes, "nodes", 100, "nodes of the fleet")
	flag.Float64Var(&in.Rate, "rate", 100, "events a second")
	flag.Float64Var(&in.Keys, "keys", 1, "keys an event")
	flag.IntVar(&in.Servers, "servers", 1, "NATS servers: 1, or a cluster that keeps three copies")
	flag.IntVar(&in.Regions, "regions", 1, "regions, each behind a leaf node or gateway of its own")
	table := flag.Bool("table", false, "the table of many sizes")
	measure := flag.Bool("calibrate", false, "measure the constants")
	compare := flag.Bool("check", false, "compare predictions with measurements")
	queue := flag.Bool("simulate", false, "compare simulated latencies with measured ones")
	flag.Parse()
	if *measure {
		return calibrate(ctx, os.Stdout, *file)
	}
	c, err := constants(*file)
	if err != nil {
		return err
	}
	switch {
	case *compare:
		return check(ctx, os.Stdout, c)
	case *queue:
		return simulate(ctx, os.Stdout, c)
	case *table:
		Table(os.Stdout, c)
		return nil
	}
	if err := in.valid(); err != nil {
		return err
	}
	Print(os.Stdout, in, c.Predict(in))
	return nil
}
