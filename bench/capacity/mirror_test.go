package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/lethe-cache/lethe/pkg/event"
)

// direct asks a server for the stream's first message and returns the name of the stream that answers, "" if none does.
func direct(t *testing.T, s *server.Server) string {
	t.Helper()
	nc, err := nats.Connect(s.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	m, err := nc.Request("$JS.API.DIRECT.GET."+event.StreamName("regions"), []byte(`{"seq":1,"next_by_subj":"lethe.v1.log.regions.>"}`), time.Second)
	if errors.Is(err, nats.ErrTimeout) || errors.Is(err, nats.ErrNoResponders) {
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	return m.Header.Get("Nats-Stream")
}

// supercluster is two clusters, the first of two servers, joined by a gateway.
func supercluster(t *testing.T) (east, west *server.Server) {
	t.Helper()
	ports, err := freePorts(t.Context(), 5)
	if err != nil {
		t.Fatal(err)
	}
	at := func(port int) []*url.URL {
		return []*url.URL{{Scheme: "nats", Host: fmt.Sprintf("127.0.0.1:%d", port)}}
	}
	remotes := []*server.RemoteGatewayOpts{{Name: "east", URLs: at(ports[0])}, {Name: "west", URLs: at(ports[1])}}
	one := func(name, cluster string, gateway, routes, seed int) *server.Server {
		return serve(t, server.Options{
			ServerName: name, JetStream: true,
			Cluster: server.ClusterOpts{Name: cluster, Host: "127.0.0.1", Port: routes}, Routes: at(seed),
			Gateway: server.GatewayOpts{Name: cluster, Host: "127.0.0.1", Port: gateway, Gateways: remotes},
		})
	}
	east = one("east-1", "east", ports[0], ports[2], ports[2])
	one("east-2", "east", -1, ports[3], ports[2])
	west = one("west-1", "west", ports[1], ports[4], ports[4])
	eventually(t, "the clusters are joined", func() bool { return east.NumOutboundGateways() == 1 && west.NumOutboundGateways() == 1 })
	eventually(t, "JetStream has a leader", func() bool { return east.JetStreamIsCurrent() && west.JetStreamIsCurrent() })
	return east, west
}

func TestANodeInAnotherClusterHeals(t *testing.T) {
	east, west := supercluster(t)
	home := join(t, east.ClientURL(), "home")
	p := newLine(t, west.Addr().String(), 0)
	away := join(t, "nats://"+p.addr(), "away", nats.ReconnectWait(20*time.Millisecond), nats.IgnoreDiscoveredServers())
	forgets(t, home, home, away)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	misses := func() {
		t.Helper()
		p.cut(true)
		var last event.Token
		for range 50 {
			var err error
			if last, err = home.get.Invalidate(ctx, "k"); err != nil {
				t.Fatal(err)
			}
		}
		p.cut(false)
		if err := away.Wait(ctx, last); err != nil {
			t.Fatal(err)
		}
		forgets(t, away, home, away)
	}
	misses()

	// A mirror answers for the stream where it is nearer, under its own name, and that can't be switched off by its configuration.
	// It has the same numbers and times, so it heals a node as well.
	nc, err := nats.Connect(west.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	if answer := direct(t, west); answer != event.StreamName("regions") {
		t.Errorf("direct get was answered by %q", answer)
	}
	s, err := js.CreateStream(ctx, jetstream.StreamConfig{
		Name: "MIRROR", Mirror: &jetstream.StreamSource{Name: event.StreamName("regions")}, Placement: &jetstream.Placement{Cluster: "west"},
	})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the mirror answers", func() bool { return direct(t, west) == "MIRROR" })
	if !s.CachedInfo().Config.MirrorDirect {
		t.Error("the server leaves mirror_direct alone: docs/capacity.md says otherwise")
	}
	misses()
}
