package ctl

import (
	"context"
	"encoding/json"
	"errors"
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
		if err := node.Ready(within(t, 20*time.Second)); err != nil {
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
	answers, err := Ask(within(t, 20*time.Second), nc, "shop", GetStatus, "", nil)
	if err != nil || len(answers) != len(names) {
		t.Fatalf("%d answers, %v", len(answers), err)
	}
	for _, name := range names {
		answers, err := Ask(within(t, 20*time.Second), nc, "shop", GetStatus, name, nil)
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
		answers, err := Ask(within(t, 20*time.Second), nc, "shop", Explain, "one", []byte(body))
		if err != nil || len(answers) != 1 || answers[0].Err == nil {
			t.Errorf("%q: %+v, %v", body, answers, err)
		}
	}
}

func TestNobodyThereIsSaidAtOnce(t *testing.T) {
	t.Parallel()
	nc := serving(t)
	begin := time.Now()
	if _, err := Ask(within(t, 20*time.Second), nc, "shop", GetStatus, "", nil); !errors.Is(err, ErrNoNode) || time.Since(begin) > 10*time.Second {
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
