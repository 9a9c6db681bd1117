package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/lethe-cache/lethe/cmd/internal/cli"
	"github.com/lethe-cache/lethe/cmd/internal/tail"
	"github.com/lethe-cache/lethe/pkg/event"
)

func newWatch(o *options) *cobra.Command {
	var since string
	var noFollow bool
	var tags []string
	cmd := &cobra.Command{
		Use:   "watch",
		Short: "Show events as they come, or what is kept of them",
		Long: "Show events as they come, or what is kept of them.\n\n" +
			"With -o json every line is one structured CloudEvent; the attribute lethetoken is its position in the stream.\n" +
			"--no-follow without --since shows all that the stream keeps.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			begin, err := beginning(since, noFollow, time.Now())
			if err != nil {
				return err
			}
			filter, err := newFilter(tags)
			if err != nil {
				return err
			}
			return o.watch(cmd, begin, noFollow, filter)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&since, "since", "", "begin with what was stored that long ago (2h) or then (2026-11-22T10:00:00Z)")
	flags.BoolVar(&noFollow, "no-follow", false, "end after what is stored now")
	flags.StringArrayVar(&tags, "tag", nil, "only events that concern this tag, or the tags below it when it ends in ':' or '/'; several: any of them")
	return cmd
}

// beginning of what is shown; zero is "from now".
func beginning(since string, all bool, now time.Time) (time.Time, error) {
	if since == "" {
		if all {
			return time.Unix(1, 0), nil
		}
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(since); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	t, err := time.Parse(time.RFC3339, since)
	if err != nil {
		return t, cli.Usagef("--since %q: want a duration like 2h, or a time like 2026-11-22T10:00:00Z", since)
	}
	return t, nil
}

func (o *options) watch(cmd *cobra.Command, begin time.Time, noFollow bool, filter filter) error {
	ctx, conn, err := o.connect(cmd.Context())
	if err != nil {
		return err
	}
	defer conn.Close()
	inspect := func(ctx context.Context) (tail.Stream, error) {
		ctx, cancel := o.within(ctx)
		defer cancel()
		return tail.Inspect(ctx, conn, o.fleet)
	}
	p := printer{o: o, w: cmd.OutOrStdout()}
	err = tail.Follow(ctx, conn, inspect, tail.Options{
		Since: begin, Stop: noFollow,
		Note: func(text string) { cmd.PrintErrln("watch:", text) },
	}, func(m tail.Message) error {
		if m.Sys != "" || !filter.passes(m.Event) {
			return nil
		}
		return p.event(m)
	})
	if errors.Is(err, context.Canceled) && cmd.Context().Err() != nil {
		return nil // a signal: that is how one ends a watch
	}
	return outcome(ctx, o.noStream(ctx, conn, err))
}

// printer writes one event after the other.
type printer struct {
	o     *options
	w     io.Writer
	begun bool
}

func (p *printer) event(m tail.Message) error {
	ce := m.CloudEvent()
	if !m.Token.IsZero() {
		ce.SetExtension("lethetoken", m.Token.String())
	}
	if m.Widened != "" {
		ce.SetExtension("lethewidened", m.Widened)
	}
	switch p.o.output {
	case asJSON:
		text, err := ce.MarshalJSON()
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(p.w, string(text))
		return err
	case asYAML:
		text, err := ce.MarshalJSON()
		if err != nil {
			return err
		}
		if text, err = yaml.JSONToYAML(text); err != nil {
			return err
		}
		_, err = fmt.Fprintf(p.w, "---\n%s", text)
		return err
	case justName:
		_, err := fmt.Fprintln(p.w, m.Token)
		return err
	case table:
	}
	const row = "%-12s  %13s  %-40s  %-24s  %-24s  %s\n"
	if !p.begun {
		p.begun = true
		if _, err := fmt.Fprintf(p.w, row, "TIME", "SEQUENCE", "TARGETS", "SOURCE", "WHO", "REASON"); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(p.w, row, clock(m), sequence(m), said(m), plain(m.Source), plain(cmp.Or(m.Actor().String(), "-")), plain(m.Reason))
	return err
}

func clock(m tail.Message) string {
	at := m.Time
	if at.IsZero() {
		at = m.Stored
	}
	if at.IsZero() {
		return "-"
	}
	return at.Local().Format("15:04:05.000")
}

func sequence(m tail.Message) string {
	if m.Sequence == 0 {
		return "-"
	}
	return strconv.FormatUint(m.Sequence, 10)
}

// said lists the targets, and why they are more than the event says, or less.
func said(m tail.Message) string {
	parts := make([]string, 0, len(m.Targets)+1)
	for _, t := range m.Targets {
		text := t.String()
		if t.IsSoft() {
			text += " (soft)"
		}
		parts = append(parts, plain(text))
	}
	if m.Widened != "" {
		parts = append(parts, "(widened: "+m.Widened+")")
	}
	if m.Rejected != "" {
		parts = append(parts, "(refused: "+m.Rejected+")")
	}
	return strings.Join(parts, " ")
}

// plain keeps what others wrote from moving the cursor, colouring the terminal, and turning or hiding what stands beside it: controls,
// marks of direction, characters without width, separators of lines and what Unicode has not assigned.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if r != ' ' && !unicode.IsGraphic(r) || unicode.In(r, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point) {
			return '·'
		}
		return r
	}, text)
}

// filter passes events that concern one of its tags; an empty one passes all.
type filter []event.Target

func newFilter(tags []string) (f filter, err error) {
	var problems []error
	for _, tag := range tags {
		t := event.Tag(tag)
		if strings.HasSuffix(tag, ":") || strings.HasSuffix(tag, "/") {
			t = event.TagPrefix(tag)
		}
		problems = append(problems, t.Err())
		f = append(f, t)
	}
	if err := errors.Join(problems...); err != nil {
		return nil, cli.Exit(cli.CodeUsage, fmt.Errorf("--tag: %w", err))
	}
	return f, nil
}

func (f filter) passes(e event.Event) bool {
	if len(f) == 0 {
		return true
	}
	for _, t := range e.Targets {
		for _, want := range f {
			if concerns(t, want) {
				return true
			}
		}
	}
	return false
}

// concerns says whether forgetting t forgets something of want.
func concerns(t, want event.Target) bool {
	switch t.Scope() {
	case event.ScopeAll:
		return true
	case event.ScopeTag:
		return t.Name() == want.Name() || want.Scope() == event.ScopePrefix && covers(want.Name(), t.Name())
	case event.ScopePrefix:
		return covers(t.Name(), want.Name()) || want.Scope() == event.ScopePrefix && covers(want.Name(), t.Name())
	case event.ScopeKey, event.ScopeFunction:
	}
	return false
}

// covers says whether a tag or prefix lies below a prefix: user:42/ covers user:42 as well.
func covers(prefix, name string) bool {
	return strings.HasPrefix(name, prefix) || name+"/" == prefix
}
