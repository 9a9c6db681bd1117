package bus_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/lethe-cache/lethe/internal/bus"
	"github.com/lethe-cache/lethe/pkg/event"
)

// says waits until Ready says all of words.
func says(t *testing.T, n *node, words ...string) {
	t.Helper()
	eventually(t, "Ready says: "+strings.Join(words, ", "), func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		err := n.Ready(ctx)
		for _, w := range words {
			if err == nil || !errors.Is(err, bus.ErrNotReady) || !strings.Contains(err.Error(), w) {
				return false
			}
		}
		return true
	})
}

func cameLive(n *node, target string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, d := range n.applied {
		for _, t := range d.Targets {
			if d.Live && t.String() == event.Tag(target).String() {
				return true
			}
		}
	}
	return false
}

// An operator removes it, its server dies, nobody tells the node: it hears nothing, and until it notices, it asks.
func TestAConsumerThatIsGoneIsMadeAnewAndNothingIsMissedMeanwhile(t *testing.T) {
	t.Parallel()
	nodes := consumed.fleet(t, 2)
	admin := nodes[0].nc
	names := consumerNames(t, admin)
	for _, name := range names {
		if _, err := admin.Request("$JS.API.CONSUMER.DELETE."+event.StreamName(fleet)+"."+name, nil, patience); err != nil {
			t.Fatal(err)
		}
	}
	wait(t, invalidate(t, nodes[0], "a:1"), nodes...)
	if nodes[1].forgot("a:1") == 0 || cameLive(nodes[1], "a:1") {
		t.Errorf("applied %d times, live %v", nodes[1].forgot("a:1"), cameLive(nodes[1], "a:1"))
	}
	eventually(t, "there is a consumer for each again", func() bool {
		if !nodes[1].leased() {
			t.Error("the lease lapsed while there was no consumer")
		}
		return consumers(t, admin) == 2
	})
	ready(t, nodes...)
	eventually(t, "events come live again", func() bool {
		wait(t, invalidate(t, nodes[0], "b:1"), nodes...)
		return cameLive(nodes[1], "b:1")
	})
	if len(nodes[1].causes()) != 1 {
		t.Errorf("resets %v", nodes[1].causes())
	}
}

func consumerNames(t *testing.T, nc *nats.Conn) []string {
	t.Helper()
	answer, err := nc.Request("$JS.API.CONSUMER.NAMES."+event.StreamName(fleet), nil, patience)
	if err != nil {
		t.Fatal(err)
	}
	var body struct{ Consumers []string }
	if err := json.Unmarshal(answer.Data, &body); err != nil {
		t.Fatal(err)
	}
	if len(body.Consumers) == 0 {
		t.Fatal("there are no consumers")
	}
	return body.Consumers
}

func TestBothWaysFollowOneStream(t *testing.T) {
	t.Parallel()
	srv := serve(t)
	by := consumed.open(t, connect(t, srv))
	ready(t, by)
	if info, err := bus.Inspect(t.Context(), by.nc, fleet); err != nil || info.Config.RePublish != nil {
		t.Errorf("a stream for consumers republishes %+v, %v", info.Config.RePublish, err)
	}
	epoch := by.Status().Epoch
	re := republished.open(t, connect(t, srv)) // it needs more of the stream, and sees to it
	ready(t, re)
	for _, from := range []*node{by, re} {
		name := "check:" + event.NewID()
		wait(t, invalidate(t, from, name), by, re)
		for i, n := range []*node{by, re} {
			if n.forgot(name) != 1 {
				t.Errorf("node %d applied it %d times", i, n.forgot(name))
			}
		}
	}
	if got := re.Status().Epoch; got != epoch {
		t.Errorf("epoch %s, was %s", got, epoch)
	}
	again := consumed.open(t, connect(t, srv)) // and who needs less leaves it as it is
	ready(t, again)
	if info, err := bus.Inspect(t.Context(), by.nc, fleet); err != nil || info.Config.RePublish == nil || len(info.Problems) != 0 {
		t.Errorf("it republishes %+v, problems %v, %v", info.Config.RePublish, info.Problems, err)
	}
}

func TestAStreamThatDoesNotRepublishIsGoodForConsumersAndPublishersOnly(t *testing.T) {
	t.Parallel()
	srv := serve(t)
	admin := connect(t, srv)
	s := external(t, admin, consumed.stream)
	by := consumed.open(t, connect(t, srv), asExternal)
	p := open(t, connect(t, srv), func(c *bus.Config) { c.PublishOnly = true }) // it may change the stream, and need not
	ready(t, by, p)
	wait(t, invalidate(t, p, "a:1"), by)
	if by.forgot("a:1") != 1 {
		t.Errorf("applied %d times", by.forgot("a:1"))
	}
	re := republished.open(t, connect(t, srv), asExternal)
	says(t, re, "republish is missing", "ordered consumer")
	if info, err := s.Info(t.Context()); err != nil || info.Config.RePublish != nil {
		t.Errorf("the stream was changed: %+v, %v", info.Config.RePublish, err)
	}
}

func TestAConsumerNeedsItsStreamWhichOnlyAnOperatorMayMake(t *testing.T) {
	t.Parallel()
	srv := serve(t)
	n := consumed.open(t, connect(t, srv), asExternal)
	says(t, n, "no stream", "stream init")
	external(t, connect(t, srv), consumed.stream)
	ready(t, n)
}

func TestTooManyConsumersAreSaid(t *testing.T) {
	t.Parallel()
	srv := serve(t)
	external(t, connect(t, srv), consumed.stream, func(c *jetstream.StreamConfig) { c.MaxConsumers = 1 })
	first := consumed.open(t, connect(t, srv), asExternal)
	ready(t, first)
	second := consumed.open(t, connect(t, srv), asExternal)
	says(t, second, "max_consumers")
	if second.leased() {
		t.Error("a node without a feed has a lease")
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	ready(t, second)
}

func TestAMissingPermissionForConsumersIsNamed(t *testing.T) {
	t.Parallel()
	stream := event.StreamName(fleet)
	admin, user := guarded(t, &server.Permissions{
		Publish: &server.SubjectPermission{Allow: []string{
			"$JS.API.STREAM.INFO." + stream, "$JS.API.DIRECT.GET." + stream, event.LogSubject(fleet, ">"),
		}},
		Subscribe: &server.SubjectPermission{Allow: []string{"_INBOX.>"}},
	})
	external(t, admin, consumed.stream)
	n := consumed.open(t, user, asExternal)
	says(t, n, "permission", "$JS.API.CONSUMER.CREATE."+stream)
	if n.leased() {
		t.Error("a node without a feed has a lease")
	}
}

// Servers have two forms of the subjects that a consumer uses, and the newer one will be the default some day.
func TestAConsumerNeedsThreePermissionsMoreAndNoSubscription(t *testing.T) {
	t.Parallel()
	stream := event.StreamName(fleet)
	for _, c := range []struct {
		name, flow string
		change     func(*server.Options)
	}{
		{"first form", "$JS.FC." + stream + ".>", func(*server.Options) {}},
		{"second form", "$JS.FC.*.*." + stream + ".>", func(o *server.Options) {
			o.FeatureFlags = map[string]bool{server.FeatureFlagJsAckFormatV2: true}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			admin, user := guarded(t, &server.Permissions{
				Publish: &server.SubjectPermission{Allow: []string{
					"$JS.API.STREAM.INFO." + stream, "$JS.API.DIRECT.GET." + stream, event.LogSubject(fleet, ">"),
					"$JS.API.CONSUMER.CREATE." + stream + ".*", "$JS.API.CONSUMER.DELETE." + stream + ".*", c.flow,
				}},
				Subscribe: &server.SubjectPermission{Allow: []string{"_INBOX.>"}},
			}, c.change)
			refused := make(chan error, 16)
			user.SetErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
				select {
				case refused <- err:
				default:
				}
			})
			external(t, admin, consumed.stream)
			n := consumed.open(t, user, asExternal)
			ready(t, n)
			const events = 200 // enough for flow control
			for i := range events {
				publishRaw(t, admin, &nats.Msg{Subject: event.LogSubject(fleet, "tag.item"), Data: padded(tag(i), 50_000)})
			}
			wait(t, invalidate(t, n, "last:1"), n)
			comesLive(t, n, n) // a slow consumer is overtaken by what asks
			if err := n.Close(); err != nil {
				t.Fatal(err)
			}
			if got := consumers(t, admin); got != 0 {
				t.Errorf("%d consumers are left", got)
			}
			select {
			case err := <-refused:
				t.Errorf("refused: %v", err)
			default:
			}
		})
	}
}
