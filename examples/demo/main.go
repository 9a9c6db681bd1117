package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"
)

func main() {
	// The processes started here are tied to this thread where the system can do that (see start_linux.go).
	runtime.LockOSThread()
	bin := flag.String("bin", "bin", "folder with lethe-node, lethe-publisher and platform")
	catalog := flag.String("catalog", "examples/catalog", "folder of files to serve; the demo works on a copy")
	samples := flag.String("platform", "examples/platform", "folder with the manifests of the platform")
	keep := flag.Bool("keep", false, "leave the nodes up until Ctrl-C")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *bin, *catalog, *samples, *keep)
	interrupted := ctx.Err() != nil
	stop()
	switch {
	case err == nil:
	case interrupted:
		fmt.Fprintln(os.Stderr, "\ninterrupted; everything that was started has ended")
		os.Exit(130)
	default:
		fmt.Fprintln(os.Stderr, "\nFAILED:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, bin, catalog, samples string, keep bool) (err error) {
	begin := time.Now()
	f, err := newFleet(bin, catalog, samples)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	s := story{fleet: f, out: os.Stdout}
	for _, chapter := range []func(context.Context) error{s.start, s.warm, s.forget, s.measure, s.fire, s.manifests} {
		if err := chapter(ctx); err != nil {
			f.logs(os.Stderr)
			return err
		}
	}
	s.summary(time.Since(begin))
	if !keep {
		return nil
	}
	s.urls()
	<-ctx.Done()
	return nil
}
