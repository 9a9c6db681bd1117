package main

import (
	"context"
	"errors"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/lethe-cache/lethe/cmd/internal/cmdtest"
	"github.com/lethe-cache/lethe/internal/bus"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

// receive NODE NAME FAMILY registers a once-per-fleet receiver, of tags of that family, that fails until it is mended.
func receive(ts *testscript.TestScript, _ bool, args []string) {
	b := benchOf(ts)
	n := b.nodes[args[0]].node
	broken := &atomic.Bool{}
	broken.Store(true)
	b.broken[args[1]] = broken
	ts.Check(n.Receive(args[1], func(context.Context, event.Event) error {
		if broken.Load() {
			return errors.New("the mail server is \x1b[31mdown")
		}
		return nil
	}, lethe.OncePerFleet(), lethe.ForTags(args[2]), lethe.WithRetry(2, time.Millisecond)))
	poll(ts, "the receiver takes events", func(nc *nats.Conn) bool {
		found, err := bus.Receivers(context.Background(), nc, n.Status().Fleet)
		for _, r := range found {
			if r.Name == args[1] && r.Nodes > 0 {
				return err == nil
			}
		}
		return false
	})
}

// mend NAME has a receiver succeed from now on.
func mend(ts *testscript.TestScript, _ bool, args []string) { benchOf(ts).broken[args[0]].Store(false) }

// letters FLEET COUNT waits until there are that many dead letters.
func letters(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[1])
	ts.Check(err)
	poll(ts, args[1]+" letters", func(nc *nats.Conn) bool {
		got := 0
		err := bus.Letters(context.Background(), nc, args[0], "", 0, func(bus.Letter) bool { got++; return true })
		return err == nil && got == want
	})
}

// poll waits for a condition.
func poll(ts *testscript.TestScript, what string, good func(*nats.Conn) bool) {
	conn, err := benchOf(ts).server.Connect()
	ts.Check(err)
	defer conn.Close()
	for end := time.Now().Add(cmdtest.Patience); !good(conn); <-time.After(10 * time.Millisecond) {
		if time.Now().After(end) {
			ts.Fatalf("never happened: %s", what)
		}
	}
}
