package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/lethe-cache/lethe/internal/bus"
)

// fleetsTime is how long the server is asked which fleets there are, for the text of an error.
const fleetsTime = time.Second

// fleetsHere is the end of an error that nobody of the fleet answers: which fleets there are, in parentheses, where this one has no
// stream among them. It is empty where it has one, or where this user may not ask.
func (o *options) fleetsHere(ctx context.Context, conn *nats.Conn) string {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fleetsTime)
	defer cancel()
	names, more, err := bus.Fleets(ctx, conn)
	switch {
	case err != nil, slices.Contains(names, o.fleet):
		return ""
	case len(names) == 0:
		return " (there is no fleet on this server and account)"
	case more:
		names = append(names, "and more")
	}
	return " (fleets here: " + strings.Join(names, ", ") + ")"
}

// noStream is err, and where the fleet has no stream which fleets have one.
func (o *options) noStream(ctx context.Context, conn *nats.Conn, err error) error {
	var told *bus.NoStream
	switch {
	case errors.Is(err, bus.ErrNoDead):
		return fmt.Errorf("%w%s", err, o.fleetsHere(ctx, conn))
	case errors.Is(err, bus.ErrNoStream) && !errors.As(err, &told):
		return fmt.Errorf("the fleet %q has no stream: start a node of it, or run `lethe-publisher --fleet %[1]s stream init`%s%w",
			o.fleet, o.fleetsHere(ctx, conn), silent{err})
	}
	return err
}

// silent is the cause of an error that says it in other words.
type silent struct{ error }

func (silent) Error() string   { return "" }
func (s silent) Unwrap() error { return s.error }

// counted is a number of things.
func counted(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
