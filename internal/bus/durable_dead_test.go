package bus_test

import (
	"errors"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/lethe-cache/lethe/internal/bus"
)

func TestTheStreamOfDeadLettersIsLikeTheFleetsAndFitsWhatRoomThereIs(t *testing.T) {
	t.Parallel()
	for room, want := range map[int64]int64{
		0:         1 << 30,
		300 << 20: 16 << 20, // 256 MiB of it are the fleet's stream
		400 << 20: 64 << 20,
	} {
		opts := &server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true, JetStreamMaxStore: room}
		srv, err := server.NewServer(opts)
		if err != nil {
			t.Fatal(err)
		}
		srv.Start()
		t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
		if !srv.ReadyForConnections(patience) {
			t.Fatal("the server does not start")
		}
		nc, err := nats.Connect(srv.ClientURL())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(nc.Close)
		if _, err := bus.InspectDead(t.Context(), nc, fleet); !errors.Is(err, bus.ErrNoDead) {
			t.Errorf("%v", err)
		}
		if err := bus.EnsureDead(t.Context(), nc, fleet); !errors.Is(err, bus.ErrNoStream) {
			t.Errorf("%v: a fleet without a stream has no dead letters", err)
		}
		if _, err := bus.Ensure(t.Context(), nc, fleet, bus.EnsureOptions{}); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := bus.EnsureDead(t.Context(), nc, fleet); err != nil {
				t.Fatal(err)
			}
		}
		s, err := bus.InspectDead(t.Context(), nc, fleet)
		if c := s.Config; err != nil || c.MaxBytes != want || c.Storage != jetstream.FileStorage || c.Replicas != 1 || !c.AllowDirect {
			t.Errorf("room %d: %+v, %v", room, c, err)
		}
		// What an operator has changed stays; what receivers can't do without comes back.
		mine := s.Config
		mine.MaxAge, mine.Subjects = 0, []string{"lethe.v1.dead.shop.*"}
		if _, err := jets(t, nc).UpdateStream(t.Context(), mine); err != nil {
			t.Fatal(err)
		}
		if err := bus.EnsureDead(t.Context(), nc, fleet); err != nil {
			t.Fatal(err)
		}
		if s, err = bus.InspectDead(t.Context(), nc, fleet); err != nil || s.Config.MaxAge != 0 || s.Config.Subjects[0] != "lethe.v1.dead.shop.>" {
			t.Errorf("%+v, %v", s.Config, err)
		}
	}
}
