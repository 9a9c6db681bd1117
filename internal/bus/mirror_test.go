package bus_test

import (
	"net/url"
	"strconv"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/lethe-cache/lethe/internal/bus"
	"github.com/lethe-cache/lethe/pkg/event"
)

// A mirror of the fleet's stream in a region of its own is a usual thing to have. Its server then answers Direct Get there, for
// the stream and under the mirror's name, whatever the configuration says.
func TestANodeHealsByTheMirrorThatIsNearer(t *testing.T) {
	t.Parallel()
	east, west := regions(t)
	f := &faulty{}
	home := republished.open(t, dial(t, east.ClientURL()))
	ready(t, home)
	away := republished.open(t, dial(t, west.ClientURL()), f.wrap)
	ready(t, away)
	js := jets(t, away.nc)
	stream := event.StreamName(fleet)
	_, err := js.CreateStream(t.Context(), jetstream.StreamConfig{
		Name: "MIRROR", Mirror: &jetstream.StreamSource{Name: stream}, Placement: &jetstream.Placement{Cluster: "west"},
	})
	if err != nil {
		t.Fatal(err)
	}
	ask := []byte(`{"last_by_subj":"` + event.LogSubject(fleet, "tag.a") + `"}`)
	token := invalidate(t, home, "a:1")
	wait(t, token, away)
	eventually(t, "the mirror answers for the stream", func() bool {
		m, err := away.nc.RequestWithContext(t.Context(), "$JS.API.DIRECT.GET."+stream, ask)
		return err == nil && m.Header.Get("Nats-Stream") == "MIRROR"
	})
	f.with(func(bus.Arrival) []bus.Arrival { return nil }) // nothing comes live any more
	for i := range 30 {
		token = invalidate(t, home, tag(i))
	}
	wait(t, token, away)
	for i := range 30 {
		if away.forgot(tag(i)) == 0 {
			t.Errorf("%s was never applied", tag(i))
		}
	}
	if len(away.causes()) != 1 {
		t.Errorf("resets %v: the mirror has what the stream has", away.causes())
	}
}

// regions are two clusters that a gateway joins, of two servers and of one.
func regions(t *testing.T) (east, west *server.Server) {
	t.Helper()
	at := freeAddresses(t, 5) // each has to be told of all before it starts
	port := func(i int) int {
		n, err := strconv.Atoi(at[i].Port())
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	remotes := []*server.RemoteGatewayOpts{{Name: "east", URLs: at[0:1]}, {Name: "west", URLs: at[1:2]}}
	start := func(name, cluster string, gateway, route int, routes []*url.URL) *server.Server {
		s, err := server.NewServer(&server.Options{
			ServerName: name, Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true, JetStream: true, StoreDir: t.TempDir(),
			Cluster: server.ClusterOpts{Name: cluster, Host: "127.0.0.1", Port: route}, Routes: routes,
			Gateway: server.GatewayOpts{Name: cluster, Host: "127.0.0.1", Port: gateway, Gateways: remotes},
		})
		if err != nil {
			t.Fatal(err)
		}
		s.Start()
		t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
		return s
	}
	east = start("east-1", "east", port(0), port(2), at[2:3])
	start("east-2", "east", server.RANDOM_PORT, port(3), at[2:3])
	west = start("west-1", "west", port(1), port(4), at[4:5])
	eventually(t, "the clusters are joined", func() bool { return east.NumOutboundGateways() == 1 && west.NumOutboundGateways() == 1 })
	eventually(t, "JetStream has a leader", func() bool { return east.JetStreamIsCurrent() && west.JetStreamIsCurrent() })
	return east, west
}
