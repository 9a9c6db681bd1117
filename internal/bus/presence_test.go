package bus_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/lethe-cache/lethe/internal/bus"
	"github.com/lethe-cache/lethe/pkg/event"
)

func TestANodeThatMayNotTellOfItselfServesNothing(t *testing.T) {
	t.Parallel()
	stream, presence := event.StreamName(fleet), event.CtlSubject(fleet, "presence.web")
	admin, user := guarded(t, &server.Permissions{
		Publish: &server.SubjectPermission{Allow: []string{
			"$JS.API.STREAM.INFO." + stream, "$JS.API.DIRECT.GET." + stream, event.LogSubject(fleet, ">"),
		}},
		Subscribe: &server.SubjectPermission{Allow: []string{"_INBOX.>", event.LiveSubject(fleet, ">")}},
	})
	if _, err := bus.Ensure(t.Context(), admin, fleet, bus.EnsureOptions{}); err != nil {
		t.Fatal(err)
	}
	greeted := make(chan struct{}, 8)
	n := open(t, user, asExternal, func(c *bus.Config) {
		c.Name = "web"
		c.Greet = func() {
			if err := user.Publish(presence, []byte("{}")); err != nil {
				t.Error(err)
			}
			greeted <- struct{}{}
		}
	})
	<-greeted
	eventually(t, "Ready names the permission", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		err := n.Ready(ctx)
		return errors.Is(err, bus.ErrNotReady) && strings.Contains(err.Error(), "permission") && strings.Contains(err.Error(), presence)
	})
	// It follows the stream all the same; a lease that is renewed every second must not reach the node.
	for range 3 {
		before := n.Status().Last
		eventually(t, "the stream goes on", func() bool { return n.Status().Last > before })
		if n.leased() {
			t.Fatal("it may serve, and no Barrier waits for it")
		}
	}
}

func TestTheOthersAreToldBeforeAnythingMayBeStored(t *testing.T) {
	t.Parallel()
	srv := serve(t)
	told := make(chan bool, 8)
	n := open(t, connect(t, srv), func(c *bus.Config) {
		h, ok := c.Handler.(*node)
		c.Greet = func() { told <- !ok || h.leased() }
	})
	ready(t, n)
	select {
	case leased := <-told:
		if leased {
			t.Error("it held a lease before anybody knew of it")
		}
	default:
		t.Error("ready without having told of itself")
	}
}
