package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var err error
	switch {
	case len(os.Args) > 1 && os.Args[1] == "serve":
		err = serve(ctx)
	case len(os.Args) > 1 && os.Args[1] == "hold":
		err = hold(ctx, os.Args[2], os.Args[3], os.Args[4])
	default:
		err = run(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	sizes := flag.String("nodes", "1,10,100", "sizes of the fleet")
	rounds := flag.Int("rounds", 5, "rounds of each kind")
	events := flag.Int("events", 200, "events a round")
	databases := flag.String("manifests", "", "measure brokers instead, on these: sqlite, or postgres://…")
	memory := flag.Int("cached", 0, "measure the memory of so many cached manifests instead")
	flag.Parse()
	if *memory > 0 {
		return cached(ctx, *memory)
	}
	if *databases != "" {
		for _, dsn := range strings.Split(*databases, ",") {
			if err := manifests(ctx, strings.TrimSpace(dsn), 3, *events); err != nil {
				return fmt.Errorf("%s: %w", strings.SplitN(dsn, ":", 2)[0], err)
			}
		}
		return nil
	}
	fmt.Println("| nodes | core NATS p50 / p99 µs | Lethe p50 / p99 µs | ratio of p50 |")
	fmt.Println("|---|---|---|---|")
	for _, s := range strings.Split(*sizes, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(s))
		if err != nil || n < 1 {
			return fmt.Errorf("-nodes: %q is not a size", s)
		}
		if err := compare(ctx, n, *rounds, *events); err != nil {
			return fmt.Errorf("%d nodes: %w", n, err)
		}
	}
	return nil
}
