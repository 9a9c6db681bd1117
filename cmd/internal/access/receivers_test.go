package access

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lethe-cache/lethe/internal/bus"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

// A receiver lives its whole life with what is printed: its consumer is made, an event is received, one fails and becomes a dead letter, an
// admin has it tried again, the consumer is removed and the receiver told.
func TestOncePerFleetReceiversNeedWhatIsPrintedAndNoMore(t *testing.T) {
	t.Parallel()
	maker := of(t, Options{Role: Node, Name: "maker", Receivers: true})
	guest := of(t, Options{Role: Node, Name: "guest", Receivers: true, External: true})
	admin := of(t, Options{Role: Admin})
	url := serve(t, maker, guest, admin)
	conns := []*conn{login(t, url, maker), login(t, url, guest), login(t, url, admin)}
	nc := conns[2].Conn
	ctx := within(t, 3*patience)
	var broken atomic.Bool
	heard := make(chan event.Event, 100)
	start := func(c *conn, name string, external bool) *peer {
		n := join(t, c, lethe.Config{Name: name, ExternalStream: external}).ready()
		if err := n.Receive("mail", func(_ context.Context, e event.Event) error {
			if broken.Load() {
				return errors.New("broken")
			}
			heard <- e
			return nil
		}, lethe.OncePerFleet(), lethe.WithRetry(2, time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		return n
	}
	one := start(conns[0], "maker", false)
	waiting := func(want int) {
		t.Helper()
		until(t, "the nodes wait for events", func() bool {
			found, err := bus.Receivers(ctx, nc, "shop")
			return err == nil && len(found) == 1 && found[0].Nodes == want
		})
	}
	waiting(1)
	two := start(conns[1], "guest", true)
	waiting(2)
	receive := func(what string) event.Event {
		t.Helper()
		select {
		case e := <-heard:
			return e
		case <-time.After(3 * patience):
			t.Fatalf("not received: %s", what)
			panic("unreachable")
		}
	}
	one.say(event.Tag("user:1"))
	receive("an event")
	broken.Store(true)
	one.say(event.Tag("user:2"))
	var letter bus.Letter
	until(t, "a dead letter", func() bool {
		err := bus.Letters(ctx, nc, "shop", "mail", 0, func(l bus.Letter) bool { letter = l; return false })
		return err == nil && letter.Error == "broken"
	})
	broken.Store(false)
	if err := bus.Redrive(ctx, nc, "shop", letter); err != nil {
		t.Fatal(err)
	}
	if e := receive("the letter"); e.Targets[0] != event.Tag("user:2") {
		t.Errorf("%+v", e)
	}
	until(t, "the letter is removed", func() bool {
		left := 0
		err := bus.Letters(ctx, nc, "shop", "", 0, func(bus.Letter) bool { left++; return true })
		return err == nil && left == 0
	})
	if err := bus.RemoveReceiver(ctx, nc, "shop", "mail"); err != nil {
		t.Fatal(err)
	}
	for e := receive("that its consumer was removed"); e.Type != event.TypeReset; e = receive("that its consumer was removed") {
		if e.Targets[0] != event.Tag("user:2") { // at least once: the letter may come again
			t.Errorf("%+v", e)
		}
	}
	for _, n := range []*peer{one, two} { // either may be the one whose pull is answered by nobody; both are whole
		if err := n.Ready(ctx); err != nil {
			t.Error(err)
		}
	}
	if ok, err := bus.DropLetter(ctx, nc, "shop", 999); ok || err != nil {
		t.Errorf("%v, %v: a letter that is not there", ok, err)
	}
	waiting(2)
	silent(t, conns...)
}

// A node that may not make the stream of dead letters says what is missing, and receives when an admin has made it.
func TestAReceiverWaitsForTheStreamsThatItMayNotMake(t *testing.T) {
	t.Parallel()
	guest := of(t, Options{Role: Node, Name: "guest", Receivers: true, External: true})
	admin := of(t, Options{Role: Admin})
	url := serve(t, guest, admin)
	a := login(t, url, admin)
	ctx := within(t, 3*patience)
	if _, err := bus.Ensure(ctx, a.Conn, "shop", bus.EnsureOptions{}); err != nil {
		t.Fatal(err)
	}
	c := login(t, url, guest)
	n := join(t, c, lethe.Config{Name: "guest", ExternalStream: true}).ready()
	heard := make(chan event.Event, 10)
	if err := n.Receive("mail", func(_ context.Context, e event.Event) error { heard <- e; return nil }, lethe.OncePerFleet()); err != nil {
		t.Fatal(err)
	}
	until(t, "its consumer is made", func() bool {
		found, err := bus.Receivers(ctx, a.Conn, "shop")
		return err == nil && len(found) == 1
	})
	n.say(event.Tag("user:1"))
	if err := bus.EnsureDead(ctx, a.Conn, "shop"); err != nil {
		t.Fatal(err)
	}
	select {
	case e := <-heard:
		if e.Targets[0] != event.Tag("user:1") {
			t.Errorf("%+v", e)
		}
	case <-time.After(3 * patience):
		t.Fatal("not received")
	}
	silent(t, c, a)
}

func TestReceiversAreForNodesThatAreSaidToHaveThem(t *testing.T) {
	t.Parallel()
	plain, all := of(t, Options{Role: Node}), of(t, Options{Role: Node, Name: "web-2", Receivers: true})
	pub := of(t, Options{Role: Publisher})
	url := serve(t, plain, all, pub)
	for _, u := range []User{plain, pub} {
		nc := login(t, url, u)
		for _, subject := range []string{
			"lethe.v1.dead.shop.mail", "lethe.v1.dead.shop.again.mail", "$JS.API.CONSUMER.CREATE.LETHE_SHOP_DEAD.x", "$JS.API.STREAM.MSG.DELETE.LETHE_SHOP_DEAD",
			"$JS.API.CONSUMER.MSG.NEXT.LETHE_SHOP.x", "$JS.ACK.LETHE_SHOP.x", "$JS.ACK.LETHE_SHOP_DEAD.x",
		} {
			nc.mayNot(t, subject)
		}
	}
	nc := login(t, url, all)
	for _, subject := range []string{
		"lethe.v1.dead.other.mail", "$JS.API.STREAM.PURGE.LETHE_SHOP_DEAD", "$JS.API.STREAM.DELETE.LETHE_SHOP_DEAD", "$JS.API.STREAM.MSG.DELETE.LETHE_SHOP",
		"$JS.API.CONSUMER.DELETE.LETHE_SHOP_DEAD.x",
	} {
		nc.mayNot(t, subject)
	}
}
