package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"github.com/lethe-cache/lethe/cmd/internal/cli"
	"github.com/lethe-cache/lethe/cmd/internal/ctl"
)

// connected works with a connection alone.
func (o *options) connected(cmd *cobra.Command, work func(ctx context.Context, conn *nats.Conn) error) error {
	ctx, conn, err := o.connect(cmd.Context())
	if err != nil {
		return err
	}
	defer conn.Close()
	return work(ctx, conn)
}

// Another node is asked, or the same one again, when one could not take a question and has done nothing.
const (
	askTries = 6
	askPause = 50 * time.Millisecond // doubled each time
)

// ask asks one of the nodes with a database, within --timeout; question is a value in JSON, or a text as it is. It asks on the
// subject of kind, unless that is empty: see askKind.
func (o *options) ask(ctx context.Context, conn *nats.Conn, what, kind string, question any, header nats.Header, answer any) error {
	ctx, cancel := o.within(ctx)
	defer cancel()
	body, ok := question.([]byte)
	if !ok {
		var err error
		if body, err = json.Marshal(question); err != nil {
			return err
		}
	}
	do := func(ctx context.Context, what string) error { return o.request(ctx, conn, what, body, header, answer) }
	if kind == "" {
		return o.unanswered(ctx, conn, what, header, len(body), do(ctx, what))
	}
	return o.unanswered(ctx, conn, what, header, len(body), o.askKind(ctx, conn, what, kind, do))
}

// request asks until a node has taken the question.
func (o *options) request(ctx context.Context, conn *nats.Conn, what string, body []byte, header nats.Header, answer any) error {
	pause := askPause
	for try := 1; ; try++ {
		err := ctl.Request(ctx, conn, o.fleet, what, body, header, answer)
		var no *ctl.Refusal
		if !errors.As(err, &no) || !no.Retry || try == askTries {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
			pause *= 2
		}
	}
}

// unanswered gives err its exit code, and says what to do.
func (o *options) unanswered(ctx context.Context, conn *nats.Conn, what string, header nats.Header, size int, err error) error {
	var no *ctl.Refusal
	switch {
	case err == nil:
		return nil
	case errors.As(err, &no):
		no.Text = plain(no.Text)
		if no.Code == http.StatusGatewayTimeout {
			return cli.Exit(cli.CodeUnknown, err)
		}
		return err
	case errors.Is(err, ctl.ErrNoNode):
		return cli.Exit(cli.CodeUnknown, fmt.Errorf("no node of fleet %s with a database is there, and nothing was done: is a lethe-node running with --database-url, "+
			"on these servers and in this account?%s%s", o.fleet, newSince(what), o.fleetsHere(ctx, conn)))
	case errors.Is(err, nats.ErrMaxPayload):
		return cli.Usagef("%d bytes are too much for a message: these servers take %d; name fewer files, or apply over HTTP", size, conn.MaxPayload())
	case ctl.Changes(what, header) && cli.Code(err) == cli.CodeUnknown:
		return outcome(ctx, fmt.Errorf("%w: whether it was done is not known; to %s it again does no harm%s. A node begins nothing later than --timeout, unless its version is an older one. %s",
			err, what, unlessVersioned(what), silentNode))
	case cli.Code(err) == cli.CodeUnknown:
		return outcome(ctx, fmt.Errorf("%w. %s", err, silentNode))
	}
	return outcome(ctx, err)
}

// silentNode is what to do where no node answers. A change is asked for once, and a node that stands still may have taken it.
const silentNode = "'lethe-publisher nodes' shows a node that does not answer: end it, so that others are asked"

// newSince says that nodes of before do not know a question.
func newSince(what string) string {
	if what != ctl.SetStatus {
		return ""
	}
	return " (nodes of before do not know set-status)"
}

// unlessVersioned is what keeps an apply from being said again as it stands.
func unlessVersioned(what string) string {
	if what != ctl.Apply && what != ctl.SetStatus {
		return ""
	}
	return " (where a manifest has a resourceVersion and it was done, that is a conflict: compare with 'get', or leave resourceVersion out)"
}

// placed is a refusal with the files and lines of the manifests it is about.
func placed(all []given, err error) error {
	var no *ctl.Refusal
	if !errors.As(err, &no) {
		return err
	}
	problems := no.Problems
	if len(problems) == 0 {
		problems = []ctl.Problem{no.Problem}
	}
	lines := make([]string, 0, len(problems))
	for _, p := range problems {
		line := plain(p.Text)
		if p.Field == "metadata.resourceVersion" && no.Code == http.StatusConflict {
			line += "; after a try without an answer the change may have been yours: compare with 'get', or leave resourceVersion out"
		}
		if p.Document > 0 && p.Document <= len(all) {
			line = all[p.Document-1].at(p.Field) + ": " + line
		}
		lines = append(lines, line)
	}
	return cli.Exit(cli.Code(err), errors.New(strings.Join(lines, "\n")))
}
