package bus_test

import (
	"bytes"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/lethe-cache/lethe/internal/bus"
	"github.com/lethe-cache/lethe/pkg/event"
)

// flood stores count events of the source about user:42, with so many more tags of 200 bytes, as fast as the server takes them.
func flood(t *testing.T, nc *nats.Conn, source string, count, more int) {
	t.Helper()
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(1000))
	if err != nil {
		t.Fatal(err)
	}
	targets := []event.Target{event.Tag("user:42")}
	for i := range more {
		targets = append(targets, event.Tag("user:"+strconv.Itoa(i)+strings.Repeat("x", 200)))
	}
	for range count {
		m, err := event.Encode(fleet, event.Event{Source: source, Targets: targets})
		if err != nil {
			t.Fatal(err)
		}
		for stored := false; !stored; { // it is refused while too many wait
			_, err := js.PublishMsgAsync(&nats.Msg{Subject: m.Subject, Header: nats.Header(m.Header), Data: m.Data})
			if stored = err == nil; !stored && t.Context().Err() != nil {
				t.Fatal(err)
			}
		}
	}
	select {
	case <-js.PublishAsyncComplete():
	case <-t.Context().Done():
		t.Fatal("the flood was not stored")
	}
}

// A server ends the connection of a client that does not take what it was sent, and all of a fetch's answer is sent at once.
func TestAServerWithASmallMaxPendingHeals(t *testing.T) {
	t.Parallel()
	srv, err := server.NewServer(&server.Options{
		ServerName: "small", JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true,
		Host: "127.0.0.1", Port: server.RANDOM_PORT, MaxPending: 256 << 10, MaxPayload: 128 << 10,
	})
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
	eventually(t, "the server is there", func() bool { return srv.ReadyForConnections(patience) })
	f := &faulty{}
	n := open(t, dial(t, srv.ClientURL()), f.wrap)
	ready(t, n)
	f.with(func(bus.Arrival) []bus.Arrival { return nil }) // all has to be fetched
	const events = 4000
	before := n.nc.Stats().Reconnects
	flood(t, dial(t, srv.ClientURL()), "/flood", events, 60)
	f.with(nil)
	eventually(t, "the node has caught up", func() bool { s := n.Status(); return s.Cursor == s.Last && n.forgot("user:42") >= events })
	ready(t, n)
	if cuts := n.nc.Stats().Reconnects - before; cuts > 40 { // one that asks for too much again and again is cut off for ever
		t.Errorf("the server has ended %d connections", cuts)
	} else {
		t.Logf("the server has ended %d connections", cuts)
	}
	if got := n.causes(); len(got) != 1 {
		t.Errorf("resets %v", got)
	}
}

// backlog is how far these nodes may be behind without gaining on the stream, and overBacklog little more, so that no node is beyond
// it while a flood still comes. A slow machine has a minute to catch up with it.
const (
	backlog     = 950
	overBacklog = 1000
)

func fallsBack(c *bus.Config) { c.Backlog = backlog }

func TestANodeThatGainsOnAFloodForgetsNothing(t *testing.T) {
	t.Parallel()
	srv := serve(t)
	f := &faulty{}
	n := open(t, connect(t, srv), f.wrap, fallsBack)
	ready(t, n)
	var deaf atomic.Bool
	deaf.Store(true)
	f.with(func(a bus.Arrival) []bus.Arrival {
		if deaf.Load() {
			return nil
		}
		return []bus.Arrival{a}
	})
	n.mu.Lock() // it applies nothing, and so fetches nothing, until the flood is over
	flood(t, connect(t, srv), "/flood", overBacklog, 0)
	n.mu.Unlock()
	deaf.Store(false)
	wait(t, invalidate(t, n, "last:1"), n)
	if got := n.causes(); len(got) != 1 {
		t.Errorf("resets %v", got)
	}
	if got := n.forgot("user:42"); got < overBacklog {
		t.Errorf("%d events applied of %d", got, overBacklog)
	}
}

// lines is a log that can be read while it is written.
type lines struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// with returns the lines that have all these words.
func (l *lines) with(words ...string) (found []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.text.String()) {
		all := true
		for _, w := range words {
			all = all && strings.Contains(line, w)
		}
		if all {
			found = append(found, line)
		}
	}
	return found
}

func (l *lines) config(c *bus.Config) { c.Logger = slog.New(slog.NewTextHandler(l, nil)) }

func TestAResetForABacklogNamesTheSourceThatFilledIt(t *testing.T) {
	t.Parallel()
	admin, user := guarded(t, &server.Permissions{
		Publish:   &server.SubjectPermission{Deny: []string{"$JS.API.DIRECT.GET.>"}}, // nothing can be caught up with
		Subscribe: &server.SubjectPermission{Allow: []string{">"}},
	})
	f, log := &faulty{}, &lines{}
	n := open(t, user, f.wrap, log.config, fallsBack)
	ready(t, n)
	var missed atomic.Bool
	f.with(func(a bus.Arrival) []bus.Arrival {
		if !missed.Swap(true) {
			return nil
		}
		return []bus.Arrival{a}
	})
	flood(t, admin, "/some/other", 100, 0)
	flood(t, admin, "/flood/of/one", overBacklog, 0) // over when the node has found that it does not gain
	eventually(t, "a Reset for the backlog", func() bool { return n.Status().Resets["backlog"] > 0 })
	eventually(t, "a line that names the source", func() bool {
		return len(log.with("level=WARN", "event=reset", "cause=backlog", "source=/flood/of/one")) == 1
	})
	ready(t, n)
}
