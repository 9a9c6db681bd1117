package bus_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/lethe-cache/lethe/internal/bus"
	"github.com/lethe-cache/lethe/pkg/event"
)

const smallPayload = 4096

// small are two connections to a server that takes only small messages.
func small(t *testing.T) (a, b *nats.Conn) {
	t.Helper()
	return guarded(t, nil, func(o *server.Options) { o.MaxPayload = smallPayload })
}

func manyTags(family string, n int) (targets []event.Target, names []string) {
	for i := range n {
		name := fmt.Sprintf("%s:%040d", family, i)
		targets, names = append(targets, event.Tag(name)), append(names, name)
	}
	return targets, names
}

// appliedAll checks that n has heard of every one, and not as something wider.
func appliedAll(t *testing.T, n *node, names []string) {
	t.Helper()
	for _, name := range names {
		if n.forgot(name) == 0 {
			t.Fatalf("%s was never applied", name)
		}
	}
}

func TestAnEventOverMaxPayloadIsSentInParts(t *testing.T) {
	t.Parallel()
	ca, cb := small(t)
	a, b := open(t, ca), open(t, cb)
	ready(t, a, b)
	targets, names := manyTags("item", 200)
	token, err := a.Invalidate(t.Context(), targets)
	if err != nil {
		t.Fatal(err)
	}
	wait(t, token, a, b)
	appliedAll(t, b, names)
	targets, names = manyTags("row", 200)
	e := event.Event{ID: event.NewID(), Source: "/shop/orders", Targets: targets, Reason: "a row of many"}
	if token, err = a.Publish(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	wait(t, token, a, b)
	appliedAll(t, b, names)
	ids := make(map[string]bool)
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, d := range b.applied {
		if d.Source != e.Source {
			continue
		}
		// Under the event's own id the server would drop the whole, once its max_payload is larger.
		if d.ID == e.ID || !strings.HasPrefix(d.ID, e.ID+".") || ids[d.ID] || d.Reason != e.Reason {
			t.Errorf("a part has the id %s, reason %q", d.ID, d.Reason)
		}
		ids[d.ID] = true
	}
	if len(ids) < 2 {
		t.Errorf("%d parts", len(ids))
	}
}

// What is tried again after some parts were stored: those are dropped by the server, the others are not.
func TestAnEventInPartsThatIsPublishedTwiceIsStoredOnce(t *testing.T) {
	t.Parallel()
	ca, _ := small(t)
	a := open(t, ca)
	ready(t, a)
	targets, _ := manyTags("row", 200)
	e := event.Event{ID: event.NewID(), Source: "/shop/orders", Targets: targets}
	first, err := a.Publish(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	again, err := a.Publish(t.Context(), e)
	if err != nil || again != first {
		t.Errorf("token %s, then %s, %v", first, again, err)
	}
}

func TestATargetOverMaxPayloadIsRefusedForGood(t *testing.T) {
	t.Parallel()
	ca, cb := small(t)
	a, b := open(t, ca), open(t, cb)
	ready(t, a, b)
	large := event.Name[string]("catalog.price").Key(strings.Repeat("x", 6<<10))
	targets := []event.Target{event.Name[string]("catalog.price").Key("sku-1"), large, event.Name[string]("catalog.price").Key("sku-2")}
	refused := func(what string, err error) {
		t.Helper()
		var no *bus.TooLarge
		if !errors.As(err, &no) || !errors.Is(err, bus.ErrNotPublished) || !no.Permanent() || no.Limit != smallPayload || no.Size <= no.Limit {
			t.Errorf("%s: %v", what, err)
		}
	}
	token, err := a.Invalidate(t.Context(), targets)
	refused("Invalidate", err)
	wait(t, token, b)
	b.mu.Lock()
	said := fmt.Sprint(b.applied)
	b.mu.Unlock()
	if !strings.Contains(said, "sku-1") || !strings.Contains(said, "sku-2") {
		t.Error("the others were not announced")
	}
	_, err = a.Publish(t.Context(), event.Event{Source: "/shop/orders", Targets: targets[1:2]})
	refused("Publish", err)
}

func TestOnlyWhatCanNeverBeStoredIsRefusedForGood(t *testing.T) {
	t.Parallel()
	for code, want := range map[int]bool{
		0: false, 10002: false, 10060: false, 10109: false, 10023: false, 10054: true, 10097: true,
	} {
		if got := (&bus.Refusal{Code: code}).Permanent(); got != want {
			t.Errorf("code %d: permanent %v", code, got)
		}
	}
	nc := connect(t, serve(t))
	external(t, nc, func(c *jetstream.StreamConfig) { c.MaxMsgSize = 1500 })
	p := open(t, nc, asExternal, asPublisher)
	ready(t, p)
	_, err := p.Invalidate(t.Context(), []event.Target{event.Name[string]("f").Key(strings.Repeat("x", 2000))})
	var no *bus.Refusal
	if !errors.As(err, &no) || !no.Permanent() {
		t.Errorf("over the stream's max_msg_size: %v", err)
	}
}
