package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"time"
)

// story tells what happens, chapter by chapter, and keeps what the summary needs.
type story struct {
	*fleet
	out io.Writer

	reads  int // answers compared with the disk, or with a token
	rounds []round
	timing timing
	fired  fired
}

func (s *story) say(format string, args ...any) { fmt.Fprintf(s.out, format+"\n", args...) }

// start brings up three nodes.
func (s *story) start(ctx context.Context) error {
	s.say("Three nodes, one folder of %d files (a copy of the catalog in %s)", len(s.files.names), s.dir)
	begin := time.Now()
	for i := range 3 {
		if err := s.launch(ctx, i); err != nil {
			return err
		}
	}
	for i, n := range s.nodes {
		if err := n.ready(ctx); err != nil {
			return err
		}
		if err := n.heard.listen(ctx, n.http); err != nil {
			return err
		}
		role := "connected to it"
		if i == 0 {
			role = "with the NATS server in it, " + n.nats
		}
		s.say("  %s   %s   %s", n.name, n.http, role)
	}
	s.say("  all three current %s after the first was started", brief(time.Since(begin)))
	return nil
}

// warm lets every node read every file, twice: the second time it must come from memory.
func (s *story) warm(ctx context.Context) error {
	s.say("\nWarm: every node reads every file, then again")
	for _, n := range s.nodes {
		first, err := s.readAll(ctx, n, s.files.names, "miss")
		if err != nil {
			return err
		}
		again, err := s.readAll(ctx, n, s.files.names, "hit")
		if err != nil {
			return err
		}
		s.say("  %s   %d files read from disk, then %d of %d from memory   (p50 over HTTP: %s, then %s)",
			n.name, len(first), len(again), len(s.files.names), brief(quantile(first, 0.5)), brief(quantile(again, 0.5)))
	}
	return nil
}

// readAll reads files from one node, eight at a time, and requires that each is what is on disk and came as expected.
func (s *story) readAll(ctx context.Context, n *node, names []string, cache string) ([]time.Duration, error) {
	took := make([]time.Duration, len(names))
	problems := make([]error, len(names))
	slots := make(chan struct{}, 8)
	var wg sync.WaitGroup
	for i, name := range names {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			begin := time.Now()
			got, err := n.read(ctx, name, "")
			took[i] = time.Since(begin)
			if err == nil {
				err = compare(n, name, got, s.files.text(name), cache)
			}
			problems[i] = err
		})
	}
	wg.Wait()
	s.reads += len(names)
	return took, errors.Join(problems...)
}

func compare(n *node, name string, got served, want, cache string) error {
	switch {
	case got.Value.Content != want:
		return fmt.Errorf("%s served revision %d of %s (%s), want revision %d", n.name, revisionOf(got.Value.Content), name, got.Cache, revisionOf(want))
	case got.Cache != cache:
		return fmt.Errorf("%s: %s was a %s, want a %s", n.name, name, got.Cache, cache)
	}
	return nil
}

// summary is the end of a story in which nothing was wrong.
func (s *story) summary(took time.Duration) {
	s.say("\nSummary")
	s.say("  %d answers of three nodes were compared with what they had to be. Wrong: 0.", s.reads+s.fired.reads)
	s.say("  Before an invalidation every node served what it remembered; after it, every node read again exactly what")
	s.say("  was named, and served the rest from memory:")
	for _, r := range s.rounds {
		s.say("    %-8s %-28s %4d forgotten, %4d kept on each node; last node had applied it after %s",
			r.how, r.what, r.changed, r.kept, brief(r.slowest))
	}
	s.say("  One call to forgotten on another node, %d times: p50 %s, p99 %s (HTTP in and out included).",
		s.timing.n, brief(s.timing.p50), brief(s.timing.p99))
	s.say("  While %d files changed all the time, %d reads with a token: none older than its token.", s.fired.files, s.fired.reads)
	s.say("  Took %s. Exit code 0.", took.Round(100*time.Millisecond))
}

func (s *story) urls() {
	s.say("\nThe nodes stay up until Ctrl-C; the folder they serve is %s", s.dir)
	for _, n := range s.nodes {
		s.say("  %s   %s/", n.name, n.http)
	}
	s.say("Change a file there, then for instance:")
	s.say("  %s --server %s --fleet %s invalidate file.read countries/jp.json", s.publisher, s.nodes[0].nats, fleetName)
	s.say("  %s --server %s --fleet %s watch", s.publisher, s.nodes[0].nats, fleetName)
	s.say("or a manifest in %s, and look at %s%s on one of", s.samples, s.services[0].http, chatbots[0])
	for _, v := range s.services {
		s.say("  %s   %s", v.name, v.http)
	}
	s.say("  %s --server %s --fleet %s apply -f %s", s.publisher, s.nodes[0].nats, fleetName, filepath.Join(s.samples, "acme"))
}
