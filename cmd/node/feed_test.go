package main

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/lethe-cache/lethe/cmd/internal/cmdtest"
	"github.com/lethe-cache/lethe/internal/bus"
	"github.com/lethe-cache/lethe/pkg/embedded"
)

// address is where the node says that it serves.
func address(l *cmdtest.Log) string {
	_, rest, _ := strings.Cut(l.String(), "http=")
	address, _, found := strings.Cut(rest, " ")
	if !found {
		return ""
	}
	return address
}

// startNode runs the program's serve with flags, and returns a function that asks for its readiness with the lease.
func startNode(t *testing.T, flags ...string) (ready func() (int, string)) {
	t.Helper()
	ctx, end := context.WithCancel(t.Context())
	log, ended := &cmdtest.Log{}, make(chan error, 1)
	go func() {
		ended <- serve(ctx, parseFlags(t, append(flags, "--fleet", "shop", "--http", "127.0.0.1:0")...), log)
	}()
	t.Cleanup(func() {
		end()
		if err := <-ended; err != nil {
			t.Errorf("the node ended with %v", err)
		}
		http.DefaultClient.CloseIdleConnections()
	})
	eventually(t, "the node serves", func() bool { return address(log) != "" })
	return func() (int, string) {
		res, err := http.Get(address(log) + "/readyz?lease=1")
		if err != nil {
			return 0, err.Error()
		}
		defer func() { _ = res.Body.Close() }()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			return 0, err.Error()
		}
		return res.StatusCode, string(body)
	}
}

func eventually(t *testing.T, what string, good func() bool) {
	t.Helper()
	for deadline := time.Now().Add(cmdtest.Patience); !good(); <-time.After(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
	}
}

func startServer(t *testing.T) (*embedded.Server, *nats.Conn) {
	t.Helper()
	srv, err := embedded.Start(t.Context(), embedded.Config{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = srv.Close() })
	nc, err := srv.Connect()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return srv, nc
}

func TestANodeThatFollowsByAConsumerHasOne(t *testing.T) {
	t.Parallel()
	srv, nc := startServer(t)
	for want, flag := range []string{"--ordered-consumer=false", "--ordered-consumer"} {
		ready := startNode(t, "--nats-url", srv.URL(), flag)
		eventually(t, flag+": the lease", func() bool { status, _ := ready(); return status == http.StatusOK })
		s, err := bus.Inspect(t.Context(), nc, "shop")
		if err != nil || s.State.Consumers != want {
			t.Errorf("%s: the stream has %d consumers, want %d, %v", flag, s.State.Consumers, want, err)
		}
	}
}

func TestAnExternalStreamIsWaitedForAndNeverMade(t *testing.T) {
	t.Parallel()
	srv, nc := startServer(t)
	ready := startNode(t, "--nats-url", srv.URL(), "--external-stream")
	eventually(t, "the node says what it lacks", func() bool {
		status, said := ready()
		return status == http.StatusServiceUnavailable && strings.Contains(said, "the fleet has no stream")
	})
	if _, err := bus.Inspect(t.Context(), nc, "shop"); err == nil {
		t.Error("the node has made a stream")
	}
	if _, err := bus.Ensure(t.Context(), nc, "shop", bus.EnsureOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the lease, with a stream", func() bool { status, _ := ready(); return status == http.StatusOK })
}
