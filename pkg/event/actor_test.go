package event_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/lethe-cache/lethe/pkg/event"
)

func TestAClaimNeverReplacesAnActorThatIsKnown(t *testing.T) {
	t.Parallel()
	known := event.WithActor(t.Context(), event.ActorToken, "ci")
	for _, tc := range []struct {
		name string
		ctx  context.Context
		want event.Actor
		text string
	}{
		{"nobody", t.Context(), event.Actor{}, ""},
		{"a claim alone", event.WithClaim(t.Context(), "ada@host"), event.Actor{Type: event.ActorClaimed, ID: "ada@host"}, "ada@host (claimed)"},
		{"a token", known, event.Actor{Type: event.ActorToken, ID: "ci"}, "ci (authenticated)"},
		{"a claim beside a token", event.WithClaim(known, "ada@host"), event.Actor{event.ActorToken, "ci", "ada@host"}, "ci (authenticated) for ada@host (claimed)"},
		{"a claim of the token's name", event.WithClaim(t.Context(), "ci"), event.Actor{Type: event.ActorClaimed, ID: "ci"}, "ci (claimed)"},
		{"a claim after another", event.WithClaim(event.WithClaim(t.Context(), "eve"), "ada"), event.Actor{Type: event.ActorClaimed, ID: "ada"}, "ada (claimed)"},
		{"a program's own user", event.WithActor(t.Context(), "user", "ada"), event.Actor{Type: "user", ID: "ada"}, "ada (user)"},
		{"an id without a type", event.WithActor(t.Context(), "", "ada"), event.Actor{ID: "ada"}, "ada (claimed)"},
		{"a type alone", event.WithActor(t.Context(), "system", ""), event.Actor{Type: "system"}, "(system)"},
	} {
		e := event.Acted(tc.ctx, event.Event{Extensions: map[string]string{"traceparent": "t"}})
		if got := e.Actor(); got != tc.want || got.String() != tc.text || e.Extensions["traceparent"] != "t" {
			t.Errorf("%s: %+v %q, want %+v %q", tc.name, got, got, tc.want, tc.text)
		}
		if e := event.Acted(tc.ctx, event.Event{ActorType: "user", ActorID: "own"}); e.Actor() != (event.Actor{Type: "user", ID: "own"}) {
			t.Errorf("%s: an event's own actor became %+v", tc.name, e.Actor())
		}
	}
}

func TestConsequencesNameTheActorAndTheClaimOfTheirEvent(t *testing.T) {
	t.Parallel()
	e := event.Event{ID: "1", ActorType: event.ActorToken, ActorID: "ci", Extensions: map[string]string{event.AttributeClaim: "ada@host"}}
	ctx := event.WithCause(t.Context(), e, "r")
	for what, got := range map[string]event.Actor{
		"Caused": event.Caused(ctx, event.Event{}).Actor(), "Acted": event.Acted(ctx, event.Event{}).Actor(), "Actor": e.Actor(),
	} {
		if got.String() != "ci (authenticated) for ada@host (claimed)" {
			t.Errorf("%s: %s", what, got)
		}
	}
	if got := event.Acted(event.WithActor(ctx, "job", "nightly"), event.Event{}).Actor(); got != (event.Actor{Type: "job", ID: "nightly"}) {
		t.Errorf("of a receiver that names another: %+v", got)
	}
	e.Extensions[event.AttributeClaim] = strings.Repeat("x", 5000)
	if got := event.Caused(event.WithCause(t.Context(), e, "r"), event.Event{}).Actor(); got.Claim != "" || got.ID != "ci" {
		t.Errorf("a claim without end is passed on: %+.80v", got)
	}
}

func TestAClaimTravelsInEveryForm(t *testing.T) {
	t.Parallel()
	e := event.Acted(event.WithClaim(event.WithActor(t.Context(), event.ActorToken, "ci"), "jörg@host"),
		event.Event{Source: "/x", Targets: []event.Target{event.Tag("a:1")}})
	m, err := event.Encode("shop", e)
	if err != nil {
		t.Fatal(err)
	}
	binary := event.Decode("shop", m.Subject, m.Header, m.Data)
	text, err := binary.CloudEvent().MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	structured := event.Decode("shop", m.Subject, nil, text)
	for what, got := range map[string]event.Event{"binary": binary.Event, "structured": structured.Event} {
		if got.Actor() != (event.Actor{event.ActorToken, "ci", "jörg@host"}) {
			t.Errorf("%s: %+v", what, got.Actor())
		}
	}
}

func TestWhatACallerMayCallItself(t *testing.T) {
	t.Parallel()
	for _, who := range []string{"ada", "ada@host", "Ada Lovelace", "jörg@büro", `CORP\ada`, "system:serviceaccount:shop:web", "cn=ada,ou=dev", "ada [ops]", "艾达", strings.Repeat("x", 256)} {
		if err := event.CheckActor("f", who); err != nil {
			t.Errorf("%q: %v", who, err)
		}
	}
	for _, who := range []string{
		"", " ", " ada", "ada ", "a\nb", "a\x1b[31mb", "a\x00", "a\u202eb", "a\u00a0b", "a\xff", "ci (authenticated)", strings.Repeat("x", 257),
		"ci （authenticated）", "ci ❨authenticated❩", "ci ⁽authenticated⁾", "ci ﹙authenticated﹚", "ci ⟮authenticated⟯", "ci ⦅authenticated⦆", "ci ︵a", "ci 🄐", "ci ⒜",
		"a\u200bb", "a\u200db", "a\u00adb", "a\u2028b", "a\u2029b", "a\u2066b", "a\ufeffb", "a\ufe0fb", "a\u3164b", "a\u2800b", "a\U000e0041b", "a\ue000b", "a\u0378b",
	} {
		var e *event.Error
		if err := event.CheckActor("Lethe-Actor", who); !errors.As(err, &e) || e.Field != "Lethe-Actor" {
			t.Errorf("%q: %v", who, err)
		}
	}
}
