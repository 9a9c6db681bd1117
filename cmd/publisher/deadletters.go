package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"github.com/lethe-cache/lethe/cmd/internal/tail"
	"github.com/lethe-cache/lethe/internal/bus"
	"github.com/lethe-cache/lethe/pkg/event"
)

func newDeadLetters(o *options) *cobra.Command {
	var receiver string
	run := func(cmd *cobra.Command, _ []string) error { return o.deadLetters(cmd, receiver) }
	cmd := &cobra.Command{
		Use:   "deadletters",
		Short: "Show the events that once-per-fleet receivers could not handle, try them again, or drop them",
		Args:  cobra.NoArgs,
		RunE:  run,
	}
	cmd.PersistentFlags().StringVar(&receiver, "receiver", "", "only letters of this receiver")
	list := &cobra.Command{
		Use:   "list",
		Short: "Show the dead letters; -o json has each whole",
		Args:  cobra.NoArgs,
		RunE:  run,
	}
	initialize := &cobra.Command{
		Use:   "init",
		Short: "Make the stream of dead letters, for nodes that may not (--external-stream)",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.briefly(cmd, func(ctx context.Context, nc *nats.Conn) error {
				if err := bus.EnsureDead(ctx, nc, o.fleet); err != nil {
					return err
				}
				name := bus.DeadStream(o.fleet)
				return o.output.print(cmd.OutOrStdout(), map[string]string{"stream": name}, []string{"stream\t" + name}, name)
			})
		},
	}
	cmd.AddCommand(list, newRedrive(o, &receiver), newDrop(o, &receiver), initialize)
	return cmd
}

// printedLetter is a letter in JSON.
type printedLetter struct {
	Sequence    uint64          `json:"sequence"`
	Receiver    string          `json:"receiver"`
	Error       string          `json:"error"`
	Tries       uint64          `json:"tries"`
	FailedAt    time.Time       `json:"failedAt"`
	Lost        string          `json:"lost,omitempty"` // no event: the word that events were lost, and why
	Targets     []event.Target  `json:"targets"`
	LogSequence uint64          `json:"logSequence,omitempty"`
	LogSubject  string          `json:"logSubject,omitempty"`
	Token       string          `json:"token,omitempty"`
	Event       json.RawMessage `json:"event,omitempty"`
	Widened     string          `json:"widened,omitempty"` // it could not be read as it is; then body has it
	Body        string          `json:"body,omitempty"`
}

func printable(l bus.Letter) (printedLetter, error) {
	p := printedLetter{
		Sequence: l.Sequence, Receiver: l.Receiver, Error: l.Error, Tries: l.Tries, FailedAt: l.FailedAt, Targets: l.Targets,
		LogSequence: l.LogSequence, LogSubject: l.LogSubject, Widened: l.Widened,
	}
	if !l.Token.IsZero() {
		p.Token = l.Token.String()
	}
	if l.Type == event.TypeReset {
		p.Lost = l.Reason
		return p, nil
	}
	if l.Widened != "" || l.Rejected != "" {
		p.Body = strings.ToValidUTF8(string(l.Body), string(utf8.RuneError))
	}
	text, err := l.CloudEvent().MarshalJSON()
	p.Event = text
	return p, err
}

func (o *options) deadLetters(cmd *cobra.Command, receiver string) error {
	return o.briefly(cmd, func(ctx context.Context, nc *nats.Conn) error {
		if _, err := bus.InspectDead(ctx, nc, o.fleet); err != nil {
			return err
		}
		data, names, rows := []printedLetter{}, []string{}, []string{"SEQUENCE\tRECEIVER\tTRIES\tAGE\tTARGETS\tERROR"}
		var problem error
		err := bus.Letters(ctx, nc, o.fleet, receiver, 0, func(l bus.Letter) bool {
			p, err := printable(l)
			if err != nil {
				problem = fmt.Errorf("letter %d: %w", l.Sequence, err)
				return false
			}
			data = append(data, p)
			names = append(names, strconv.FormatUint(l.Sequence, 10))
			rows = append(rows, strings.Join([]string{
				names[len(names)-1], plain(l.Receiver), strconv.FormatUint(l.Tries, 10), letterAge(l.FailedAt), letterSays(l), plain(l.Error),
			}, "\t"))
			return true
		})
		if err == nil {
			err = problem
		}
		if err != nil {
			return err
		}
		return o.output.print(cmd.OutOrStdout(), map[string][]printedLetter{"letters": data}, rows, names...)
	})
}

func letterAge(at time.Time) string {
	if at.IsZero() {
		return "-"
	}
	return brief(max(time.Since(at), 0).Milliseconds())
}

// letterSays is what a letter is about.
func letterSays(l bus.Letter) string {
	if l.Type == event.TypeReset {
		return "(events were lost: " + plain(l.Reason) + ")"
	}
	return said(tail.Message{Received: l.Received})
}
