package lethe_test

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/lethe-cache/lethe/internal/bus"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

// theLetter waits for the one letter that there is, as an operator's command line reads it.
func (c *crowdOnce) theLetter() (l bus.Letter) {
	c.t.Helper()
	until(c.t, "a letter", func() bool {
		found := 0
		err := bus.Letters(within(c.t), c.admin, "shop", "r", 0, func(one bus.Letter) bool {
			l, found = one, found+1
			return true
		})
		return err == nil && found == 1
	})
	return l
}

// order has it called again, by a command of its own.
func (c *crowdOnce) order(l bus.Letter) {
	c.t.Helper()
	if err := bus.Redrive(within(c.t), c.admin, "shop", l); err != nil {
		c.t.Fatal(err)
	}
}

// orders is how many calls are ordered and not made yet.
func (c *crowdOnce) orders() uint64 {
	c.t.Helper()
	const subject = "lethe.v1.dead.shop.again.r"
	s := must[jetstream.Stream](c.t)(c.js.Stream(within(c.t), "LETHE_SHOP_DEAD"))
	return must[*jetstream.StreamInfo](c.t)(s.Info(within(c.t), jetstream.WithSubjectFilter(subject))).State.Subjects[subject]
}

// receives opens a node that has the receiver.
func (c *crowdOnce) receives(tries int) {
	c.t.Helper()
	n := must[*lethe.Node](c.t)(lethe.Open(c.t.Context(), lethe.Config{Conn: c.admin, Fleet: "shop"}))
	c.t.Cleanup(func() { _ = n.Close() })
	c.nodes = []*lethe.Node{n}
	err := n.Receive("r", func(_ context.Context, e event.Event) error {
		c.calls.Add(1)
		if c.fails.Load() {
			return errGone
		}
		c.heard <- e
		return nil
	}, lethe.OncePerFleet(), lethe.WithRetry(tries, time.Millisecond))
	if err != nil {
		c.t.Fatal(err)
	}
	attached(c.t, n, "r")
}

func TestALetterThatIsRedrivenTwiceIsCalledOnceMore(t *testing.T) {
	t.Parallel()
	for name, between := range map[string]func(*crowdOnce){
		"at once":                         func(*crowdOnce) {},
		"after the server's memory of it": func(c *crowdOnce) { c.forgetIDs() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCrowdOnce(t, 1, lethe.WithRetry(1, time.Millisecond))
			c.fails.Store(true)
			c.say("poison")
			letter := c.theLetter()
			if err := c.nodes[0].Close(); err != nil { // what is ordered waits now
				t.Fatal(err)
			}
			c.order(letter)
			between(c)
			c.order(letter)
			if n := c.orders(); n != 1 {
				t.Fatalf("%d calls are ordered", n)
			}
			c.fails.Store(false)
			before := c.calls.Load()
			c.receives(1)
			if e := c.next("the letter"); e.Reason != "poison" {
				t.Errorf("%+v", e)
			}
			c.letters(0)
			c.order(letter) // it was read before the receiver succeeded
			c.gone("lethe.v1.dead.shop.again.r")
			c.say("what comes after it")
			if e := c.next("an event"); e.Reason != "what comes after it" || c.calls.Load() != before+2 {
				t.Errorf("%d calls, %+v", c.calls.Load()-before, e)
			}
		})
	}
}

// Two commands looked for what is ordered before either ordered anything.
func TestTwoOrdersOfOneMomentAreOne(t *testing.T) {
	t.Parallel()
	c := newCrowdOnce(t, 1, lethe.WithRetry(1, time.Millisecond))
	c.fails.Store(true)
	c.say("poison")
	c.say("more of it")
	var letters []bus.Letter
	until(t, "two letters", func() bool {
		letters = nil
		err := bus.Letters(within(t), c.admin, "shop", "r", 0, func(l bus.Letter) bool {
			letters = append(letters, l)
			return true
		})
		return err == nil && len(letters) == 2
	})
	if err := c.nodes[0].Close(); err != nil {
		t.Fatal(err)
	}
	one, two := bus.NewRedrives(c.admin, "shop"), bus.NewRedrives(c.admin, "shop")
	for i, l := range []bus.Letter{letters[0], letters[1], letters[1]} {
		if err := []*bus.Redrives{one, two, one}[i].Order(within(t), l); err != nil {
			t.Fatal(err)
		}
	}
	if n := c.orders(); n != 2 {
		t.Errorf("%d calls are ordered for two letters", n)
	}
}

// The server knows the order's id, and the call that was ordered has failed since.
func TestALetterWhoseCallFailedAgainIsCalledAgainWhenItIsRedrivenAnew(t *testing.T) {
	t.Parallel()
	c := newCrowdOnce(t, 1, lethe.WithRetry(2, time.Millisecond))
	c.fails.Store(true)
	c.say("poison")
	letter := c.theLetter()
	for i := range int64(3) {
		until(t, "it was tried twice", func() bool { return c.calls.Load() == 2*(i+1) })
		c.gone("lethe.v1.dead.shop.again.r")
		c.order(letter)
	}
	until(t, "it was tried twice", func() bool { return c.calls.Load() == 8 })
	c.gone("lethe.v1.dead.shop.again.r")
	c.fails.Store(false)
	c.order(letter)
	if e := c.next("the letter"); e.Reason != "poison" {
		t.Errorf("%+v", e)
	}
	c.letters(0)
}

// forgetIDs makes the server forget by which ids it knows repetitions on the stream of dead letters.
func (c *crowdOnce) forgetIDs() {
	c.t.Helper()
	s := must[jetstream.Stream](c.t)(c.js.Stream(within(c.t), "LETHE_SHOP_DEAD"))
	cfg := s.CachedInfo().Config
	cfg.Duplicates = 100 * time.Millisecond
	must[jetstream.Stream](c.t)(c.js.UpdateStream(within(c.t), cfg))
	probe := func() *jetstream.PubAck {
		m := &nats.Msg{Subject: "lethe.v1.dead.shop.probe", Data: []byte("{}"), Header: nats.Header{"Nats-Msg-Id": {"probe"}}}
		return must[*jetstream.PubAck](c.t)(c.js.PublishMsg(within(c.t), m))
	}
	probe()
	until(c.t, "an id is forgotten", func() bool { return !probe().Duplicate })
}
