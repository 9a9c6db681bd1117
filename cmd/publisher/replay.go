package main

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"github.com/lethe-cache/lethe/cmd/internal/cli"
	"github.com/lethe-cache/lethe/cmd/internal/tail"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

// replay is what is to be said again.
type replay struct {
	actorFlag

	since, until string
	tags         []string
	yes          bool
}

func newReplay(o *options) *cobra.Command {
	var r replay
	cmd := &cobra.Command{
		Use:   "replay --since TIME",
		Short: "Say again what was said; without --yes only show it",
		Long: "Say again what was said; without --yes only show it.\n\n" +
			"Each event is published once more, under a new id, with the old one as its causationid, --actor as its letheclaim and\n" +
			"everything else as it was, those of one subject in their order: every node forgets it again, and every receiver hears it again. What could not be read is said again\n" +
			"as what nodes took it for. For one receiver alone there are dead letters.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if r.since == "" {
				return cli.Usagef("since when? Give --since 2h, or --since with a time like 2026-11-22T10:00:00Z")
			}
			now := time.Now()
			begin, err := beginning(r.since, false, now)
			if err != nil {
				return err
			}
			end := now
			if r.until != "" {
				if end, err = beginning(r.until, false, now); err != nil {
					return cli.Usagef("%s", strings.Replace(err.Error(), "--since", "--until", 1))
				}
			}
			if !end.After(begin) {
				return cli.Usagef("--until %s is not after --since %s: nothing lies between", r.until, r.since)
			}
			filter, err := newFilter(r.tags)
			if err != nil {
				return err
			}
			who, err := r.who()
			if err != nil {
				return err
			}
			return o.replay(cmd, r.yes, who, begin, end, filter)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&r.since, "since", "", "begin with what was stored that long ago (2h) or then (2026-11-22T10:00:00Z)")
	flags.StringVar(&r.until, "until", "", "end with what was stored that long ago, or then; now")
	flags.StringArrayVar(&r.tags, "tag", nil, "only events that concern this tag, or the tags below it when it ends in ':' or '/'; several: any of them")
	r.add(cmd)
	flags.BoolVar(&r.yes, "yes", false, "send it")
	return cmd
}

// replayBatch is how many events are read before they are sent; of one subject one follows the other.
const replayBatch = 256

func (o *options) replay(cmd *cobra.Command, send bool, who string, begin, end time.Time, filter filter) error {
	ctx, conn, err := o.connect(cmd.Context())
	if err != nil {
		return err
	}
	defer conn.Close()
	found, err := o.stored(ctx, conn, begin, end, filter)
	if err != nil {
		return outcome(ctx, o.noStream(ctx, conn, err))
	}
	p := printer{o: o, w: cmd.OutOrStdout()}
	if !send {
		for _, m := range found {
			if err := p.event(m); err != nil {
				return err
			}
		}
		cmd.PrintErrf("%s would be said again: %s\n", counted(len(found), "event"), wouldSend(len(found)))
		return nil
	}
	return o.sayAgain(ctx, conn, found, who, &p)
}

// stored are the events that were stored between two moments, by the server's clock, as far as they were stored before it began.
func (o *options) stored(ctx context.Context, conn *nats.Conn, begin, end time.Time, filter filter) (found []tail.Message, err error) {
	inspect := func(ctx context.Context) (tail.Stream, error) {
		ctx, cancel := o.within(ctx)
		defer cancel()
		return tail.Inspect(ctx, conn, o.fleet)
	}
	err = tail.Follow(ctx, conn, inspect, tail.Options{Since: begin, Stop: true}, func(m tail.Message) error {
		if m.Sys == "" && len(m.Targets) > 0 && m.Stored.Before(end) && filter.passes(m.Event) {
			found = append(found, m)
		}
		return nil
	})
	return found, err
}

// sayAgain sends them, and prints each as it was sent. How many were sent is said when it fails.
func (o *options) sayAgain(ctx context.Context, conn *nats.Conn, found []tail.Message, who string, p *printer) error {
	node, err := lethe.Open(ctx, lethe.Config{Conn: conn, Fleet: o.fleet, Name: o.nats.Name, PublishOnly: true, ExternalStream: true})
	if err != nil {
		return cli.Exit(cli.CodeUsage, err)
	}
	defer func() { _ = node.Close() }()
	wait, cancel := o.within(ctx)
	defer cancel()
	if err := node.Ready(wait); err != nil {
		return outcome(wait, fmt.Errorf("nothing was published: %w", notReady(wait, o.fleet, err)))
	}
	for sent := 0; len(found) > 0; {
		batch := found[:min(len(found), replayBatch)]
		found = found[len(batch):]
		events := make([]event.Event, 0, len(batch))
		for i := range batch {
			again, err := o.anew(batch[i], who)
			if err != nil {
				return fmt.Errorf("so far %s said again; event %d can't be: %w", counted(sent, "event"), batch[i].Sequence, err)
			}
			batch[i].Event = again
			events = append(events, again)
		}
		if err := o.publishBatch(ctx, node, events); err != nil {
			return fmt.Errorf("so far %s said again, of the next %d perhaps some: %w", counted(sent, "event"), len(batch), err)
		}
		sent += len(batch)
		for _, m := range batch {
			m.Token, m.Sequence, m.Widened, m.Rejected = event.Token{}, 0, "", "" // of the old one
			if err := p.event(m); err != nil {
				return err
			}
		}
	}
	return nil
}

func (o *options) publishBatch(ctx context.Context, node *lethe.Node, events []event.Event) error {
	ctx, cancel := o.within(ctx)
	defer cancel()
	if _, err := node.Publish(ctx, events...); err != nil {
		return outcome(ctx, notPublished(ctx, err))
	}
	return nil
}

// anew is an event as it is said again, and by whom: its actor stays who made the change. What could not be read, or may not be said any more, becomes what it was taken for.
func (o *options) anew(m tail.Message, who string) (event.Event, error) {
	e := m.Event
	e.Extensions = maps.Clone(e.Extensions)
	if e.Extensions == nil {
		e.Extensions = map[string]string{}
	}
	if e.ID != "" {
		e.Extensions["causationid"] = e.ID
	}
	e.ID, e.Token = event.NewID(), event.Token{}
	e = againBy(e, who)
	if m.Widened == "" && m.Rejected == "" {
		if _, err := event.Encode(o.fleet, e); err == nil {
			return e, nil
		}
	}
	plain := event.Event{
		ID: e.ID, Source: "/lethe/" + o.fleet + "/replay", Type: event.TypeInvalidated, Time: m.Stored, Targets: e.Targets,
		Extensions: map[string]string{"causationid": m.Token.String()}, // its own id may be what can't be said
	}
	plain = againBy(plain, who)
	_, err := event.Encode(o.fleet, plain)
	return plain, err
}

// againBy names who says an event again: as its claim, beside the actor that it has.
func againBy(e event.Event, who string) event.Event {
	switch {
	case who == "":
	case e.ActorType+e.ActorID == "":
		e.ActorType, e.ActorID = event.ActorClaimed, who
	default:
		e.Extensions[event.AttributeClaim] = who
	}
	return e
}

// wouldSend is what to do to send them.
func wouldSend(n int) string {
	switch n {
	case 0:
		return "there is nothing to send"
	case 1:
		return "--yes sends it"
	}
	return "--yes sends them"
}
