package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"text/tabwriter"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	parallel := flag.Int("j", 2, "how many mutants at a time")
	match := flag.String("match", "", "only mutants whose name or file contains this")
	flag.Parse()
	root, err := moduleRoot(ctx)
	if err == nil {
		err = run(ctx, os.Stdout, root, *parallel, *match)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		stop()
		os.Exit(1) //nolint:gocritic // stop was called
	}
}

func moduleRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("go env GOMOD: %w", err)
	}
	return filepath.Dir(strings.TrimSpace(string(out))), nil
}

type outcome struct {
	verdict verdict
	err     error
	took    time.Duration
}

// run tries every listed mutant, prints a table, and fails when one was not killed.
func run(ctx context.Context, w io.Writer, root string, parallel int, match string) error {
	all, err := load(root)
	if err != nil {
		return err
	}
	var list []mutant
	for _, m := range all {
		if strings.Contains(m.Name, match) || strings.Contains(m.File, match) {
			list = append(list, m)
		}
	}
	if len(list) == 0 {
		return errors.New("no mutant listed: a testdata/mutants.json should stand beside the code it breaks")
	}
	if err := baselines(ctx, root, list); err != nil {
		return err
	}
	results := make([]outcome, len(list))
	var wg sync.WaitGroup
	slots := make(chan struct{}, max(1, parallel))
	for i, m := range list {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			start := time.Now()
			v, err := try(ctx, root, m)
			results[i] = outcome{v, err, time.Since(start)}
		})
	}
	wg.Wait()
	return report(w, list, results)
}

// baselines checks every distinct set of tests once.
func baselines(ctx context.Context, root string, list []mutant) error {
	seen := map[string]bool{}
	var problems []error
	for _, m := range list {
		if key := m.Module + " " + m.Pkg + " " + m.Run; !seen[key] {
			seen[key] = true
			problems = append(problems, baseline(ctx, root, m))
		}
	}
	return errors.Join(problems...)
}

func report(w io.Writer, list []mutant, results []outcome) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "VERDICT\tMUTANT\tFILE\tTOOK")
	bad := 0
	for i, m := range list {
		fmt.Fprintf(tw, "%s\t%s\t%s\t%.1fs\n", results[i].verdict, m.Name, m.File, results[i].took.Seconds())
		if results[i].verdict != killed {
			bad++
		}
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	for i, m := range list {
		if results[i].err != nil {
			fmt.Fprintf(w, "\n%s: %v\n", m.Name, results[i].err)
		}
	}
	if bad > 0 {
		return fmt.Errorf("%d of %d mutants were not killed", bad, len(list))
	}
	fmt.Fprintf(w, "%d mutants, all killed\n", len(list))
	return nil
}
