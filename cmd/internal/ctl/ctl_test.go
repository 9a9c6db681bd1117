package ctl

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"github.com/lethe-cache/lethe/pkg/embedded"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serving starts nodes of these names, each answering on a connection of its own, and returns another connection.
func serving(t *testing.T, names ...string) *nats.Conn {
	t.Helper()
	server, err := embedded.Start(t.Context(), embedded.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	connect := func() *nats.Conn {
		nc, err := server.Connect(nats.MaxReconnects(-1))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(nc.Close)
		return nc
	}
	for _, name := range names {
		nc := connect()
		node, err := lethe.Open(t.Context(), lethe.Config{Conn: nc, Fleet: "shop", Name: name})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = node.Close() })
		stop, err := Serve(nc, node)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = stop() })
		if err := node.Ready(within(t, patience)); err != nil {
			t.Fatal(err)
		}
	}
	return connect()
}

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func TestEveryNodeAnswersAndOneByItsName(t *testing.T) {
	t.Parallel()
	names := []string{"web-1", "web_2", "WEB"}
	nc := serving(t, names...)
	answers, err := Ask(within(t, patience), nc, "shop", GetStatus, "", nil)
	if err != nil || len(answers) != len(names) {
		t.Fatalf("%d answers, %v", len(answers), err)
	}
	for _, name := range names {
		answers, err := Ask(within(t, patience), nc, "shop", GetStatus, name, nil)
		if err != nil || len(answers) != 1 || answers[0].Err != nil {
			t.Fatalf("%s: %+v, %v", name, answers, err)
		}
		var s Status
		if err := json.Unmarshal(answers[0].Data, &s); err != nil || s.Node != name || s.Fleet != "shop" {
			t.Errorf("%s: %s, %v", name, answers[0].Data, err)
		}
	}
}

func TestAnyNameIsOneTokenOfItsOwn(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"web_2":  "lethe.v1.ctl.shop.status.web_2",
		"_all":   "lethe.v1.ctl.shop.status.%5Fall",
		"":       "lethe.v1.ctl.shop.status._all",
		"a.b *>": "lethe.v1.ctl.shop.status.a%2Eb%20%2A%3E",
		"ü%":     "lethe.v1.ctl.shop.status.%C3%BC%25",
	} {
		if got := Subject("shop", GetStatus, name); got != want {
			t.Errorf("%q: %s, want %s", name, got, want)
		}
	}
}

func TestABadQuestionIsAnsweredWithItsError(t *testing.T) {
	t.Parallel()
	nc := serving(t, "one")
	all, err := json.Marshal(event.All())
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{"", "nonsense", `{"tag":1}`, string(all)} {
		answers, err := Ask(within(t, patience), nc, "shop", Explain, "one", []byte(body))
		if err != nil || len(answers) != 1 || answers[0].Err == nil {
			t.Errorf("%q: %+v, %v", body, answers, err)
		}
	}
}

// What a node answers is published with the node's rights. Were it to answer anywhere, who may only ask could have it say
// on the fleet's log that everything is to be forgotten.
func TestAnAnswerGoesToAnInboxOrNowhere(t *testing.T) {
	t.Parallel()
	nc := serving(t, "one")
	body, err := json.Marshal(event.Key("catalog.price", "a"))
	if err != nil {
		t.Fatal(err)
	}
	for _, reply := range []string{
		"lethe.v1.log.shop.all", "lethe.v1.live.shop.all", "lethe.v1.log.shop._sys.lost", "lethe.v1.ctl.shop.presence.one",
		"$JS.API.STREAM.PURGE.LETHE_SHOP", "$JS.API.STREAM.DELETE.LETHE_SHOP",
	} {
		said, err := nc.SubscribeSync(reply)
		if err != nil {
			t.Fatal(err)
		}
		for _, what := range []string{Explain, GetStatus} {
			for _, node := range []string{"", "one"} {
				for _, data := range [][]byte{body, []byte("nonsense")} {
					if err := nc.PublishRequest(Subject("shop", what, node), reply, data); err != nil {
						t.Fatal(err)
					}
				}
				// Requests of one subject are answered in their order, so what was said would be here first.
				if answers, err := Ask(within(t, patience), nc, "shop", what, node, body, "one"); err != nil || len(answers) != 1 {
					t.Fatalf("a request that has an inbox: %d answers, %v", len(answers), err)
				}
			}
		}
		if n, _, err := said.Pending(); err != nil || n != 0 {
			t.Errorf("%d answers were said on %s, %v", n, reply, err)
		}
		if err := said.Unsubscribe(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAskingEndsWhenAllThatAreKnownHaveAnswered(t *testing.T) {
	t.Parallel()
	nc := serving(t, "a", "b", "c")
	answers, err := Ask(within(t, patience), nc, "shop", GetStatus, "", nil, "a", "b", "c")
	if err != nil || len(answers) != 3 || len(Missing(answers, []string{"c", "b", "a"})) != 0 {
		t.Fatalf("%d answers, %v", len(answers), err)
	}
	begun := time.Now()
	answers, err = Ask(within(t, patience), nc, "shop", GetStatus, "", nil, "a", "b", "c", "c", "gone")
	if err != nil || len(answers) != 3 || time.Since(begun) > patience/2 {
		t.Fatalf("%d answers, %v", len(answers), err)
	}
	if left := Missing(answers, []string{"a", "b", "c", "c", "gone"}); !slices.Equal(left, []string{"c", "gone"}) {
		t.Errorf("missing %q: two processes may have one name", left)
	}
}

func TestWhoAsksTheFleetHearsWhoIsSilent(t *testing.T) {
	t.Parallel()
	nc := serving(t, "a")
	// A node that answers no such requests, as any service that only uses the library.
	quiet, err := lethe.Open(t.Context(), lethe.Config{Conn: nc, Fleet: "shop", Name: "service"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = quiet.Close() })
	if err := quiet.Ready(within(t, patience)); err != nil {
		t.Fatal(err)
	}
	x, err := ExplainAll(within(t, patience), nc, quiet, event.Key("catalog.price", "a"))
	if err != nil || len(x.Nodes) != 1 || x.Nodes[0].Node != "a" || !slices.Equal(x.Silent, []string{"service"}) {
		t.Fatalf("%+v, %v", x, err)
	}
	why, err := quiet.Explain(t.Context(), event.Key("catalog.price", "a"))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // said again it changes nothing
		x.Add(why)
		if len(x.Nodes) != 2 || x.Nodes[1].Node != "service" || len(x.Silent) != 0 {
			t.Errorf("with its own word: %+v", x)
		}
	}
}

func TestAMemberIsAsFarBehindAsAnybodyOfItsEpochKnows(t *testing.T) {
	t.Parallel()
	node := func(name, epoch string, cursor, last uint64, seen time.Duration) lethe.NodeStatus {
		return lethe.NodeStatus{Status: lethe.Status{State: lethe.Expired, Fleet: "shop", Name: name, Epoch: epoch, Cursor: cursor, Last: last}, Seen: seen}
	}
	nodes := []lethe.NodeStatus{
		node("a", "x", 10, 12, 0), node("b", "x", 15, 15, 0), node("c", "x", 3, 3, time.Second), node("d", "old", 90, 99, 0), node("e", "", 0, 0, time.Minute),
	}
	for i, want := range []struct {
		behind uint64
		state  string
		known  bool
	}{{5, "expired", true}, {0, "expired", true}, {12, Silent, true}, {9, "expired", true}, {0, Silent, false}} {
		if m := Members(nodes)[i]; m.Behind != want.behind || m.State != want.state || m.Position.IsZero() == want.known {
			t.Errorf("%s: behind %d, %s, position %q", m.Node, m.Behind, m.State, m.Position)
		}
	}
	// Who does not answer and can't serve anything older has as good as applied it: that is not the same as being waited for.
	r := ReportOf(lethe.Report{Applied: nodes[4:], Pending: nodes[2:3]})
	if r.Applied[0].State != "expired" || r.Pending[0].State != Silent {
		t.Errorf("%+v", r)
	}
}

func TestNobodyThereIsSaidAtOnce(t *testing.T) {
	t.Parallel()
	nc := serving(t)
	begin := time.Now()
	if _, err := Ask(within(t, patience), nc, "shop", GetStatus, "", nil); !errors.Is(err, ErrNoNode) || time.Since(begin) > patience/2 {
		t.Errorf("after %v: %v", time.Since(begin), err)
	}
	// Somebody listens, but never answers.
	sub, err := nc.SubscribeSync(Subject("shop", GetStatus, ""))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	if _, err := Ask(within(t, 50*time.Millisecond), nc, "shop", GetStatus, "", nil); !errors.Is(err, ErrNoNode) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestAMemberThatFellSilentForGoodIsGoneAndNotSilent(t *testing.T) {
	t.Parallel()
	current := lethe.Status{State: lethe.Current, Since: time.Minute}
	all := Members([]lethe.NodeStatus{
		{Status: current}, {Status: current, Seen: 3 * time.Second}, {Status: current, Seen: time.Minute, Gone: true},
	})
	for i, want := range []string{"current", Silent, Gone} {
		if all[i].State != want || (all[i].SinceMs > 0) != (i == 0) {
			t.Errorf("member %d is %q, for %d ms; want %q", i, all[i].State, all[i].SinceMs, want)
		}
	}
}
