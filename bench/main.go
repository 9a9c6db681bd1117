package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/lethe-cache/lethe/bench/brokers"
	"github.com/lethe-cache/lethe/bench/internal/suite"
	"github.com/lethe-cache/lethe/bench/local"
	"github.com/lethe-cache/lethe/bench/scale"
	"github.com/lethe-cache/lethe/bench/wire"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	var err error
	if len(os.Args) > 2 && os.Args[1] == "child" {
		err = runChild(ctx, os.Args[2], os.Args[3:])
	} else {
		err = run(ctx)
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// runChild runs a part of a measurement that has to be a process of its own.
func runChild(ctx context.Context, name string, args []string) error {
	for _, known := range []map[string]func(context.Context, []string) error{wire.Children(), scale.Children(), brokers.Children()} {
		if fn := known[name]; fn != nil {
			return fn(ctx, args)
		}
	}
	return fmt.Errorf("no such child: %q", name)
}

type options struct {
	quick    bool
	draw     bool
	rounds   int
	only, to string
}

func run(ctx context.Context) error {
	var o options
	flag.BoolVar(&o.quick, "quick", false, "fewer cases, shorter rounds: under two minutes")
	flag.IntVar(&o.rounds, "rounds", 0, "rounds of each contender; 0 = 7, or 3 with -quick")
	flag.StringVar(&o.only, "only", ".", "questions to ask, a regular expression of their names")
	flag.StringVar(&o.to, "to", "results", "folder of raw data, tables and charts")
	flag.BoolVar(&o.draw, "draw", false, "measure nothing: make tables and charts anew from the raw data that is there")
	list := flag.Bool("list", false, "list the questions")
	databases := flag.String("manifests", "", "measure brokers instead, on these: sqlite, or postgres://…")
	events := flag.Int("events", 200, "events a round, of -manifests")
	memory := flag.Int("cached", 0, "measure the memory of so many cached manifests instead")
	flag.Parse()
	if o.rounds == 0 {
		o.rounds = 7
		if o.quick {
			o.rounds = 3
		}
	}
	switch {
	case *memory > 0:
		return brokers.Cached(ctx, *memory)
	case *databases != "":
		for _, dsn := range strings.Split(*databases, ",") {
			if err := brokers.Manifests(ctx, strings.TrimSpace(dsn), 3, *events); err != nil {
				return fmt.Errorf("%s: %w", strings.SplitN(dsn, ":", 2)[0], err)
			}
		}
		return nil
	}
	var questions []suite.Question
	only, err := regexp.Compile(o.only)
	if err != nil {
		return fmt.Errorf("-only: %w", err)
	}
	for _, qs := range [][]suite.Question{local.Questions(), wire.Questions(), scale.Questions()} {
		for _, q := range qs {
			if only.MatchString(q.ID) {
				questions = append(questions, q)
			}
		}
	}
	if *list {
		for _, q := range questions {
			fmt.Fprintf(os.Stdout, "%-20s %s\n", q.ID, q.Title)
		}
		return nil
	}
	return ask(ctx, o, questions)
}

// ask puts the questions and writes what was found: raw.txt as it comes, results.md and a chart each when they are done.
func ask(ctx context.Context, o options, questions []suite.Question) (err error) {
	if err := os.MkdirAll(o.to, 0o755); err != nil {
		return err
	}
	redis := ""
	if !o.draw && slices.ContainsFunc(questions, func(q suite.Question) bool { return q.Redis }) {
		addr, stop, err := startRedis(ctx)
		if err != nil {
			return err
		}
		defer stop()
		redis = addr
	}
	if o.draw {
		return draw(o, questions)
	}
	raw, err := os.Create(filepath.Join(o.to, "raw.txt"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, raw.Close()) }()
	tables, err := os.Create(filepath.Join(o.to, "results.md"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, tables.Close()) }()
	fmt.Fprintf(raw, "goos: %s\ngoarch: %s\n", runtime.GOOS, runtime.GOARCH)
	out := io.MultiWriter(os.Stdout, tables)
	fmt.Fprintf(out, "# Results\n\n%s, %s/%s, %d processors, %s; %d rounds.\n\n", time.Now().UTC().Format(time.DateOnly),
		runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0), runtime.Version(), o.rounds)
	var failed error
	for _, q := range questions {
		begin := time.Now()
		results, err := suite.Run(ctx, q, o.quick, o.rounds, redis, raw)
		if err != nil {
			failed = errors.Join(failed, err)
			if ctx.Err() != nil {
				return failed
			}
			fmt.Fprintf(out, "### %s\n\nnot measured: %v\n\n", q.Title, err)
			continue
		}
		if len(results) == 0 {
			continue // nothing of it belongs into a quick run
		}
		failed = errors.Join(failed, show(out, o.to, q, results))
		fmt.Fprintf(os.Stderr, "%s: %.0f s\n", q.ID, time.Since(begin).Seconds())
	}
	return failed
}

// show writes a question's table and its chart.
func show(out io.Writer, dir string, q suite.Question, results []suite.Result) error {
	suite.Report(out, q, results)
	fmt.Fprintf(out, "![%s](%s.png)\n\n", q.Title, q.ID)
	return suite.Chart(filepath.Join(dir, q.ID+".png"), q, results)
}

// draw does so from raw data; the head of the tables, which says when and where, stays.
func draw(o options, questions []suite.Question) error {
	raw, err := os.ReadFile(filepath.Join(o.to, "raw.txt"))
	if err != nil {
		return err
	}
	old, err := os.ReadFile(filepath.Join(o.to, "results.md"))
	if err != nil {
		return err
	}
	head, _, _ := strings.Cut(string(old), "### ")
	out := bytes.NewBufferString(head)
	var failed error
	for _, q := range questions {
		results, err := suite.Read(bytes.NewReader(raw), q)
		if err != nil {
			return err
		}
		if len(results) > 0 {
			failed = errors.Join(failed, show(out, o.to, q, results))
		}
	}
	return errors.Join(failed, os.WriteFile(filepath.Join(o.to, "results.md"), out.Bytes(), 0o644))
}
