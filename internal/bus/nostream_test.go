package bus_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/lethe-cache/lethe/internal/bus"
	"github.com/lethe-cache/lethe/pkg/event"
)

func asPublisher(c *bus.Config) { c.PublishOnly = true }

// saysNoStream waits until Ready says so, and returns what it says.
func saysNoStream(t *testing.T, p *node) *bus.NoStream {
	t.Helper()
	var no *bus.NoStream
	eventually(t, "Ready says that there is no stream", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		err := p.Ready(ctx)
		return errors.Is(err, bus.ErrNotReady) && errors.Is(err, bus.ErrNoStream) && errors.As(err, &no)
	})
	return no
}

func TestAPublisherMakesNoStreamAndSaysWhichFleetsThereAre(t *testing.T) {
	t.Parallel()
	srv := serve(t)
	admin := connect(t, srv)
	for _, name := range []string{"orders", "catalog"} {
		if _, err := bus.Ensure(t.Context(), admin, name, bus.EnsureOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	create(t, admin, jetstream.StreamConfig{Name: "OTHER", Subjects: []string{"other.>"}})
	p := open(t, connect(t, srv), asPublisher)
	no := saysNoStream(t, p)
	if no.Fleet != fleet || no.More || !slices.Equal(no.Fleets, []string{"catalog", "orders"}) {
		t.Errorf("%+v", no)
	}
	if text := no.Error(); !strings.Contains(text, "catalog, orders") || !strings.Contains(text, "stream init") {
		t.Errorf("it says %q", text)
	}
	_, err := p.Invalidate(t.Context(), []event.Target{event.Tag("a:1")})
	if !errors.Is(err, bus.ErrNotPublished) || !errors.Is(err, bus.ErrNoStream) {
		t.Errorf("Invalidate: %v", err)
	}
	if _, err := bus.Inspect(t.Context(), admin, fleet); !errors.Is(err, bus.ErrNoStream) {
		t.Errorf("Inspect: %v, a publisher has made the stream", err)
	}
	n := open(t, connect(t, srv)) // which makes it
	ready(t, n, p)
	invalidate(t, p, "a:2")
	epoch := p.Epoch()
	if err := jets(t, admin).DeleteStream(t.Context(), event.StreamName(fleet)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the publisher goes on in the stream that the node has made anew", func() bool {
		token, err := p.Invalidate(t.Context(), []event.Target{event.Tag("a:3")})
		return err == nil && token.Epoch() != epoch
	})
}

func TestAPublisherThatMayNotListStreamsSaysThatThereIsNone(t *testing.T) {
	t.Parallel()
	admin, user := guarded(t, &server.Permissions{
		Publish:   &server.SubjectPermission{Allow: []string{"$JS.API.STREAM.INFO." + event.StreamName(fleet), event.LogSubject(fleet, ">")}},
		Subscribe: &server.SubjectPermission{Allow: []string{"_INBOX.>"}},
	})
	if _, err := bus.Ensure(t.Context(), admin, "orders", bus.EnsureOptions{}); err != nil {
		t.Fatal(err)
	}
	if no := saysNoStream(t, open(t, user, asPublisher)); no.Fleets != nil || !strings.Contains(no.Error(), "stream init") {
		t.Errorf("%+v", no)
	}
}

func TestFleetsAreBounded(t *testing.T) {
	t.Parallel()
	nc := connect(t, serve(t))
	if names, more, err := bus.Fleets(t.Context(), nc); err != nil || len(names) != 0 || names == nil || more {
		t.Errorf("of none: %v, %v, %v", names, more, err)
	}
	for i := range 17 {
		name := fmt.Sprintf("f%02d", i)
		create(t, nc, jetstream.StreamConfig{
			Name: event.StreamName(name), Subjects: []string{event.LogSubject(name, ">")}, Storage: jetstream.MemoryStorage,
		})
	}
	names, more, err := bus.Fleets(t.Context(), nc)
	if err != nil || len(names) != 16 || names[0] != "f00" || !more {
		t.Errorf("%v, %v, %v", names, more, err)
	}
}
