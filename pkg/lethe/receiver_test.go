package lethe_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
	"github.com/lethe-cache/lethe/pkg/lethe/lethetest"
)

// hear registers a receiver that sends what it hears to a channel.
func hear(t *testing.T, n *lethe.Node, name string, opts ...lethe.ReceiveOption) <-chan event.Event {
	t.Helper()
	ch := make(chan event.Event, 10_000)
	err := n.Receive(name, func(_ context.Context, e event.Event) error { ch <- e; return nil }, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return ch
}

func TestAReceiverHearsEveryEventOnceInOrderAfterItWasApplied(t *testing.T) {
	t.Parallel()
	nodes := lethetest.Fleet(t, 2)
	b := newBook()
	f := lethe.Memoize(nodes[0], "f", b.load)
	must[int](t)(f.Get(t.Context(), "k"))
	applied := make(chan bool, 1)
	if err := nodes[0].Receive("first", func(ctx context.Context, _ event.Event) error {
		_, ok := f.Peek(ctx, "k")
		select {
		case applied <- !ok:
		default:
		}
		return nil
	}, lethe.ForFunctions("f")); err != nil {
		t.Fatal(err)
	}
	mine, far := hear(t, nodes[0], "all"), hear(t, nodes[1], "all")
	ctx := event.WithReason(event.WithActor(t.Context(), "user", "ann"), "prices")
	var toks []event.Token
	for i := range 50 {
		by := nodes[i%2]
		tok := must[event.Token](t)(by.Invalidate(ctx, event.Key("f", []string{"k", fmt.Sprint(i)}[min(i, 1)])))
		toks = append(toks, tok)
	}
	for _, ch := range []<-chan event.Event{mine, far} { // its own events as well
		for i, tok := range toks {
			e := take(t, "an event", ch)
			if e.Token != tok || e.Type != event.TypeInvalidated || e.Reason != "prices" || e.ActorID != "ann" || len(e.Targets) != 1 || e.Targets[0].Name() != "f" {
				t.Fatalf("event %d: %+v; want token %v", i, e, tok)
			}
		}
	}
	if !take(t, "the first receiver ran", applied) {
		t.Fatal("it ran before the event was applied")
	}
	lethetest.WaitAll(t, toks[len(toks)-1], nodes...)
	if len(mine)+len(far) != 0 {
		t.Fatal("an event was heard twice")
	}
}

func TestFiltersLetThroughWhatTheyName(t *testing.T) {
	t.Parallel()
	n := one(t)
	heard := map[string]<-chan event.Event{}
	for name, opts := range map[string][]lethe.ReceiveOption{
		"everything": nil,
		"price":      {lethe.ForFunctions("catalog.price")},
		"catalog":    {lethe.ForFunctions("catalog.>")},
		"users":      {lethe.ForTags("user", "team")},
		"either":     {lethe.ForTags("user"), lethe.ForFunctions("other")},
		"bots":       {lethe.ForKinds("Chatbot")},
		"applied":    {lethe.ForTypes(event.TypeManifestApplied)},
		"plain":      {lethe.ForTypes(event.TypeInvalidated), lethe.ForTags("user")},
	} {
		heard[name] = hear(t, n, name, opts...)
	}
	want := map[string][]string{}
	say := func(what string, e event.Event, by ...string) {
		t.Helper()
		e.Source, e.Reason = "/test", what
		tok := must[event.Token](t)(n.Publish(t.Context(), e))
		lethetest.WaitAll(t, tok, n)
		for _, r := range append(by, "everything") {
			want[r] = append(want[r], what)
		}
	}
	plain := func(ts ...event.Target) event.Event { return event.Event{Targets: ts} }
	say("price", plain(event.Key("catalog.price", "x")), "price", "catalog")
	say("stock", plain(event.Function("catalog.stock")), "catalog")
	say("catalogue", plain(event.Function("catalogue.x")))
	say("user", plain(event.Tag("user:1")), "users", "either", "plain")
	say("users", plain(event.TagPrefix("user:")), "users", "either", "plain")
	say("team", plain(event.Tag("team:1")), "users")
	say("other", plain(event.Key("other")), "either")
	say("all", plain(event.All()), "price", "catalog", "users", "either", "bots", "plain")
	say("bot", event.Event{
		Type:     event.TypeManifestApplied,
		Manifest: &event.Manifest{APIVersion: "a/v1", Kind: "Chatbot", Namespace: "acme", Name: "helper", Action: "created"},
		Targets:  []event.Target{event.Tag("chatbot:acme/helper")},
	}, "bots", "applied")
	for name, ch := range heard {
		var got []string
		for range want[name] {
			got = append(got, take(t, name, ch).Reason)
		}
		if !slices.Equal(got, want[name]) || len(ch) > 0 {
			t.Errorf("%s heard %q and %d more, want %q", name, got, len(ch), want[name])
		}
	}
}

func TestAReceiverThatPanicsOrFailsHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	n := one(t)
	var bad atomic.Int64
	if err := n.Receive("panics", func(context.Context, event.Event) error { bad.Add(1); panic("receiver") }); err != nil {
		t.Fatal(err)
	}
	if err := n.Receive("fails", func(context.Context, event.Event) error { bad.Add(1); return errGone }); err != nil {
		t.Fatal(err)
	}
	good := hear(t, n, "good")
	for range 3 {
		applied(t, []event.Target{event.Tag("a:b")}, n)
		take(t, "the good one hears", good)
	}
	until(t, "the others have run", func() bool {
		return metric(t, n, "lethe_receiver_runs_total", "receiver", "panics", "result", "panic") == 3 &&
			metric(t, n, "lethe_receiver_runs_total", "receiver", "fails", "result", "error") == 3 &&
			metric(t, n, "lethe_receiver_runs_total", "receiver", "good", "result", "ok") == 3
	})
	if bad.Load() != 6 {
		t.Fatalf("%d runs: without WithRetry each event is tried once", bad.Load())
	}
}

func TestARetriedReceiverIsCalledUntilItSucceedsOrItsTriesAreSpent(t *testing.T) {
	t.Parallel()
	n := one(t)
	var tries []string
	done := make(chan struct{}, 10)
	if err := n.Receive("r", func(_ context.Context, e event.Event) error {
		tries = append(tries, e.Reason)
		if e.Reason == "second" && len(tries) == 2 {
			done <- struct{}{}
			return nil
		}
		if len(tries) == 5 {
			defer func() { done <- struct{}{} }()
		}
		return errGone
	}, lethe.WithRetry(3, time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	must[event.Token](t)(n.Invalidate(event.WithReason(t.Context(), "second"), event.Tag("a:b")))
	take(t, "the second try", done)
	must[event.Token](t)(n.Invalidate(event.WithReason(t.Context(), "never"), event.Tag("a:b")))
	take(t, "the third try", done)
	if want := []string{"second", "second", "never", "never", "never"}; !slices.Equal(tries, want) {
		t.Fatalf("tried %q, want %q", tries, want)
	}
}

func TestAReceiverThatFallsBehindGetsOneEventThatNamesEverything(t *testing.T) {
	t.Parallel()
	n, d := one(t), newDoor(t)
	heard := make(chan event.Event, 100)
	if err := n.Receive("slow", func(_ context.Context, e event.Event) error {
		d.pass()
		heard <- e
		return nil
	}, lethe.WithQueue(3), lethe.ForTags("a")); err != nil {
		t.Fatal(err)
	}
	other := hear(t, n, "other")
	for range 20 {
		applied(t, []event.Target{event.Tag("a:b")}, n)
	}
	for range 20 {
		take(t, "another receiver is not held up", other)
	}
	d.unlock()
	var lagged int
	for lagged == 0 {
		if e := take(t, "an event", heard); e.Type == event.TypeLagged {
			lagged++
			if len(e.Targets) != 1 || e.Targets[0] != event.All() {
				t.Fatalf("%+v", e)
			}
		}
	}
	tok := applied(t, []event.Target{event.Tag("a:after")}, n)
	if e := take(t, "what came after", heard); e.Token != tok {
		t.Fatalf("%+v; one TypeLagged is enough", e)
	}
	lethe.FallBehind(n)
	if e := take(t, "it hears that it missed something", other); e.Type != event.TypeInvalidated { // a:after
		t.Fatalf("%+v", e)
	}
	if e := take(t, "it hears that it missed something", other); e.Type != event.TypeLagged {
		t.Fatalf("%+v", e)
	}
}

func TestReceiveRefusesWhatCannotWork(t *testing.T) {
	t.Parallel()
	n := one(t)
	fn := func(context.Context, event.Event) error { return nil }
	if err := n.Receive("twice", fn); err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{
		"twice":             n.Receive("twice", fn),
		"empty":             n.Receive("", fn),
		"no UTF-8":          n.Receive("\xff", fn),
		"long":              n.Receive(strings.Repeat("x", 129), fn),
		"nil":               n.Receive("nil", nil),
		"WithQueue":         n.Receive("q", fn, lethe.WithQueue(0)),
		"WithRetry":         n.Receive("t", fn, lethe.WithRetry(0, 0)),
		"WithRetry backoff": n.Receive("t", fn, lethe.WithRetry(2, -1)),
	} {
		var e *lethe.Error
		if !errors.As(err, &e) || e.Op != "receive" {
			t.Errorf("%s: %v", what, err)
		}
	}
	if got := metric(t, n, "lethe_receiver_runs_total", "receiver", "q"); got != 0 {
		t.Fatal("a refused receiver is there")
	}
}

func TestAnEventThatTheStreamHasTwiceIsHeardOnce(t *testing.T) {
	t.Parallel()
	n, nc := wire(t)
	heard := hear(t, n, "r")
	id := event.NewID()
	msg := must[event.Message](t)(event.Encode("shop", event.Event{ID: id, Source: "/x", Targets: []event.Target{event.Tag("a:b")}}))
	for range 2 { // without a Nats-Msg-Id, as a retried publish is stored
		publish(t, n, nc, msg)
	}
	tok := applied(t, []event.Target{event.Tag("a:after")}, n)
	if e := take(t, "the event", heard); e.ID != id {
		t.Fatalf("%+v", e)
	}
	if e := take(t, "the next", heard); e.Token != tok {
		t.Fatalf("%+v", e)
	}
}

func TestATracedWriteIsLinkedAndTravelsUnchanged(t *testing.T) {
	t.Parallel()
	n := one(t)
	heard := hear(t, n, "r")
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	tok := must[event.Token](t)(n.Publish(t.Context(), event.Event{
		Source: "/x", Targets: []event.Target{event.Tag("a:b")}, Extensions: map[string]string{"traceparent": parent, "causationid": "7"},
	}))
	e := take(t, "the event", heard)
	if e.Token != tok || e.Extensions["traceparent"] != parent || e.Extensions["causationid"] != "7" {
		t.Fatalf("%+v", e)
	}
}
