package bus_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.opentelemetry.io/otel/trace"

	"github.com/lethe-cache/lethe/internal/bus"
	"github.com/lethe-cache/lethe/pkg/event"
)

func publishRaw(t *testing.T, nc *nats.Conn, m *nats.Msg) {
	t.Helper()
	if err := nc.PublishMsg(m); err != nil {
		t.Fatal(err)
	}
	if err := nc.FlushTimeout(patience); err != nil {
		t.Fatal(err)
	}
}

func raw(tag string) []byte {
	return fmt.Appendf(nil, `{"specversion":"1.0","id":"1","source":"/cli","type":"dev.lethe.invalidated.v1",`+
		`"datacontenttype":"application/json","data":{"targets":[{"tag":%q}]}}`, tag)
}

func aProgramThatOnlyKnowsNATSIsApplied(t *testing.T, w way) {
	nodes := w.fleet(t, 2)
	publishRaw(t, nodes[0].nc, &nats.Msg{Subject: event.LogSubject(fleet, "tag.user"), Data: raw("user:42")})
	publishRaw(t, nodes[0].nc, &nats.Msg{Subject: event.LogSubject(fleet, "tag.user"), Data: raw("user:43")}) // the same id
	for _, n := range nodes {
		eventually(t, "both applied", func() bool { return n.forgot("user:42") == 1 && n.forgot("user:43") == 1 })
	}
}

func forgedServerHeadersAreIgnoredAndCounted(t *testing.T, w way) {
	nodes := w.fleet(t, 2)
	before := nodes[1].Position()
	publishRaw(t, nodes[0].nc, &nats.Msg{
		Subject: event.LogSubject(fleet, "tag.user"), Data: raw("user:42"),
		Header: nats.Header{
			"Nats-Sequence": {"999999999999999"}, "nats-sequence": {"999999999999998"}, "Nats-Stream": {"OTHER"},
			"Nats-Time-Stamp": {"2020-01-01T00:00:00Z"},
		},
	})
	for _, n := range nodes {
		eventually(t, "it is applied", func() bool { return n.forgot("user:42") == 1 })
		eventually(t, "it is counted", func() bool { return n.Status().Forged == 1 })
	}
	serves(t, nodes...)
	if at := nodes[1].Position(); at.Sequence() > before.Sequence()+10 || len(nodes[1].causes()) != 1 {
		t.Errorf("position %s after %s, resets %v", at, before, nodes[1].causes())
	}
}

func forgedHeadersOfAFetchedMessageAreIgnored(t *testing.T, w way) {
	good, bad, f := w.faultyPair(t)
	f.with(func(bus.Arrival) []bus.Arrival { return nil })
	publishRaw(t, good.nc, &nats.Msg{
		Subject: event.LogSubject(fleet, "tag.user"), Data: raw("user:42"),
		Header: nats.Header{"Nats-Sequence": {"1"}, "Nats-Subject": {event.LogSubject(fleet, "all")}, "Nats-Stream": {"OTHER"}},
	})
	eventually(t, "it is fetched and applied", func() bool { return bad.forgot("user:42") == 1 })
	if len(bad.causes()) != 1 {
		t.Errorf("resets %v", bad.causes())
	}
}

func TestALiveMessageWithoutServerHeadersIsAppliedAndMovesNothing(t *testing.T) {
	t.Parallel()
	n := fleetOf(t, 1)[0]
	publishRaw(t, n.nc, &nats.Msg{Subject: event.LiveSubject(fleet, "tag.user"), Data: raw("user:42")})
	eventually(t, "it is applied", func() bool { return n.forgot("user:42") == 1 })
	n.mu.Lock()
	d := n.applied[0]
	n.mu.Unlock()
	if d.Sequence != 0 || !d.Token.IsZero() {
		t.Errorf("it got the position %d, %s", d.Sequence, d.Token)
	}
	serves(t, n)
}

// A request's answer goes where the one who asks says, with the server's rights.
func TestAStoredMessageSaysNoMoreOnAnotherLiveSubject(t *testing.T) {
	t.Parallel()
	n := fleetOf(t, 1)[0]
	token := invalidate(t, n, "user:42")
	wait(t, token, n)
	publishRaw(t, n.nc, &nats.Msg{
		Subject: "$JS.API.DIRECT.GET." + event.StreamName(fleet), Reply: event.LiveSubject(fleet, "all"),
		Data: fmt.Appendf(nil, `{"seq":%d}`, token.Sequence()),
	})
	eventually(t, "it is heard again", func() bool { return n.forgot("user:42") == 2 })
	if s := n.Status(); len(s.Rejected)+len(s.Widened) != 0 {
		t.Errorf("it says more: rejected %v, widened %v", s.Rejected, s.Widened)
	}
	serves(t, n)
}

func TestALiveMessageOfAnotherStreamIsIgnored(t *testing.T) {
	t.Parallel()
	n := fleetOf(t, 1)[0]
	publishRaw(t, n.nc, &nats.Msg{
		Subject: event.LiveSubject(fleet, "tag.user"), Data: raw("user:42"),
		Header: nats.Header{"Nats-Stream": {"MIRROR"}, "Nats-Subject": {"x"}, "Nats-Sequence": {"7"}, "Nats-Time-Stamp": {"2026-01-01T00:00:00Z"}},
	})
	eventually(t, "it is counted", func() bool { return n.Status().Foreign == 1 })
	if n.forgot("user:42") != 0 {
		t.Error("it was applied")
	}
	serves(t, n)
}

func badEventsAreCountedAndNeverStopTheFeed(t *testing.T, w way) {
	n := w.fleet(t, 1)[0]
	for _, m := range []nats.Msg{
		{Subject: event.LogSubject(fleet, "tag.user"), Data: []byte("\x00garbage")},
		{Subject: event.LogSubject(fleet, "fn.9bad"), Data: raw("user:1")},
		{Subject: event.LogSubject(fleet, "_sys.lost.x"), Data: []byte("?")},
		{Subject: event.LogSubject(fleet, "fn.catalog"), Data: raw("user:1")},
	} {
		publishRaw(t, n.nc, &m)
	}
	serves(t, n)
	s := n.Status()
	if len(s.Widened) == 0 || len(s.Rejected) == 0 || len(n.causes()) != 1 {
		t.Errorf("widened %v, rejected %v, resets %v", s.Widened, s.Rejected, n.causes())
	}
	if n.forgot("user:1") != 0 {
		t.Error("a payload beyond its subject was applied")
	}
}

func TestSquattedTickIdsDoNotSilenceTheFleet(t *testing.T) {
	t.Parallel()
	srv := serve(t)
	admin := connect(t, srv)
	if _, err := bus.Ensure(t.Context(), admin, fleet, bus.EnsureOptions{}); err != nil {
		t.Fatal(err)
	}
	for second := time.Now().Unix() - 1; second < time.Now().Unix()+60; second++ {
		m := &nats.Msg{
			Subject: event.LogSubject(fleet, "fn.catalog"), Data: raw("x:1"),
			Header: nats.Header{"Nats-Msg-Id": {fmt.Sprintf("tick-%d", second)}},
		}
		publishRaw(t, admin, m)
	}
	n := open(t, connect(t, srv), func(c *bus.Config) { c.MaxStaleness = 5 * time.Second })
	ready(t, n)
	first := n.Status().Cursor
	eventually(t, "ticks go on under ids of their own", func() bool { return n.Status().Cursor >= first+3 })
	eventually(t, "it has a lease", n.leased)
}

func TestManyCallersAreCarriedByFewEvents(t *testing.T) {
	t.Parallel()
	nodes := fleetOf(t, 2)
	before := nodes[0].Status().Published
	const callers, each = 50, 20
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			for i := range each {
				token, err := nodes[0].Invalidate(t.Context(), []event.Target{event.Tag(tag(c*each + i))})
				if err != nil || token.IsZero() {
					t.Errorf("token %s, error %v", token, err)
				}
			}
		})
	}
	wg.Wait()
	wait(t, nodes[0].Position(), nodes...)
	for i := range callers * each {
		if nodes[1].forgot(tag(i)) != 1 {
			t.Fatalf("%s was applied %d times", tag(i), nodes[1].forgot(tag(i)))
		}
	}
	if events := nodes[0].Status().Published - before; events > callers*each/2 {
		t.Errorf("%d events carried %d invalidations", events, callers*each)
	} else {
		t.Logf("%d events carried %d invalidations", events, callers*each)
	}
}

func TestMoreThanOneEventHoldsIsSeveralEvents(t *testing.T) {
	t.Parallel()
	nodes := fleetOf(t, 2)
	targets := make([]event.Target, 0, 4000)
	for i := range 4000 {
		targets = append(targets, event.Tag(fmt.Sprintf("item:%d/%s", i, strings.Repeat("x", 40))))
	}
	token, err := nodes[0].Invalidate(t.Context(), targets)
	if err != nil {
		t.Fatal(err)
	}
	wait(t, token, nodes...)
	nodes[1].mu.Lock()
	defer nodes[1].mu.Unlock()
	got := 0
	for _, d := range nodes[1].applied {
		got += len(d.Targets)
	}
	if got != 4000 || len(nodes[1].applied) < 2 {
		t.Errorf("%d targets in %d events", got, len(nodes[1].applied))
	}
}

func TestABadTargetPublishesNothing(t *testing.T) {
	t.Parallel()
	n := fleetOf(t, 1)[0]
	before := n.Status().Published
	token, err := n.Invalidate(t.Context(), []event.Target{event.Tag("a:1"), event.Tag("NOT A TAG")})
	if !errors.Is(err, event.ErrInvalid) || !token.IsZero() || n.Status().Published != before {
		t.Errorf("token %s, error %v, %d published", token, err, n.Status().Published-before)
	}
	if token, err := n.Invalidate(t.Context(), nil); err != nil || !token.IsZero() {
		t.Errorf("no targets: token %s, error %v", token, err)
	}
}

func TestActorReasonAndTraceTravel(t *testing.T) {
	t.Parallel()
	nodes := fleetOf(t, 2)
	span := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled})
	ctx := trace.ContextWithSpanContext(t.Context(), span)
	ctx = event.WithClaim(event.WithReason(event.WithActor(ctx, "user", "ada"), "new prices"), "eve")
	token, err := nodes[0].Invalidate(ctx, []event.Target{event.Tag("a:1")})
	if err != nil {
		t.Fatal(err)
	}
	wait(t, token, nodes...)
	nodes[1].mu.Lock()
	defer nodes[1].mu.Unlock()
	d := nodes[1].applied[0]
	if d.ActorType != "user" || d.ActorID != "ada" || d.Reason != "new prices" || !strings.Contains(d.Extensions["traceparent"], span.TraceID().String()) {
		t.Errorf("actor %s %s, reason %q, extensions %v", d.ActorType, d.ActorID, d.Reason, d.Extensions)
	}
	if got := d.Actor().String(); got != "ada (user) for eve (claimed)" {
		t.Errorf("made by %s", got)
	}
}

func TestOneEventHasOneVoice(t *testing.T) {
	t.Parallel()
	nodes := fleetOf(t, 2)
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			ctx := event.WithReason(t.Context(), fmt.Sprint("reason ", i%4))
			if _, err := nodes[0].Invalidate(ctx, []event.Target{event.Tag(fmt.Sprintf("item:%d/%d", i%4, i))}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	serves(t, nodes...)
	nodes[1].mu.Lock()
	defer nodes[1].mu.Unlock()
	for _, d := range nodes[1].applied {
		for _, target := range d.Targets {
			if group, _, ok := strings.Cut(strings.TrimPrefix(target.Name(), "item:"), "/"); ok && d.Reason != "reason "+group {
				t.Fatalf("%s was said with %q", target, d.Reason)
			}
		}
	}
}

func TestAnEventIsNeverStoredByAnotherStream(t *testing.T) {
	t.Parallel()
	srv := serve(t)
	admin := connect(t, srv)
	external(t, admin, func(*jetstream.StreamConfig) {})
	p := open(t, connect(t, srv), asExternal, func(c *bus.Config) { c.PublishOnly = true })
	ready(t, p)
	js := jets(t, admin)
	if err := js.DeleteStream(t.Context(), event.StreamName(fleet)); err != nil {
		t.Fatal(err)
	}
	other := create(t, admin, jetstream.StreamConfig{Name: "OTHER", Subjects: []string{event.LogSubject(fleet, ">")}})
	if token, err := p.Invalidate(t.Context(), []event.Target{event.Tag("a:1")}); !errors.Is(err, bus.ErrNotPublished) {
		t.Errorf("token %s, error %v", token, err)
	}
	if info, err := other.Info(t.Context()); err != nil || info.State.Msgs != 0 {
		t.Errorf("the other stream has stored it: %+v, %v", info.State, err)
	}
}

func TestWhatNobodyWaitsForIsNotSentAgain(t *testing.T) {
	t.Parallel()
	srv := serve(t)
	admin := connect(t, srv)
	external(t, admin, func(*jetstream.StreamConfig) {})
	nc := connect(t, srv)
	p := open(t, nc, asExternal, func(c *bus.Config) { c.PublishOnly = true })
	ready(t, p)
	if err := jets(t, admin).DeleteStream(t.Context(), event.StreamName(fleet)); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := p.Invalidate(short, []event.Target{event.Tag("a:1")}); !errors.Is(err, bus.ErrNotPublished) {
		t.Fatalf("error %v", err)
	}
	if err := nc.FlushTimeout(patience); err != nil { // what was sent once is with the server, which has no stream for it
		t.Fatal(err)
	}
	s := external(t, admin, func(*jetstream.StreamConfig) {})
	invalidate(t, p, "a:2") // on the same subject, so behind what was given up
	if info, err := s.Info(t.Context()); err != nil || info.State.Msgs != 1 {
		t.Errorf("%d messages, %v: what nobody waits for was sent", info.State.Msgs, err)
	}
}

func TestARelaysEventIsAppliedByItsOwnNodeAndStoredOnce(t *testing.T) {
	t.Parallel()
	nodes := fleetOf(t, 2)
	e := event.Event{ID: event.NewID(), Source: nodes[0].source, Targets: []event.Target{event.Tag("a:1")}}
	first, err := nodes[0].Publish(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	again, err := nodes[0].Publish(t.Context(), e)
	if err != nil || again != first {
		t.Fatalf("token %s after %s, error %v", again, first, err)
	}
	wait(t, first, nodes...)
	for i, n := range nodes {
		n.mu.Lock()
		if len(n.applied) != 1 || n.applied[0].Echo {
			t.Errorf("node %d: applied %d times", i, len(n.applied))
		}
		n.mu.Unlock()
	}
}

func TestTokensOfOthers(t *testing.T) {
	t.Parallel()
	n := fleetOf(t, 1)[0]
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	at := n.Position()
	if err := n.Wait(ctx, event.Token{}); err != nil {
		t.Errorf("the zero token: %v", err)
	}
	if err := n.Wait(ctx, event.NewToken("other", at.Epoch(), 1)); !errors.Is(err, event.ErrInvalid) {
		t.Errorf("another fleet's: %v", err)
	}
	if err := n.Wait(ctx, event.NewToken(fleet, at.Epoch(), at.Sequence()+1_000_000)); !errors.Is(err, event.ErrInvalid) {
		t.Errorf("beyond the end: %v", err)
	}
	short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	foreign := event.NewToken(fleet, "otherepoch", 1)
	if err := n.Wait(short, foreign); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("another epoch's, at once: %v: nothing proves yet that it is past", err)
	}
	if n.Reached(foreign) {
		t.Error("another epoch's counts as reached without proof")
	}
	if err := n.Wait(ctx, foreign); err != nil {
		t.Errorf("another epoch's: %v", err)
	}
}

func TestCloseAnswersThoseWhoWait(t *testing.T) {
	t.Parallel()
	n := fleetOf(t, 1)[0]
	at := n.Position()
	waiting := make(chan error, 1)
	go func() { waiting <- n.Wait(t.Context(), event.NewToken(fleet, at.Epoch(), at.Sequence()+1_000_000)) }()
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-waiting; !errors.Is(err, bus.ErrClosed) {
		t.Errorf("Wait: %v", err)
	}
	if _, err := n.Invalidate(t.Context(), []event.Target{event.All()}); !errors.Is(err, bus.ErrClosed) {
		t.Errorf("Invalidate: %v", err)
	}
	if err := n.Ready(t.Context()); !errors.Is(err, bus.ErrClosed) {
		t.Errorf("Ready: %v", err)
	}
	if n.nc.IsClosed() {
		t.Error("the connection is not the Bus's to close")
	}
}
