// Command outage shows what a service does while its bus is away, and how it finds back. It needs nothing else:
//
//	go run ./examples/outage
//
// Two replicas of a service share a database and a NATS server. The server goes away: reads go on, each function by its policy; a
// write that announces itself is told that nobody has heard of it, and has to say it again; one that goes through the outbox
// commits, and is announced by itself as soon as the server is back.
package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/lethe-cache/lethe/examples/internal/web"
)

func main() {
	ctx, stop := web.Signals()
	err := run(ctx, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "outage:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) (err error) {
	w, err := newWorld(ctx, out)
	if err != nil {
		return err
	}
	defer func() { err = join(err, w.close()) }()
	for _, act := range []func(context.Context) error{w.before, w.away, w.write, w.back} {
		if err := act(ctx); err != nil {
			return err
		}
	}
	return nil
}
