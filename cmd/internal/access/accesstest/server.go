package accesstest

import (
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

const patience = 2 * time.Minute

// Serve runs a server of this configuration, on a free port of loopback and with a store of its own, and returns its URL.
func Serve(t testing.TB, conf string) string {
	t.Helper()
	opts := &server.Options{NoSigs: true, NoLog: true}
	all := fmt.Sprintf("listen: \"127.0.0.1:-1\"\njetstream: { store_dir: %q }\n%s", t.TempDir(), conf)
	if err := opts.ProcessConfigString(all); err != nil {
		t.Fatalf("%v in\n%s", err, all)
	}
	return run(t, opts)
}

func run(t testing.TB, opts *server.Options) string {
	t.Helper()
	s, err := server.NewServer(opts)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	if !s.ReadyForConnections(patience) {
		t.Fatal("the server does not start")
	}
	return s.ClientURL()
}
