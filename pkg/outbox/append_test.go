package outbox_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"go.opentelemetry.io/otel/trace"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/outbox"
)

func TestWhatCommitsIsAnnouncedAndWhatRollsBackIsNot(t *testing.T) {
	conform(t, func(t *testing.T, e engine) {
		_, db := e.fresh(t)
		p := settle(t, connect(t, serve(t)))
		r := start(t, db, p)
		e.write(t, db, false, event.Tag("user:1"))
		ticket := e.write(t, db, true, event.Tag("user:2"), event.Tag("user:3"), event.Tag("order:2"))
		token := mustWait(t, r, ticket)
		if token.Epoch() != p.Status().Epoch || token.Fleet() != fleet {
			t.Errorf("token %s, the stream's epoch is %s", token, p.Status().Epoch)
		}
		if diff := cmp.Diff([]string{"[tag/order:2]", "[tag/user:2 tag/user:3]"}, sorted(said(t, p.nc))); diff != "" {
			t.Error(diff)
		}
		forgot := map[string]bool{}
		for _, target := range p.forgotten() { // by Wait, and by the relay when it saw the rows
			forgot[target.String()] = true
		}
		if len(forgot) != 3 || forgot["tag/user:1"] {
			t.Errorf("the node was told to forget %v: what committed, and nothing else", forgot)
		}
		drained(t, r)
	})
}

func TestAnEventCarriesWhoWhyWhenAndItsTrace(t *testing.T) {
	conform(t, func(t *testing.T, e engine) {
		_, db := e.fresh(t)
		p := settle(t, connect(t, serve(t)))
		r := start(t, db, p)
		ctx := event.WithClaim(event.WithReason(event.WithActor(t.Context(), "user", "ada"), "a new price"), "eve")
		span := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled})
		ctx = event.WithCause(ctx, event.Event{ID: "first"}, "cdn")
		before := time.Now()
		ticket := e.writeWith(t, trace.ContextWithSpanContext(ctx, span), db, true, event.Tag("user:1"))
		mustWait(t, r, ticket)
		got := heard(t, p.nc)
		if len(got) != 1 {
			t.Fatalf("%d events", len(got))
		}
		one := got[0]
		if one.ActorType != "user" || one.ActorID != "ada" || one.Reason != "a new price" || one.Source != "/lethe/shop/outbox" ||
			one.Extensions["traceparent"] != "00-01000000000000000000000000000000-0200000000000000-01" || one.Widened+one.Rejected != "" {
			t.Errorf("%+v", one)
		}
		if got := one.Actor().String(); got != "ada (user) for eve (claimed)" {
			t.Errorf("made by %s", got)
		}
		if one.Extensions["causationid"] != "first" || !one.Spares("cdn") || one.Spares("other") {
			t.Errorf("%+v does not tell its cause", one)
		}
		if id, err := uuid.Parse(one.ID); err != nil || id.Version() != 7 {
			t.Errorf("id %q", one.ID)
		}
		if one.Time.Before(before.Add(-time.Millisecond)) || one.Time.After(time.Now()) {
			t.Errorf("time %v, it was appended after %v", one.Time, before)
		}
	})
}

func TestReadyEventsAreAnnouncedAsTheyAre(t *testing.T) {
	conform(t, func(t *testing.T, e engine) {
		_, db := e.fresh(t)
		p := settle(t, connect(t, serve(t)))
		r := start(t, db, p)
		at := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
		manifest := event.Event{
			ID: "mine", Source: "/mine", Type: event.TypeManifestApplied, Time: at, Reason: "why", ActorType: "user", ActorID: "ada",
			Targets: []event.Target{event.Tag("chatbot:acme/helper"), event.Tag("chatbot:acme/*"), event.TagPrefix("chatbot:").Soft()},
			Manifest: &event.Manifest{
				APIVersion: "example.dev/v1", Kind: "Chatbot", Namespace: "acme", Name: "helper", UID: "u", Generation: 3,
				ResourceVersion: "17", Action: "configured", Labels: map[string]string{"team": "ä"},
			},
			Extensions: map[string]string{"causationid": "c-1"},
		}
		key := event.Name[string]("catalog.price").Key("sku-42").Hashed()
		tx, err := db.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		ticket, err := outbox.AppendEvents(event.WithReason(t.Context(), "not this"), tx, manifest, event.Event{ID: "mine", Targets: []event.Target{key}})
		if err != nil {
			t.Fatal(err)
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		mustWait(t, r, ticket)
		for _, got := range heard(t, p.nc) {
			if got.Manifest == nil {
				if len(got.Targets) != 1 || got.Targets[0] != key || got.Reason != "not this" {
					t.Errorf("%+v", got)
				}
				continue
			}
			if got.ID == "mine" || got.Source != "/lethe/shop/outbox" {
				t.Errorf("id %q, source %q", got.ID, got.Source)
			}
			want := manifest
			want.ID, want.Source, want.Subject = got.ID, got.Source, "Chatbot/acme/helper"
			if diff := cmp.Diff(want, got.Event, cmp.Comparer(func(a, b event.Target) bool { return a == b }),
				cmp.Comparer(func(_, _ event.Token) bool { return true })); diff != "" {
				t.Error(diff)
			}
		}
		if n := len(heard(t, p.nc)); n != 2 {
			t.Errorf("%d events", n)
		}
	})
}

func TestWhatCannotBePublishedIsRefusedBeforeAnythingIsWritten(t *testing.T) {
	conform(t, func(t *testing.T, e engine) {
		_, db := e.fresh(t)
		many := make([]event.Target, 1025)
		for i := range many {
			many[i] = event.Function(string(rune('a'+i%26)) + strings.Repeat("x", i/26))
		}
		for _, tc := range []struct {
			name, field string
			ctx         context.Context
			targets     []event.Target
		}{
			{"a bad tag among good ones", "targets[1].tag", t.Context(), []event.Target{event.Tag("user:1"), event.Tag("user")}},
			{"a key too large for an event", "targets[0].args", t.Context(), []event.Target{event.Name[string]("f").Key(strings.Repeat("x", 70_000))}},
			{"one of several", "targets[1].args", t.Context(), []event.Target{event.Tag("a:1"), event.Name[string]("f").Key(strings.Repeat("x", 70_000))}},
			{"more subjects than a call takes", "targets", t.Context(), many},
			{"an endless reason", "reason", event.WithReason(t.Context(), strings.Repeat("x", 2000)), []event.Target{event.All()}},
			{"a control character in the actor", "actor id", event.WithActor(t.Context(), "user", "a\nb"), []event.Target{event.All()}},
		} {
			tx, err := db.BeginTx(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			ticket, err := outbox.Append(tc.ctx, tx, tc.targets...)
			var bad *event.Error
			if !errors.Is(err, event.ErrInvalid) || !errors.As(err, &bad) || bad.Field != tc.field || ticket != "" {
				t.Errorf("%s: ticket %q, error %v", tc.name, ticket, err)
			}
			if err := tx.Commit(); err != nil { // of an application that does not care
				t.Fatal(err)
			}
		}
		if n := count(t, db, "SELECT count(*) FROM lethe_outbox"); n != 0 {
			t.Errorf("%d rows", n)
		}
	})
}

func TestTheLargestEventThatFitsIsAnnounced(t *testing.T) {
	conform(t, func(t *testing.T, e engine) {
		_, db := e.fresh(t)
		p := settle(t, connect(t, serve(t)))
		r := start(t, db, p)
		var largest event.Target
		low, high := 1<<10, 70_000
		for high-low > 1 {
			size := (low + high) / 2
			target := event.Name[string]("f").Key(strings.Repeat("x", size))
			spare := event.Name[string]("f").Key(strings.Repeat("x", size-len(".000000000Z"))) // moments are of different lengths
			tx, err := db.BeginTx(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err = outbox.Append(t.Context(), tx, target); err == nil {
				low, largest = size, spare
			} else {
				high = size
			}
			if err := tx.Rollback(); err != nil {
				t.Fatal(err)
			}
		}
		if low < event.MaxKey-100 {
			t.Errorf("the largest key has %d bytes", low)
		}
		mustWait(t, r, e.write(t, db, true, largest))
		if got := heard(t, p.nc); len(got) != 1 || got[0].Targets[0] != largest {
			t.Error("it is not what was appended")
		}
	})
}

func TestNoTargetsAreNoRowAndNothingToWaitFor(t *testing.T) {
	conform(t, func(t *testing.T, e engine) {
		_, db := e.fresh(t)
		r := start(t, db, settle(t, connect(t, serve(t))))
		ticket := e.write(t, db, true)
		token, err := r.Wait(t.Context(), ticket)
		if ticket != "" || err != nil || !token.IsZero() {
			t.Errorf("ticket %q, token %s, error %v", ticket, token, err)
		}
		if n := count(t, db, "SELECT count(*) FROM lethe_outbox"); n != 0 {
			t.Errorf("%d rows", n)
		}
	})
}

func TestManySubjectsAreOneTicket(t *testing.T) {
	conform(t, func(t *testing.T, e engine) {
		_, db := e.fresh(t)
		p := settle(t, connect(t, serve(t)))
		r := start(t, db, p)
		targets := make([]event.Target, 700)
		for i := range targets {
			targets[i] = event.Function("f" + strings.Repeat("x", i%100) + string(rune('a'+i/100)))
		}
		token := mustWait(t, r, e.write(t, db, true, targets...))
		if n := len(heard(t, p.nc)); n != len(targets) {
			t.Errorf("%d events when the ticket was due", n)
		}
		if last := lastEvent(t, p.nc); token.Sequence() != last {
			t.Errorf("token %s, the last event is %d: it has to cover all", token, last)
		}
	})
}
