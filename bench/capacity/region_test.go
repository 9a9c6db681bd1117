package main

import (
	"context"
	"fmt"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

func serve(t *testing.T, o server.Options) *server.Server {
	t.Helper()
	o.Host, o.Port, o.NoSigs, o.NoLog = "127.0.0.1", server.RANDOM_PORT, true, true
	if o.JetStream {
		o.StoreDir = t.TempDir()
	}
	s, err := server.NewServer(&o)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("the server does not take connections")
	}
	return s
}

// hub is a server with JetStream that leaf nodes may connect to.
func hub(t *testing.T, domain string) *server.Server {
	t.Helper()
	return serve(t, server.Options{
		ServerName: "hub", JetStream: true, JetStreamDomain: domain,
		LeafNode: server.LeafNodeOpts{Host: "127.0.0.1", Port: -1, NoAdvertise: true},
	})
}

// leaf is a server of another region: a leaf node of the hub at addr.
func leaf(t *testing.T, addr string, o server.Options) *server.Server {
	t.Helper()
	u, err := url.Parse("nats-leaf://" + addr)
	if err != nil {
		t.Fatal(err)
	}
	o.LeafNode = server.LeafNodeOpts{Remotes: []*server.RemoteLeafOpts{{URLs: []*url.URL{u}, IgnoreDiscoveredServers: true}}, ReconnectInterval: 50 * time.Millisecond}
	s := serve(t, o)
	eventually(t, "the leaf node is connected", func() bool { return s.NumLeafNodes() == 1 })
	return s
}

func leafAddr(t *testing.T, hub *server.Server) string {
	t.Helper()
	v, err := hub.Varz(nil)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("127.0.0.1:%d", v.LeafNode.Port)
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(15 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
		<-time.After(5 * time.Millisecond)
	}
}

// member is a node and what it was told.
type member struct {
	*lethe.Node
	get  *lethe.Func[string, string]
	runs atomic.Int64 // loads
}

func join(t *testing.T, at, name string, opts ...nats.Option) *member {
	t.Helper()
	m, err := tryJoin(t, at, name, opts...)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return m
}

func tryJoin(t *testing.T, at, name string, opts ...nats.Option) (*member, error) {
	t.Helper()
	n, err := lethe.Open(t.Context(), lethe.Config{URL: at, Fleet: "regions", Name: name, MaxBytes: 1 << 20, NATSOptions: opts})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() })
	m := &member{Node: n}
	m.get = lethe.Memoize(n, event.Name[string]("get"), func(context.Context, string) (string, error) {
		return fmt.Sprint(m.runs.Add(1)), nil
	})
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
	defer cancel()
	return m, n.Ready(ctx)
}

// forgets checks that what one node invalidates the others forget.
func forgets(t *testing.T, by *member, all ...*member) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for _, m := range all {
		if _, err := m.get.Get(ctx, "k"); err != nil {
			t.Fatal(err)
		}
	}
	token, err := by.get.Invalidate(ctx, "k")
	if err != nil {
		t.Fatalf("invalidate: %v", err)
	}
	for i, m := range all {
		if err := m.Wait(ctx, token); err != nil {
			t.Fatalf("node %d: wait: %v", i, err)
		}
		before := m.runs.Load()
		if _, err := m.get.Get(ctx, "k"); err != nil || m.runs.Load() == before {
			t.Fatalf("node %d still serves what was invalidated (%v)", i, err)
		}
	}
	if _, err := by.Barrier(ctx, token); err != nil {
		t.Fatalf("barrier: %v", err)
	}
}

// crossed counts messages and bytes from the hub to the leaf node.
func crossed(t *testing.T, hub *server.Server) (msgs, bytes int64) {
	t.Helper()
	z, err := hub.Leafz(nil)
	if err != nil || len(z.Leafs) == 0 {
		t.Fatal("no leaf node", err)
	}
	for _, l := range z.Leafs {
		msgs, bytes = msgs+l.OutMsgs, bytes+l.OutBytes
	}
	return msgs, bytes
}
