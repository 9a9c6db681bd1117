package access

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/lethe-cache/lethe/internal/bus"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

func TestANodeThatWasAwayFetchesWhatItMissed(t *testing.T) {
	t.Parallel()
	c, users := newCrew(t)
	url := serve(t, users...)
	nc := login(t, url, c.node)
	n := join(t, nc, lethe.Config{Name: c.node.Name}).ready()
	by := join(t, login(t, url, c.team), lethe.Config{PublishOnly: true, ExternalStream: true}).ready()
	for range 5 {
		n.fill()
		n.keeps("remembered", n.price)
		if err := nc.ForceReconnect(); err != nil {
			t.Fatal(err)
		}
		n.lost("said while it was away", by.say(price.Key("42")), n.price)
		until(t, "a connection", nc.IsConnected)
		n.ready()
	}
	silent(t, nc)
}

func TestANodeMendsTheStreamUnlessItIsNotItsOwn(t *testing.T) {
	t.Parallel()
	c, users := newCrew(t)
	url := serve(t, users...)
	admin := login(t, url, c.admin)
	if _, err := bus.Ensure(t.Context(), admin.Conn, "shop", bus.EnsureOptions{}); err != nil {
		t.Fatal(err)
	}
	js, err := jetstream.New(admin.Conn)
	if err != nil {
		t.Fatal(err)
	}
	s, err := js.Stream(t.Context(), "LETHE_SHOP")
	if err != nil {
		t.Fatal(err)
	}
	cfg := s.CachedInfo().Config
	cfg.AllowDirect = false
	if _, err := js.UpdateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	two := join(t, login(t, url, c.other), lethe.Config{Name: c.other.Name, ExternalStream: true})
	until(t, "Ready names what is wrong", func() bool {
		err := two.Ready(within(t, time.Second))
		return errors.Is(err, lethe.ErrNotReady) && strings.Contains(err.Error(), "allow_direct")
	})
	nc := login(t, url, c.node)
	join(t, nc, lethe.Config{Name: c.node.Name}).ready()
	two.ready()
	silent(t, nc, admin)
}

// Another account of the same servers imports the stream's subjects without having been asked to.
func TestExportsAreForThoseWhoNeedThemAndNobodyElse(t *testing.T) {
	t.Parallel()
	c, users := newCrew(t)
	text := Conf(users...)
	stranger := c.team
	stranger.Name = "stranger"
	for _, foreign := range []User{stranger, {Name: "stranger", Fleet: "shop", Role: Publisher, Publish: []Grant{{Subject: "lethe.v1.log.shop.>"}}}} {
		var b conf
		b.guest("LETHE_SHOP", foreign)
		opts := &server.Options{NoSigs: true, NoLog: true}
		whole := text[:strings.LastIndex(text, "}")] + b.String() + "}\n"
		for _, u := range append(users, foreign) {
			whole = variable(u.Name) + "_PASSWORD: x\n" + whole
		}
		err := opts.ProcessConfigString(whole)
		if err == nil {
			t.Errorf("%v may be imported", subjects(foreign.Publish))
		} else if !strings.Contains(err.Error(), "import") {
			t.Errorf("%v: %v", subjects(foreign.Publish), err)
		}
	}
}
