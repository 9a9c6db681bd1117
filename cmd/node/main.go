package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/lethe-cache/lethe/cmd/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal ends gracefully; from then on the default applies, so a second one ends at once.
	context.AfterFunc(ctx, stop)
	code := cli.Execute(ctx, newRoot())
	stop()
	os.Exit(code)
}
