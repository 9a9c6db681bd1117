package access

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/lethe-cache/lethe/cmd/internal/ctl"
	"github.com/lethe-cache/lethe/cmd/internal/tail"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

// silent fails when the server has refused anything.
func silent(t *testing.T, conns ...*conn) {
	t.Helper()
	for _, c := range conns {
		if no := c.refused(t); len(no) > 0 {
			t.Errorf("refused: %q", no)
		}
	}
}

func TestAWatcherSeesWhatIsKeptAndWhatComes(t *testing.T) {
	t.Parallel()
	c, users := newCrew(t)
	url := serve(t, users...)
	n := join(t, login(t, url, c.node), lethe.Config{Name: c.node.Name}).ready()
	n.say(event.Tag("user:1"))
	nc := login(t, url, c.watcher)
	seen, came, done := 0, false, errors.New("seen both")
	err := tail.Follow(within(t, patience), nc.Conn, func(ctx context.Context) (tail.Stream, error) { return tail.Inspect(ctx, nc.Conn, "shop") },
		tail.Options{Since: time.Now().Add(-time.Hour)}, func(m tail.Message) error {
			if m.Sys != "" {
				return nil
			}
			seen++
			if seen == 1 {
				n.say(event.Tag("user:2"))
				came = true
				return nil
			}
			return done
		})
	if !errors.Is(err, done) || !came {
		t.Errorf("%d events: %v", seen, err)
	}
	silent(t, nc)
}

func TestNodesAnswerAdminsAndEachOtherAndNobodyElseHears(t *testing.T) {
	t.Parallel()
	c, users := newCrew(t)
	url := serve(t, users...)
	first, second, admin := login(t, url, c.node), login(t, url, c.other), login(t, url, c.admin)
	n := join(t, first, lethe.Config{Name: c.node.Name}).ready()
	join(t, second, lethe.Config{Name: c.other.Name, ExternalStream: true}).ready()
	n.fill()
	question, err := json.Marshal(price.Key("42"))
	if err != nil {
		t.Fatal(err)
	}
	for _, nc := range []*conn{admin, first} {
		for what, body := range map[string][]byte{ctl.GetStatus: nil, ctl.Explain: question} {
			ctx := within(t, patience)
			answers, err := ctl.Ask(ctx, nc.Conn, "shop", what, "", body)
			for err == nil && len(answers) < 2 { // a node took longer than one waits after an answer
				answers, err = ctl.Ask(ctx, nc.Conn, "shop", what, "", body)
			}
			if err != nil || len(answers) != 2 || answers[0].Err != nil || answers[1].Err != nil {
				t.Errorf("%s: %d answers, %v", what, len(answers), err)
			}
		}
	}
	inbox, err := admin.SubscribeSync(admin.NewRespInbox())
	if err != nil {
		t.Fatal(err)
	}
	if err := admin.PublishRequest("$SRV.PING.lethe-node", inbox.Subject, nil); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := inbox.NextMsg(patience); err != nil {
			t.Errorf("nats micro ls: %v", err)
		}
	}
	silent(t, first, second, admin)
}

// A Barrier's question reaches every node, and every node may answer it more than once, into the account that asked.
func TestEveryNodeHearsABarrierAndMayAnswerIt(t *testing.T) {
	t.Parallel()
	c, users := newCrew(t)
	url := serve(t, users...)
	nodes := []*conn{login(t, url, c.node), login(t, url, c.other)}
	for _, nc := range nodes {
		_, err := nc.Subscribe("lethe.v1.ctl.shop.barrier", func(m *nats.Msg) {
			for range 10 {
				_ = m.Respond([]byte("{}"))
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := nc.FlushTimeout(patience); err != nil {
			t.Fatal(err)
		}
	}
	for _, u := range []User{c.team, c.all, c.admin, c.node} {
		nc := login(t, url, u)
		inbox, err := nc.SubscribeSync(nc.NewRespInbox())
		if err != nil {
			t.Fatal(err)
		}
		for range 3 { // it asks again under the same inbox
			if err := nc.PublishRequest("lethe.v1.ctl.shop.barrier", inbox.Subject, []byte("{}")); err != nil {
				t.Fatal(err)
			}
			for i := range 20 {
				if _, err := inbox.NextMsg(patience); err != nil {
					t.Fatalf("%s: answer %d: %v", u.Name, i, err)
				}
			}
		}
		silent(t, nc)
	}
	silent(t, nodes...)
}

func TestANodeSpeaksOfItselfAndHearsOfAll(t *testing.T) {
	t.Parallel()
	c, users := newCrew(t)
	url := serve(t, users...)
	one, two := login(t, url, c.node), login(t, url, c.other)
	heard, err := two.SubscribeSync("lethe.v1.ctl.shop.presence.*")
	if err != nil {
		t.Fatal(err)
	}
	silent(t, two)
	if err := one.Publish("lethe.v1.ctl.shop.presence.web-1", []byte("{}")); err != nil {
		t.Fatal(err)
	}
	if _, err := heard.NextMsg(patience); err != nil {
		t.Error(err)
	}
	one.mayNot(t, "lethe.v1.ctl.shop.presence.web-2")
	two.mayNot(t, "lethe.v1.ctl.shop.presence.web-1")
}

func TestConsumersAreForNodesThatAreSaidToNeedThem(t *testing.T) {
	t.Parallel()
	feed := of(t, Options{Role: Node, Name: "feed", OrderedFeed: true})
	once := of(t, Options{Role: Node, Name: "once", Receivers: true})
	admin := of(t, Options{Role: Admin})
	url := serve(t, feed, once, admin)
	f, o, a := login(t, url, feed), login(t, url, once), login(t, url, admin)
	n := join(t, f, lethe.Config{Name: "feed", OrderedConsumer: true}).ready()
	n.fill()
	n.lost("heard by a consumer", n.say(price.Key("42")), n.price)

	// A durable consumer, acknowledged, and a dead letter.
	js, err := jetstream.New(o.Conn)
	if err != nil {
		t.Fatal(err)
	}
	ctx := within(t, patience)
	r, err := js.CreateOrUpdateConsumer(ctx, "LETHE_SHOP", jetstream.ConsumerConfig{Durable: "mail", AckPolicy: jetstream.AckExplicitPolicy})
	if err != nil {
		t.Fatal(err)
	}
	got, err := r.Fetch(1)
	if err != nil {
		t.Fatal(err)
	}
	for m := range got.Messages() {
		if err := m.DoubleAck(ctx); err != nil {
			t.Error(err)
		}
	}
	if _, err := r.Info(ctx); err != nil {
		t.Error(err)
	}
	dead := jetstream.StreamConfig{Name: "LETHE_SHOP_DEAD", Subjects: []string{"lethe.v1.dead.shop.>"}, AllowDirect: true}
	if _, err := js.CreateOrUpdateStream(ctx, dead); err != nil {
		t.Error(err)
	}
	if _, err := js.Publish(ctx, "lethe.v1.dead.shop.mail", []byte("{}")); err != nil {
		t.Error(err)
	}

	// An admin sees them, and removes them.
	ajs, err := jetstream.New(a.Conn)
	if err != nil {
		t.Fatal(err)
	}
	s, err := ajs.Stream(ctx, "LETHE_SHOP")
	if err != nil {
		t.Fatal(err)
	}
	names := 0
	for range s.ConsumerNames(ctx).Name() {
		names++
	}
	if err := s.DeleteConsumer(ctx, "mail"); err != nil || names != 2 {
		t.Errorf("%d consumers, %v", names, err)
	}
	d, err := ajs.Stream(ctx, "LETHE_SHOP_DEAD")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.GetMsg(ctx, 1); err != nil {
		t.Error(err)
	}
	if err := d.DeleteMsg(ctx, 1); err != nil {
		t.Error(err)
	}
	if _, err := ajs.AccountInfo(ctx); err != nil {
		t.Error(err)
	}
	silent(t, f, o, a)
}
