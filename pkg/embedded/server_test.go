package embedded_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"github.com/lethe-cache/lethe/pkg/embedded"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func start(t *testing.T, cfg embedded.Config) *embedded.Server {
	t.Helper()
	srv, err := embedded.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
	})
	return srv
}

func connect(t *testing.T, srv *embedded.Server) jetstream.JetStream {
	t.Helper()
	nc, err := srv.Connect()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

func TestStreamsWorkWithoutAnyNetwork(t *testing.T) {
	t.Parallel()
	srv := start(t, embedded.Config{})
	if srv.URL() != "" {
		t.Fatalf("URL is %q without Listen", srv.URL())
	}
	js := connect(t, srv)
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s.>"}}); err != nil {
		t.Fatal(err)
	}
	if ack, err := js.Publish(t.Context(), "s.a", []byte("x")); err != nil || ack.Sequence != 1 {
		t.Fatalf("ack %v, error %v", ack, err)
	}
}

func TestStateSurvivesARestartAndMemoryDoesNot(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{t.TempDir(), ""} {
		srv := start(t, embedded.Config{StateDir: dir})
		if _, err := connect(t, srv).CreateStream(t.Context(), jetstream.StreamConfig{Name: "S"}); err != nil {
			t.Fatal(err)
		}
		if err := srv.Close(); err != nil {
			t.Fatal(err)
		}
		_, err := connect(t, start(t, embedded.Config{StateDir: dir})).Stream(t.Context(), "S")
		if dir != "" && err != nil {
			t.Errorf("the stream is gone: %v", err)
		}
		if dir == "" && !errors.Is(err, jetstream.ErrStreamNotFound) {
			t.Errorf("the stream of another process: %v", err)
		}
	}
}

func TestOtherProcessesReachTheURL(t *testing.T) {
	t.Parallel()
	srv := start(t, embedded.Config{Listen: "127.0.0.1:0"})
	nc, err := nats.Connect(srv.URL(), nats.Timeout(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	nc.Close()
}

func TestATakenPortIsAnErrorThatNamesIt(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, err = embedded.Start(t.Context(), embedded.Config{Listen: taken.Addr().String()})
	if err == nil || !strings.Contains(err.Error(), taken.Addr().String()) || !strings.Contains(err.Error(), "choose another") {
		t.Fatalf("error %v", err)
	}
}

func TestBadConfigIsRefused(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, cfg := range []embedded.Config{{Listen: "4222"}, {Listen: "localhost:nats"}, {Listen: "localhost:70000"}, {StateDir: file}} {
		if srv, err := embedded.Start(t.Context(), cfg); err == nil {
			t.Errorf("%+v: accepted", cfg)
			_ = srv.Close()
		}
	}
}

func TestTwoServersNeverShareAStateDir(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := start(t, embedded.Config{StateDir: dir})
	if second, err := embedded.Start(t.Context(), embedded.Config{StateDir: dir}); err == nil {
		_ = second.Close()
		t.Fatal("a second server runs on the store of the first")
	} else if !strings.Contains(err.Error(), dir) {
		t.Fatalf("error %v does not name the folder", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	start(t, embedded.Config{StateDir: dir})
}

func TestCloseIsIdempotentAndLeavesNothing(t *testing.T) {
	t.Parallel()
	srv := start(t, embedded.Config{Listen: "127.0.0.1:0"})
	url := srv.URL()
	for range 3 {
		if err := srv.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if nc, err := nats.Connect(url); err == nil {
		nc.Close()
		t.Fatal("still listening after Close")
	}
}

func TestACancelledStartLeavesNothing(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	// The context is only looked at while the server is not ready: either outcome is right, a leak is not.
	if srv, err := embedded.Start(ctx, embedded.Config{}); err == nil {
		_ = srv.Close()
	}
}

func TestStartIsQuick(t *testing.T) {
	t.Parallel()
	best := time.Hour
	for begun := time.Now(); best > time.Second; { // it takes some 20 ms; the bound only tells a stall from a slow machine
		if time.Since(begun) > 2*time.Minute {
			t.Fatalf("ready after %v at best", best)
		}
		begin := time.Now()
		srv := start(t, embedded.Config{})
		best = min(best, time.Since(begin))
		_ = srv.Close()
	}
	t.Logf("ready after %v", best)
}
