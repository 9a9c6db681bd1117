package bus_test

import (
	"errors"
	"log/slog"
	"net"
	"sync/atomic"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/lethe-cache/lethe/internal/bus"
)

// dials counts the attempts to reach a server.
type dials struct{ atomic.Int64 }

func (d *dials) Dial(network, address string) (net.Conn, error) {
	d.Add(1)
	return net.Dial(network, address)
}

// A client of NATS gives up at the second refusal if it is let: a user who comes later than the node would never be served.
func TestAConnectionThatIsRefusedIsTriedUntilItIsNot(t *testing.T) {
	t.Parallel()
	opts := &server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true,
		Users: []*server.User{{Username: "admin", Password: "a"}},
	}
	srv, err := server.NewServer(opts)
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
	eventually(t, "the server is there", func() bool { return srv.ReadyForConnections(patience) })
	var dialed dials
	nc, err := bus.Dial(srv.ClientURL(), slog.New(slog.DiscardHandler), nats.UserInfo("late", "l"), nats.SetCustomDialer(&dialed))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	eventually(t, "it was refused often enough", func() bool { return dialed.Load() > 4 || nc.IsClosed() })
	if err := nc.LastError(); !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("its error is %v, want that it was refused", err)
	}
	port, ok := srv.Addr().(*net.TCPAddr)
	if !ok {
		t.Fatal(srv.Addr())
	}
	known := opts.Clone()
	known.Port = port.Port
	known.Users = append(known.Users, &server.User{Username: "late", Password: "l"})
	if err := srv.ReloadOptions(known); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is connected", func() bool { return nc.IsConnected() || nc.IsClosed() })
	if nc.IsClosed() {
		t.Errorf("it has given up: %v", nc.LastError())
	}
}
