package ctl

import (
	"context"
	"errors"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// silent joins the nodes that answer a question, as a process that stands still: it takes questions and says nothing.
func (w *town) silent(what string) *atomic.Int64 {
	w.t.Helper()
	nc, taken := w.connect(), &atomic.Int64{}
	if _, err := nc.QueueSubscribe(AnySubject("shop", what), queueGroup, func(*nats.Msg) { taken.Add(1) }); err != nil {
		w.t.Fatal(err)
	}
	if err := nc.FlushTimeout(patience); err != nil {
		w.t.Fatal(err)
	}
	return taken
}

func TestAReadIsAskedAgainWhileNoNodeAnswersAndAChangeNever(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	nc := w.connect()
	taken := map[string]*atomic.Int64{Get: w.silent(Get), Apply: w.silent(Apply), Delete: w.silent(Delete)}
	ask := func(what string, header nats.Header) int64 {
		ctx, cancel := context.WithTimeout(t.Context(), 600*time.Millisecond)
		defer cancel()
		before := taken[what].Load()
		if err := Request(ctx, nc, "shop", what, nil, header, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", what, err)
		}
		return taken[what].Load() - before
	}
	for name, tc := range map[string]struct {
		what   string
		header nats.Header
		again  bool
	}{
		"a read": {Get, nil, true}, "a dry run": {Apply, nats.Header{DryRunHeader: {"true"}}, true},
		"an apply": {Apply, nil, false}, "an apply that is no dry run": {Apply, nats.Header{DryRunHeader: {"false"}}, false},
		"a delete with a header of another verb": {Delete, nats.Header{DryRunHeader: {"true"}}, false},
	} {
		if n := ask(tc.what, tc.header); n > maxAsked || (n > 1) != tc.again {
			t.Errorf("%s was asked %d times", name, n)
		}
	}
}

func TestAReadFindsTheNodeThatAnswersBesideOneThatStandsStill(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.node("one", Endpoint{What: Get, Answer: func(context.Context, Question) (any, error) { return "here", nil }})
	taken := w.silent(Get)
	nc := w.connect()
	for taken.Load() == 0 { // the silent one has taken the first question of one of them
		var got string
		if err := Request(within(t, patience), nc, "shop", Get, nil, nil, &got); err != nil || got != "here" {
			t.Fatalf("%q, %v", got, err)
		}
	}
}

func TestANodeKnowsHowLongAnAskerWaits(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	ends := make(chan time.Duration, 1)
	w.node("one", Endpoint{What: Get, Answer: func(ctx context.Context, _ Question) (any, error) {
		end, _ := ctx.Deadline()
		ends <- time.Until(end)
		return true, nil
	}})
	nc := w.connect()
	if err := Request(within(t, 30*time.Second), nc, "shop", Get, nil, nil, new(bool)); err != nil {
		t.Fatal(err)
	}
	if left := <-ends; left > 30*time.Second {
		t.Errorf("%v are left of 30 s", left)
	}
	reply, err := nc.RequestWithContext(within(t, patience), AnySubject("shop", Get), nil)
	if err != nil || refusalIn(reply) != nil {
		t.Fatalf("without a timeout: %v, %v", refusalIn(reply), err)
	}
	if left := <-ends; left > requestTime || left < requestTime/2 {
		t.Errorf("%v are left without a timeout, want %v", left, requestTime)
	}
	for _, text := range []string{"soon", "5", "-1s", "0s"} {
		msg := &nats.Msg{Subject: AnySubject("shop", Get), Header: nats.Header{TimeoutHeader: {text}}}
		reply, err := nc.RequestMsgWithContext(within(t, patience), msg)
		if err != nil {
			t.Fatal(err)
		}
		if no := refusalIn(reply); no == nil || no.Code != http.StatusBadRequest || no.Field != TimeoutHeader || !strings.Contains(no.Text, "5s") {
			t.Errorf("%q: %+v", text, no)
		}
	}
}

// A question is as old as the last moment before it that is known, by the clock that shows more.
func TestAQuestionThatMayBeOlderThanItsTimeoutIsRefused(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for name, tc := range map[string]struct {
		since   time.Time
		timeout string
		refused bool
	}{
		"just measured":                {now.Add(-time.Millisecond), "5s", false},
		"measured long ago":            {now.Add(-6 * time.Second), "5s", true},
		"the machine slept":            {now.Add(-time.Millisecond).Add(-time.Hour).Round(0), "5s", true},
		"a short timeout":              {now.Add(-400 * time.Millisecond), "100ms", false},
		"without a timeout, long ago":  {now.Add(-time.Hour), "", false},
		"longer than a question takes": {now.Add(-time.Hour), "20h", false},
	} {
		a := &arrivals{}
		a.since.Store(&tc.since)
		left, no := a.left(tc.timeout, now)
		if (no != nil) != tc.refused || no == nil && (left <= 0 || left > requestTime) || no != nil && !no.Retry {
			t.Errorf("%s: %v, %v", name, left, no)
		}
	}
}

// What was read before a measurement has to meet the time of an earlier one, also when its handler comes late.
func TestAMeasurementCountsOnlyWhenAllBeforeItIsHandedOver(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	nc, from := w.connect(), w.connect()
	begun, end := make(chan struct{}), make(chan struct{})
	sub, err := nc.Subscribe("slow", func(*nats.Msg) {
		close(begun)
		<-end
	})
	if err != nil {
		t.Fatal(err)
	}
	a := newArrivals(nc)
	first := a.since.Load()
	if err := errors.Join(nc.FlushTimeout(patience), from.Publish("slow", nil)); err != nil {
		t.Fatal(err)
	}
	<-begun
	a.once(t.Context(), []*nats.Subscription{sub})
	if a.since.Load() != first {
		t.Error("it counts while a message from before is being handed over")
	}
	close(end)
	for begun := time.Now(); a.since.Load() == first && time.Since(begun) < patience; {
		a.once(t.Context(), []*nats.Subscription{sub})
	}
	if a.since.Load() == first {
		t.Error("it never counts")
	}
}

// There is always something pending where questions come faster than they are handed over.
func TestAMeasurementCountsUnderASteadyStream(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	nc, from := w.connect(), w.connect()
	ctx, cancel := context.WithCancel(t.Context())
	sub, err := nc.Subscribe("busy", func(m *nats.Msg) {
		if err := from.PublishMsg(&nats.Msg{Subject: "busy"}); err != nil || ctx.Err() != nil {
			return
		}
		for waiting := 0; waiting < 2 && ctx.Err() == nil; {
			waiting, _, _ = m.Sub.Pending()
			runtime.Gosched()
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		cancel()
		if err := sub.Unsubscribe(); err != nil {
			t.Error(err)
		}
	}()
	a := newArrivals(nc)
	first := a.since.Load()
	if err := errors.Join(nc.FlushTimeout(patience), from.Publish("busy", nil), from.Publish("busy", nil)); err != nil {
		t.Fatal(err)
	}
	for begun := time.Now(); a.since.Load() == first && time.Since(begun) < patience; {
		a.once(t.Context(), []*nats.Subscription{sub})
	}
	if a.since.Load() == first {
		t.Error("it never counts")
	}
}
