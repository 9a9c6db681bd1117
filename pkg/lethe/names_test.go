package lethe_test

import (
	"bytes"
	"context"
	"encoding/json"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/lethe-cache/lethe/pkg/embedded"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
	"github.com/lethe-cache/lethe/pkg/lethe/lethetest"
)

func TestARenamedFunctionObeysAndSpeaksItsFormerName(t *testing.T) {
	t.Parallel()
	nodes := lethetest.Fleet(t, 2)
	b := newBook()
	before := lethe.Memoize(nodes[0], "catalog.old", b.load)
	after := lethe.Memoize(nodes[1], "catalog.new", b.load, lethe.WithFormerName("catalog.old"))
	warm := func() {
		t.Helper()
		must[int](t)(before.Get(t.Context(), "k"))
		must[int](t)(after.Get(t.Context(), "k"))
	}
	gone := func(what string) {
		t.Helper()
		for i, f := range []*lethe.Func[string, int]{before, after} {
			if _, ok := f.Peek(t.Context(), "k"); ok {
				t.Fatalf("%s left it on node %d", what, i)
			}
		}
	}
	wait := func(tok event.Token, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		lethetest.WaitAll(t, tok, nodes...)
	}
	warm()
	wait(before.Invalidate(t.Context(), "k"))
	gone("the old node's Invalidate")
	warm()
	wait(after.Invalidate(t.Context(), "k"))
	gone("the new node's Invalidate")
	warm()
	wait(before.InvalidateAll(t.Context()))
	gone("the old node's InvalidateAll")
	warm()
	wait(after.InvalidateAll(t.Context()))
	gone("the new node's InvalidateAll")
}

// wire is a server with a node on it and a connection of a program that only knows NATS.
func wire(t *testing.T) (*lethe.Node, *nats.Conn) {
	t.Helper()
	srv := must[*embedded.Server](t)(embedded.Start(within(t), embedded.Config{}))
	t.Cleanup(func() { _ = srv.Close() })
	var conns [2]*nats.Conn
	for i := range conns {
		conns[i] = must[*nats.Conn](t)(srv.Connect())
		t.Cleanup(conns[i].Close)
	}
	n := must[*lethe.Node](t)(lethe.Open(within(t), lethe.Config{Conn: conns[0], Fleet: "shop"}))
	t.Cleanup(func() { _ = n.Close() })
	if err := n.Ready(within(t)); err != nil {
		t.Fatal(err)
	}
	return n, conns[1]
}

func TestHashedKeysKeepTheirArgumentsOffTheWire(t *testing.T) {
	t.Parallel()
	n, nc := wire(t)
	all := must[*nats.Subscription](t)(nc.SubscribeSync("lethe.v1.>"))
	if err := nc.FlushWithContext(within(t)); err != nil {
		t.Fatal(err)
	}
	b := newBook()
	const secret = "alice@example.org"
	f := lethe.Memoize(n, "mail", b.load, lethe.WithHashedKeys())
	must[int](t)(f.Get(t.Context(), secret))
	tok := must[event.Token](t)(f.Invalidate(t.Context(), secret))
	lethetest.WaitAll(t, tok, n)
	if _, ok := f.Peek(t.Context(), secret); ok {
		t.Fatal("there after Invalidate")
	}
	for seen := false; !seen; {
		msg, err := all.NextMsgWithContext(within(t))
		if err != nil {
			t.Fatal(err)
		}
		for k, vs := range msg.Header {
			for _, v := range vs {
				if bytes.Contains([]byte(v), []byte("alice")) {
					t.Fatalf("header %s: %s", k, v)
				}
			}
		}
		if bytes.Contains(msg.Data, []byte("alice")) {
			t.Fatalf("%s: %s", msg.Subject, msg.Data)
		}
		seen = bytes.Contains(msg.Data, []byte("argsHash"))
	}
}

// publish stores a message in the stream, as a program does that only knows NATS, and waits until n has applied it.
func publish(t *testing.T, n *lethe.Node, nc *nats.Conn, m event.Message) {
	t.Helper()
	msg := nats.NewMsg(m.Subject)
	msg.Data = m.Data
	if m.Header != nil {
		msg.Header = m.Header
	}
	reply, err := nc.RequestMsgWithContext(within(t), msg)
	if err != nil {
		t.Fatal(err)
	}
	var ack struct{ Seq uint64 }
	if err := json.Unmarshal(reply.Data, &ack); err != nil || ack.Seq == 0 {
		t.Fatalf("%s: %v", reply.Data, err)
	}
	until(t, "the event is applied", func() bool { return n.Status().Cursor >= ack.Seq })
}

// say publishes a structured event.
func say(t *testing.T, n *lethe.Node, nc *nats.Conn, subject, targets string) {
	t.Helper()
	publish(t, n, nc, event.Message{Subject: subject, Data: []byte(`{"specversion":"1.0","id":"1","source":"/cli",` +
		`"type":"dev.lethe.invalidated.v1","datacontenttype":"application/json","data":{"targets":[` + targets + `]}}`)})
}

func TestArgumentsThatCannotBeTheFunctionsForgetAllOfIt(t *testing.T) {
	t.Parallel()
	n, nc := wire(t)
	f := lethe.Memoize2(n, "page", func(_ context.Context, _ string, _ int) (int, error) { return 1, nil })
	h := lethe.Memoize(n, "hashed", func(context.Context, string) (int, error) { return 1, nil }, lethe.WithHashedKeys())
	hash := event.HashKey(`["k"]`)
	for _, tc := range []struct {
		subject, target string
		page, other     bool // what is left of ("k", 1) and ("other", 2)
		hashed          bool // and of "k" of the hashed function
		widened         float64
	}{
		{"fn.page", `{"function":"page","args":["k",1]}`, false, true, true, 0},
		{"fn.page", `{"function":"page","args":["other", 2.0]}`, true, false, true, 0}, // another way to write 2
		{"fn.page", `{"function":"page","args":["nobody",1]}`, true, true, true, 0},
		{"fn.page", `{"function":"page","args":["k"]}`, false, false, true, 1},
		{"fn.page", `{"function":"page","args":["k",1,2]}`, false, false, true, 1},
		{"fn.page", `{"function":"page","args":["k","1"]}`, false, false, true, 1},
		{"fn.page", `{"function":"page","args":[null,1]}`, false, false, true, 1},
		{"fn.page", `{"function":"page","args":[["k"],1]}`, false, false, true, 1},
		{"fn.page", `{"function":"page","argsHash":"` + hash + `"}`, false, false, true, 0},
		{"fn.hashed", `{"function":"hashed","argsHash":"` + hash + `"}`, true, true, false, 0},
		{"fn.hashed", `{"function":"hashed","args":["k"]}`, true, true, false, 0},
		{"fn.hashed", `{"function":"hashed","args":["other"]}`, true, true, true, 0},
		{"fn.hashed", `{"function":"hashed","args":[1]}`, true, true, false, 1},
		{"fn.other", `{"function":"other","args":[1]}`, true, true, true, 0},
	} {
		must[int](t)(f.Get(t.Context(), "k", 1))
		must[int](t)(f.Get(t.Context(), "other", 2))
		must[int](t)(h.Get(t.Context(), "k"))
		before := metric(t, n, "lethe_events_widened_total", "reason", "shape")
		say(t, n, nc, "lethe.v1.log.shop."+tc.subject, tc.target)
		if _, ok := f.Peek(t.Context(), "k", 1); ok != tc.page {
			t.Errorf("%s: k is there: %v", tc.target, ok)
		}
		if _, ok := f.Peek(t.Context(), "other", 2); ok != tc.other {
			t.Errorf("%s: other is there: %v", tc.target, ok)
		}
		if _, ok := h.Peek(t.Context(), "k"); ok != tc.hashed {
			t.Errorf("%s: hashed is there: %v", tc.target, ok)
		}
		if got := metric(t, n, "lethe_events_widened_total", "reason", "shape") - before; got != tc.widened {
			t.Errorf("%s: counted %v times as widened", tc.target, got)
		}
	}
}
