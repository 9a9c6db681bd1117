package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/lethe-cache/lethe/cmd/internal/ctl"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

// tellEvery is how often the progress of a barrier is looked at; one that ends sooner is not talked about.
const tellEvery = time.Second

// waiter says what a barrier waits for: on a terminal all the time, anywhere else only that there is nobody to wait for, which
// looks like a program that hangs.
type waiter struct {
	*options
	conn   *nats.Conn
	asker  *lethe.Node
	token  event.Token
	stderr io.Writer

	terminal bool // stderr is one
}

// tell returns when ctx ends.
func (w *waiter) tell(ctx context.Context) {
	told, drawn := false, false
	tick := time.NewTicker(tellEvery)
	defer tick.Stop()
	defer func() {
		if drawn {
			_, _ = fmt.Fprint(w.stderr, eraseLine)
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		nodes, err := w.asker.Nodes(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && !told:
			told = true
			_, _ = fmt.Fprintf(w.stderr, "no node of fleet %s has answered: waiting %v, the longest that any node may serve without the bus\n", w.fleet, w.horizon())
		case err == nil && w.terminal:
			drawn = true
			_, _ = fmt.Fprint(w.stderr, eraseLine+progress(ctl.Members(nodes), w.token))
		}
	}
}

// eraseLine goes back to the beginning of a terminal's line and empties it.
const eraseLine = "\r\x1b[K"

// progress is one line about who has applied a token.
func progress(members []ctl.Member, token event.Token) string {
	const most = 5
	var left []string
	members = slices.DeleteFunc(slices.Clone(members), func(m ctl.Member) bool { return m.State == ctl.Gone }) // nobody waits for it
	for _, m := range members {
		if m.State == ctl.Silent || m.Epoch != token.Epoch() || m.Cursor < token.Sequence() {
			left = append(left, plain(m.Node))
		}
	}
	line := fmt.Sprintf("%d of %s have applied it", len(members)-len(left), counted(len(members), "node"))
	if n := len(left); n > most {
		left = append(left[:most], fmt.Sprintf("%d more", n-most))
	}
	if left != nil {
		line += ", waiting for " + strings.Join(left, ", ")
	}
	return line
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
