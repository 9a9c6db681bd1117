package lethe_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/lethe-cache/lethe/pkg/embedded"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

// crowdOnce is a fleet of nodes with one receiver once per fleet, on a server of its own that an admin may work on.
type crowdOnce struct {
	t     *testing.T
	admin *nats.Conn
	js    jetstream.JetStream
	nodes []*lethe.Node
	heard chan event.Event
	fails atomic.Bool
	calls atomic.Int64
}

func newCrowdOnce(t *testing.T, nodes int, opts ...lethe.ReceiveOption) *crowdOnce {
	t.Helper()
	srv := must[*embedded.Server](t)(embedded.Start(within(t), embedded.Config{}))
	t.Cleanup(func() { _ = srv.Close() })
	connect := func() *nats.Conn {
		nc := must[*nats.Conn](t)(srv.Connect())
		t.Cleanup(nc.Close)
		return nc
	}
	c := &crowdOnce{t: t, admin: connect(), heard: make(chan event.Event, 1000)}
	c.js = must[jetstream.JetStream](t)(jetstream.New(c.admin))
	for i := range nodes {
		n := must[*lethe.Node](t)(lethe.Open(t.Context(), lethe.Config{Conn: connect(), Fleet: "shop", Name: fmt.Sprintf("n-%d", i)}))
		t.Cleanup(func() { _ = n.Close() })
		if err := n.Ready(within(t)); err != nil {
			t.Fatal(err)
		}
		lethe.HurryOnce(n, 20*time.Second, 200*time.Millisecond)
		c.nodes = append(c.nodes, n)
		c.join(n, opts...)
	}
	return c
}

func (c *crowdOnce) join(n *lethe.Node, opts ...lethe.ReceiveOption) {
	c.t.Helper()
	share(c.t, n, "r", func(_ context.Context, e event.Event) error {
		c.calls.Add(1)
		if c.fails.Load() {
			return fmt.Errorf("no \n\x1b[31m%s \xff", e.Reason)
		}
		c.heard <- e
		return nil
	}, opts...)
}

func (c *crowdOnce) say(reason string) event.Token {
	c.t.Helper()
	return must[event.Token](c.t)(c.nodes[0].Invalidate(event.WithReason(within(c.t), reason), event.Tag("a:b")))
}

// next is what the fleet receives next.
func (c *crowdOnce) next(what string) event.Event {
	c.t.Helper()
	return take(c.t, what, c.heard)
}

// settled fails when more was received by the time that several looks at the consumer have passed, by every node.
func (c *crowdOnce) settled(what string) {
	c.t.Helper()
	c.say("settled")
	if e := c.next("what was said last"); e.Reason != "settled" {
		c.t.Fatalf("%s: %s %q was received as well", what, e.Type, e.Reason)
	}
	end := time.After(1500 * time.Millisecond)
	select {
	case e := <-c.heard:
		c.t.Fatalf("%s: %s %q was received as well", what, e.Type, e.Reason)
	case <-end:
	}
}

// reset wants the word that events were lost, once.
func (c *crowdOnce) reset(what string) {
	c.t.Helper()
	e := c.next("the word that events were lost: " + what)
	if e.Type != event.TypeReset || len(e.Targets) != 1 || e.Targets[0] != event.All() || e.Reason == "" || e.ID == "" {
		c.t.Fatalf("%s: %+v", what, e)
	}
	c.settled(what)
}

func TestOneNodeIsToldWhenTheConsumerWasRemoved(t *testing.T) {
	t.Parallel()
	c := newCrowdOnce(t, 4)
	c.settled("at first")
	for range 2 {
		if err := c.js.DeleteConsumer(within(t), "LETHE_SHOP", "lethe-once-r"); err != nil {
			t.Fatal(err)
		}
		c.reset("the consumer was removed")
	}
}

func TestOneNodeIsToldWhenTheStreamWasMadeAnew(t *testing.T) {
	t.Parallel()
	c := newCrowdOnce(t, 4)
	c.settled("at first")
	if err := c.js.DeleteStream(within(t), "LETHE_SHOP"); err != nil {
		t.Fatal(err)
	}
	e := c.next("the word that events were lost")
	if e.Type != event.TypeReset {
		t.Fatalf("%+v", e)
	}
	for _, n := range c.nodes {
		if err := n.Ready(within(t)); err != nil {
			t.Fatal(err)
		}
	}
	c.settled("the stream was made anew")
}

func TestOneNodeIsToldWhenTheStreamNoLongerHasWhatComesNext(t *testing.T) {
	t.Parallel()
	c := newCrowdOnce(t, 1)
	c.settled("at first")
	if err := c.nodes[0].Close(); err != nil { // nobody takes events
		t.Fatal(err)
	}
	nodes := make([]*lethe.Node, 3)
	for i := range nodes {
		nc := c.admin
		nodes[i] = must[*lethe.Node](t)(lethe.Open(t.Context(), lethe.Config{Conn: nc, Fleet: "shop", Name: fmt.Sprintf("later-%d", i)}))
		t.Cleanup(func() { _ = nodes[i].Close() })
		if err := nodes[i].Ready(within(t)); err != nil {
			t.Fatal(err)
		}
		lethe.HurryOnce(nodes[i], 20*time.Second, 200*time.Millisecond)
	}
	c.nodes = nodes
	c.say("lost")
	s := must[jetstream.Stream](t)(c.js.Stream(within(t), "LETHE_SHOP"))
	cfg := s.CachedInfo().Config
	cfg.MaxMsgs = 3
	if _, err := c.js.UpdateStream(within(t), cfg); err != nil {
		t.Fatal(err)
	}
	last := must[*jetstream.StreamInfo](t)(s.Info(within(t))).State.LastSeq
	until(t, "the ticks have pushed it out", func() bool {
		return must[*jetstream.StreamInfo](t)(s.Info(within(t))).State.FirstSeq > last+1
	})
	cfg.MaxMsgs = -1
	if _, err := c.js.UpdateStream(within(t), cfg); err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes {
		c.join(n)
	}
	c.reset("the stream begins later")
}

func TestAReceiverIsOwedTheWordUntilANodeHasHeardIt(t *testing.T) {
	t.Parallel()
	c := newCrowdOnce(t, 2, lethe.WithRetry(3, time.Millisecond))
	c.settled("at first")
	c.fails.Store(true)
	if err := c.js.DeleteConsumer(within(t), "LETHE_SHOP", "lethe-once-r"); err != nil {
		t.Fatal(err)
	}
	before := c.calls.Load()
	letter := c.letter(1)
	if c.calls.Load()-before != 3 || letter.Header.Get("Lethe-Reset") == "" || letter.Header.Get("Lethe-Receiver") != "r" {
		t.Fatalf("%d calls: %v", c.calls.Load()-before, letter.Header)
	}
	c.fails.Store(false)
	c.redrive(letter)
	c.reset("redriven")
	c.letters(0)
}

// letters waits until there are this many.
func (c *crowdOnce) letters(want uint64) {
	c.t.Helper()
	var got map[string]uint64
	until(c.t, fmt.Sprintf("%d letters", want), func() bool {
		answer, err := c.admin.Request("$JS.API.STREAM.INFO.LETHE_SHOP_DEAD", []byte(`{"subjects_filter":"lethe.v1.dead.shop.*"}`), patience)
		if err != nil {
			c.t.Fatal(err)
		}
		var info struct {
			State struct {
				Subjects map[string]uint64 `json:"subjects"`
			} `json:"state"`
		}
		if err := json.Unmarshal(answer.Data, &info); err != nil {
			c.t.Fatal(err)
		}
		got = info.State.Subjects
		return got["lethe.v1.dead.shop.r"] == want
	})
}

// letter waits for want letters and returns the last.
func (c *crowdOnce) letter(want uint64) *jetstream.RawStreamMsg {
	c.t.Helper()
	c.letters(want)
	s := must[jetstream.Stream](c.t)(c.js.Stream(within(c.t), "LETHE_SHOP_DEAD"))
	return must[*jetstream.RawStreamMsg](c.t)(s.GetLastMsgForSubject(within(c.t), "lethe.v1.dead.shop.r"))
}
