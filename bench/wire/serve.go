package wire

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/lethe-cache/lethe/bench/internal/suite"
)

// serve is the process of the NATS server: with files and the server's defaults, as package embedded starts it, and open to
// questions about itself.
func serve(context.Context, []string) (err error) {
	dir, err := os.MkdirTemp("", "lethe-bench-nats")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	srv, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: dir, NoSigs: true})
	if err != nil {
		return err
	}
	srv.Start()
	defer srv.WaitForShutdown()
	defer srv.Shutdown()
	if !srv.ReadyForConnections(20 * time.Second) {
		return errors.New("the NATS server was not ready after 20 s")
	}
	return attend(srv.ClientURL(), func(question []string) (string, error) {
		switch question[0] {
		case "memory":
			return memory(), nil
		case "messages":
			v, err := srv.Varz(nil)
			if err != nil {
				return "", err
			}
			return fmt.Sprint(v.InMsgs, v.OutMsgs), nil
		}
		return "", fmt.Errorf("no such question: %v", question)
	})
}

// memory is what is in use of the heap and of stacks, and how many goroutines there are, when garbage is gone.
func memory() string {
	var m runtime.MemStats
	for range 3 { // pools let go of what they have at the second
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return fmt.Sprint(m.HeapAlloc, m.StackInuse, runtime.NumGoroutine())
}

// startServer starts a server that ends with the case.
func startServer(ctx context.Context, e *suite.Env) (c *child, url string, err error) {
	c, url, err = start(ctx, "wire-serve")
	if err != nil {
		return nil, "", err
	}
	e.Defer(c.stop)
	return c, url, nil
}
