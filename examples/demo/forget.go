package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// round is one way to forget.
type round struct {
	how, what     string
	changed, kept int
	slowest       time.Duration
}

// forget changes files and announces it, by key, by tag, by prefix and all at once.
func (s *story) forget(ctx context.Context) error {
	s.say("\nForget: files change on disk, lethe-publisher says so once and comes back when the whole fleet has applied it")
	for i, c := range []struct {
		how     string
		changed []string
		args    []string
	}{
		{"key", []string{"countries/jp.json"}, []string{"file.read", "countries/jp.json"}},
		{"tag", []string{"elements/iron.json"}, []string{"tag/file:elements/iron.json"}},
		{"prefix", s.files.below("planets/"), []string{"prefix/file:planets/"}},
		{"all", s.files.names, []string{"--all", "--yes"}},
	} {
		if err := s.round(ctx, i+1, c.how, c.changed, c.args); err != nil {
			return fmt.Errorf("by %s: %w", c.how, err)
		}
	}
	return nil
}

func (s *story) round(ctx context.Context, revision int, how string, changed, args []string) error {
	var kept []string
	for _, name := range s.files.names {
		if !slices.Contains(changed, name) {
			kept = append(kept, name)
		}
	}
	r := round{how: how, what: args[len(args)-1], changed: len(changed), kept: len(kept)}
	if how == "all" {
		r.what = "everything"
	}
	s.say("\n  by %s: %s   (%d of %d files changed)", how, r.what, len(changed), len(s.files.names))

	before := map[string]string{}
	for _, name := range changed {
		before[name] = s.files.text(name)
		if err := s.files.revise(name, revision); err != nil {
			return err
		}
	}
	// Nobody has said anything yet: a node serves what it remembers.
	old := make([]int, len(s.nodes))
	for i, n := range s.nodes {
		for _, name := range changed {
			got, err := n.read(ctx, name, "")
			if err == nil {
				err = compare(n, name, got, before[name], "hit")
			}
			if err != nil {
				return fmt.Errorf("before the invalidation: %w", err)
			}
			old[i] = revisionOf(got.Value.Content)
			s.reads++
		}
	}
	token, err := s.announce(ctx, args, fmt.Sprintf("revision %d", revision))
	if err != nil {
		return err
	}
	for i, n := range s.nodes {
		heard, err := n.heard.await(ctx, token)
		if err != nil {
			return err
		}
		applied := heard.heard.Sub(heard.made)
		r.slowest = max(r.slowest, applied)
		if _, err := s.readAll(ctx, n, changed, "miss"); err != nil {
			return fmt.Errorf("after the invalidation: %w", err)
		}
		if _, err := s.readAll(ctx, n, kept, "hit"); err != nil {
			return fmt.Errorf("what was not named: %w", err)
		}
		s.say("    %s   before: revision %d from memory   after: revision %d, read again   kept: %3d from memory   applied within %s",
			n.name, old[i], revision, len(kept), brief(applied))
	}
	s.rounds = append(s.rounds, r)
	return nil
}

// announce runs lethe-publisher invalidate --wait, which ends when the whole fleet has applied it, and returns the token it
// printed.
func (s *story) announce(ctx context.Context, args []string, reason string) (string, error) {
	out, err := s.publish(ctx, append([]string{"invalidate", "--wait", "--timeout", "20s", "--reason", reason}, args...)...)
	if err != nil {
		return "", err
	}
	var said struct {
		Token   string     `json:"token"`
		Applied []struct{} `json:"applied"`
		Pending []struct{} `json:"pending"`
	}
	if err := json.Unmarshal(out, &said); err != nil || said.Token == "" {
		return "", fmt.Errorf("lethe-publisher printed no token: %s", out)
	}
	if len(said.Applied) != len(s.nodes) || len(said.Pending) > 0 {
		return "", fmt.Errorf("%d of %d nodes have applied it, %d are waited for: %s", len(said.Applied), len(s.nodes), len(said.Pending), out)
	}
	return said.Token, nil
}
