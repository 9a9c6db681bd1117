package bus_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/lethe-cache/lethe/pkg/event"
)

// freeAddresses chooses n, none twice.
func freeAddresses(t *testing.T, n int) []*url.URL {
	t.Helper()
	urls := make([]*url.URL, n)
	held := make([]net.Listener, n)
	for i := range urls {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		held[i], urls[i] = l, &url.URL{Scheme: "nats", Host: l.Addr().String()}
	}
	for _, l := range held {
		_ = l.Close()
	}
	return urls
}

// clustered starts n servers that hold streams together.
func clustered(t *testing.T, n int) []*server.Server {
	t.Helper()
	var all []*server.Server
	routes := freeAddresses(t, n) // each has to be told of all before it starts
	for i, at := range routes {
		port, err := strconv.Atoi(at.Port())
		if err != nil {
			t.Fatal(err)
		}
		srv, err := server.NewServer(&server.Options{
			ServerName: fmt.Sprint("s", i), JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true,
			Host: "127.0.0.1", Port: server.RANDOM_PORT, Routes: routes,
			Cluster: server.ClusterOpts{Name: "c", Host: "127.0.0.1", Port: port},
		})
		if err != nil {
			t.Fatal(err)
		}
		srv.Start()
		t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
		all = append(all, srv)
	}
	eventually(t, "the servers know each other and have a leader", func() bool {
		for _, s := range all {
			if !s.ReadyForConnections(patience) || s.NumRoutes() == 0 || !s.JetStreamIsCurrent() {
				return false
			}
		}
		return true
	})
	return all
}

// keeper is the server that keeps the only replica of a consumer.
func keeper(t *testing.T, nc *nats.Conn, name string) string {
	t.Helper()
	answer, err := nc.Request("$JS.API.CONSUMER.INFO."+event.StreamName(fleet)+"."+name, nil, patience)
	if err != nil {
		t.Fatal(err)
	}
	var body struct{ Cluster struct{ Leader string } }
	if err := json.Unmarshal(answer.Data, &body); err != nil {
		t.Fatal(err)
	}
	return body.Cluster.Leader
}

// A consumer has one replica. Its server dies; the node is connected to another one and is told nothing.
func TestAConsumerThatDiesWithItsServerHealsAndIsReplaced(t *testing.T) {
	t.Parallel()
	servers := clustered(t, 3)
	a := consumed.open(t, dial(t, servers[0].ClientURL()))
	ready(t, a)
	var b *node
	mine := make(map[string]bool)
	for _, name := range consumerNames(t, a.nc) {
		mine[name] = true
	}
	for kept := ""; kept != servers[2].Name(); { // until the consumer of b is on the server that will die
		if b != nil {
			if err := b.Close(); err != nil {
				t.Fatal(err)
			}
		}
		b = consumed.open(t, dial(t, servers[1].ClientURL()))
		ready(t, b)
		for _, name := range consumerNames(t, a.nc) {
			if !mine[name] {
				kept = keeper(t, a.nc, name)
			}
		}
	}
	wait(t, invalidate(t, a, "a:1"), b)
	servers[2].Shutdown()
	servers[2].WaitForShutdown()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	sent := 0
	for !cameLive(b, tag(sent)) { // the stream may need a new leader first, and the consumer 10 s to be missed
		sent++
		token, err := a.Invalidate(ctx, []event.Target{event.Tag(tag(sent))})
		if ctx.Err() != nil {
			t.Fatalf("%d events and none came live: %v", sent, err)
		}
		if err != nil {
			continue
		}
		if err := b.Wait(ctx, token); err != nil {
			t.Fatal(err)
		}
		if b.forgot(tag(sent)) == 0 && b.fenced() == 2 {
			t.Fatalf("%s is reached and was never applied", tag(sent))
		}
	}
	t.Logf("%d events until they came live again, resets %v", sent, b.causes())
	if sent < 2 {
		t.Error("the consumer was not on the server that died")
	}
}
