package event_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/lethe-cache/lethe/pkg/event"
)

func TestAnEventNamesItsCauseAndTheReceiversOnTheWay(t *testing.T) {
	t.Parallel()
	e := event.Event{ID: "first", ActorType: "user", ActorID: "ann", Reason: "prices"}
	names := []string{"cdn", "a, b", "100%", "*", "ümlaut/x"}
	for i, name := range names {
		ctx := event.WithCause(t.Context(), e, name)
		id, receivers := event.CauseFrom(ctx)
		if id != e.ID || receivers == "" {
			t.Fatalf("%q, %q of %+v", id, receivers, e)
		}
		e = event.Caused(ctx, event.Event{ID: fmt.Sprint("after ", name), Source: "/x", Targets: []event.Target{event.Tag("user:1")}})
		if e.ActorType != "user" || e.ActorID != "ann" || e.Reason != "prices" || e.Extensions["causationid"] != id {
			t.Fatalf("%+v lacks what its cause has", e)
		}
		m, err := event.Encode("shop", e)
		if err != nil {
			t.Fatal(err)
		}
		e = event.Decode("shop", m.Subject, m.Header, m.Data).Event
		if got := e.Receivers(); !slices.Equal(got, names[:i+1]) {
			t.Fatalf("the receivers are %q, want %q", got, names[:i+1])
		}
	}
	for _, name := range names {
		if !e.Spares(name) {
			t.Errorf("%s is called again", name)
		}
	}
	for _, name := range []string{"", "b", "a", "cd", "a%2C b", "**"} {
		if e.Spares(name) {
			t.Errorf("%q is spared, and was never called", name)
		}
	}
	if id, receivers := event.CauseFrom(t.Context()); id+receivers != "" {
		t.Errorf("a cause without one: %q, %q", id, receivers)
	}
}

func TestAReceiverCanNameAnotherActorAndReason(t *testing.T) {
	t.Parallel()
	ctx := event.WithCause(t.Context(), event.Event{ID: "1", ActorType: "user", ActorID: "ann", Reason: "prices"}, "r")
	ctx = event.WithReason(event.WithActor(ctx, "job", "nightly"), "tidy")
	own := map[string]string{"causationid": "mine", event.AttributeReceivers: "other"}
	e := event.Caused(ctx, event.Event{Extensions: own})
	if e.ActorType != "job" || e.ActorID != "nightly" || e.Reason != "tidy" || e.Extensions["causationid"] != "mine" ||
		!slices.Equal(e.Receivers(), []string{"other", "r"}) || own[event.AttributeReceivers] != "other" {
		t.Errorf("%+v, %v", e, own)
	}
}

func TestAChainOfReceiversOverItsBoundIsEveryReceiver(t *testing.T) {
	t.Parallel()
	for what, names := range map[string][]string{
		"nine names":  strings.Split("abcdefghi", ""),
		"long names":  {strings.Repeat("a", 128), strings.Repeat("b", 128), strings.Repeat("ü", 60)},
		"illegible":   nil,
		"every, once": nil,
	} {
		e := event.Event{}
		switch what {
		case "illegible":
			e.Extensions, names = map[string]string{event.AttributeReceivers: "a\x00"}, []string{"b"}
		case "every, once":
			e.Extensions, names = map[string]string{event.AttributeReceivers: "*"}, []string{"b"}
		}
		for _, name := range names {
			if what != "illegible" && what != "every, once" && e.Spares("stranger") {
				t.Errorf("%s: the bound is reached before %s", what, name)
			}
			e = event.Caused(event.WithCause(t.Context(), e, name), event.Event{ID: "x"})
		}
		if e.Extensions[event.AttributeReceivers] != "*" || !e.Spares("stranger") {
			t.Errorf("%s: %+v goes on", what, e)
		}
	}
}

// FuzzCause: whatever a stranger's event has for an id, an actor, a reason and receivers, what a receiver publishes for it can be
// published, spares that receiver, and stays in the bounds.
func FuzzCause(f *testing.F) {
	f.Add("1", "user", "ann", "prices", "a,b", "c")
	f.Add("", "", "", "", "", "*")
	f.Add("\x00", "\xff", " ", strings.Repeat("ü", 600), "*", "a,b%")
	f.Add(strings.Repeat("i", 600), "a\nb", "x", "\xff", "a,,%zz,b", strings.Repeat("\xff", 128))
	f.Fuzz(func(t *testing.T, id, actorType, actorID, reason, receivers, name string) {
		e := event.Event{ID: id, ActorType: actorType, ActorID: actorID, Reason: reason}
		if receivers != "" {
			e.Extensions = map[string]string{event.AttributeReceivers: receivers}
		}
		e.Spares(name)
		ctx := event.WithCause(context.Background(), e, name)
		next := event.Caused(ctx, event.Event{Source: "/x", Targets: []event.Target{event.Tag("user:1")}})
		if len(name) > 128 || name == "" {
			return // no receiver has such a name
		}
		m, err := event.Encode("shop", next)
		if err != nil {
			t.Fatalf("%+v can't be published: %v", next, err)
		}
		r := event.Decode("shop", m.Subject, m.Header, m.Data)
		if !r.Spares(name) || r.Extensions["causationid"] != next.Extensions["causationid"] || r.Reason != next.Reason {
			t.Fatalf("%+v is read as %+v", next, r)
		}
		if chain := r.Extensions[event.AttributeReceivers]; len(chain) > 512 || len(r.Receivers()) > 8 {
			t.Fatalf("%q is over the bound", chain)
		}
	})
}
