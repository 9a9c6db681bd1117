package event_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	ce "github.com/cloudevents/sdk-go/v2/event"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/lethe-cache/lethe/pkg/event"
)

var sameTokens = cmp.Comparer(func(a, b event.Token) bool { return a == b })

func TestWhatIsWrittenIsReadAsItWas(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		e := drawEvent(t)
		m, err := event.Encode("shop", e)
		if err != nil {
			t.Fatal(err)
		}
		for name, values := range m.Header {
			if name != strings.ToLower(name) || !strings.HasPrefix(name, "ce-") || len(values) != 1 || strings.ContainsFunc(values[0], func(r rune) bool { return r <= ' ' || r > '~' || r == '"' }) {
				t.Fatalf("header %q: %q", name, values)
			}
		}
		if len(m.Subject) > 256 || !json.Valid(m.Data) {
			t.Fatalf("%s: %s", m.Subject, m.Data)
		}
		r := event.Decode("shop", m.Subject, m.Header, m.Data)
		if r.Widened+r.Rejected+r.Sys+r.Detail != "" || r.Dropped != 0 {
			t.Fatalf("%+v", r)
		}
		if d := cmp.Diff(e, r.Event, sameTargets, sameTokens); d != "" {
			t.Fatal(d)
		}
		structured, err := json.Marshal(e.CloudEvent())
		if err != nil {
			t.Fatal(err)
		}
		r = event.Decode("shop", m.Subject, nil, structured)
		if d := cmp.Diff(e, r.Event, sameTargets, sameTokens); d != "" || r.Widened+r.Rejected != "" {
			t.Fatalf("%s%+v", d, r)
		}
	})
}

// TestOtherLibrariesReadWhatIsWritten: the CloudEvents SDK takes the structured form and finds the contract's data in it.
func TestOtherLibrariesReadWhatIsWritten(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		e := drawEvent(t)
		m, err := event.Encode("shop", e)
		if err != nil {
			t.Fatal(err)
		}
		structured, err := e.CloudEvent().MarshalJSON() // json.Marshal would write \u0026 for &
		if err != nil {
			t.Fatal(err)
		}
		var got ce.Event
		if err := got.UnmarshalJSON(structured); err != nil {
			t.Fatalf("%s: %v", structured, err)
		}
		if err := got.Validate(); err != nil {
			t.Fatalf("%s: %v", structured, err)
		}
		if got.ID() != e.ID || got.Type() != e.Type || got.Subject() != e.Subject || !got.Time().Equal(e.Time) || got.DataContentType() != "application/json" || !strings.HasPrefix(got.DataSchema(), "https://lethe-cache.dev/schemas/") {
			t.Fatalf("%s", got)
		}
		if !bytes.Equal(got.Data(), m.Data) {
			t.Fatalf("data is %s, and %s on the bus", got.Data(), m.Data)
		}
	})
}

func TestEventsOfStrangersAreStillCloudEvents(t *testing.T) {
	t.Parallel()
	for _, e := range []event.Event{
		{},
		{Source: "a b%zz\n", Targets: list(event.All())},
		{Type: event.TypeReset, Targets: list(event.All()), Token: event.NewToken("shop", "E", 7)},
		{Manifest: &event.Manifest{Kind: "chatbot"}, Targets: list(event.Tag("x"), event.All())},
	} {
		text, err := json.Marshal(e.CloudEvent())
		if err != nil {
			t.Fatal(err)
		}
		var got ce.Event
		if err := got.UnmarshalJSON(text); err != nil || got.Validate() != nil || !json.Valid(got.Data()) {
			t.Errorf("%s: %v, %v", text, err, got.Validate())
		}
	}
}

func TestEncodeFillsWhatIsEmpty(t *testing.T) {
	t.Parallel()
	for subject, e := range map[string]event.Event{
		"catalog.price":       {Targets: list(price.Key("sku-42"))},
		"user:42":             {Targets: list(event.Tag("user:42"))},
		"":                    {Targets: list(event.Tag("user:42"), event.Tag("user:43"))},
		"Chatbot/acme/helper": {Targets: list(event.Tag("chatbot:x")), Manifest: &event.Manifest{Kind: "Chatbot", Namespace: "acme", Name: "helper", Action: "created"}},
	} {
		e.Source = "/lethe/shop/n1"
		before := time.Now()
		m, err := event.Encode("shop", e)
		if err != nil {
			t.Fatal(err)
		}
		r := event.Decode("shop", m.Subject, m.Header, m.Data)
		if id, err := uuid.Parse(r.ID); err != nil || id.Version() != 7 || r.Time.Before(before) || r.Time.After(time.Now()) || r.Subject != subject {
			t.Errorf("%s: %+v", subject, r.Event)
		}
		if _, there := m.Header["ce-subject"]; there != (subject != "") {
			t.Errorf("%v", m.Header)
		}
	}
	for action, want := range map[string]string{
		"created": "manifest.chatbot.applied", "configured": "manifest.chatbot.applied", "deleted": "manifest.chatbot.deleted", "invalidated": "manifest.chatbot.invalidated",
	} {
		m, err := event.Encode("shop", event.Event{
			Source: "/x", Targets: list(event.Tag("chatbot:acme/helper")),
			Manifest: &event.Manifest{Kind: "Chatbot", Namespace: "acme", Name: "helper", Action: action},
		})
		if err != nil || m.Subject != root+want {
			t.Errorf("%s goes to %s, %v", action, m.Subject, err)
		}
	}
}

func TestEncodeRefusesWhatAReaderCouldMisunderstand(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", event.MaxSize)
	for _, c := range []struct {
		field  string
		change func(*event.Event)
	}{
		{"targets", func(e *event.Event) { e.Targets = nil }},
		{"targets[1]", func(e *event.Event) { e.Targets = list(event.All(), event.Tag("user:42")) }},
		{"targets[1]", func(e *event.Event) { e.Targets = list(event.Function("f"), event.Function("f.g")) }},
		{"targets[1]", func(e *event.Event) { e.Targets = list(event.Tag("a:1"), event.TagPrefix("b:")) }},
		{"targets[0].tag", func(e *event.Event) { e.Targets = list(event.Tag("user")) }},
		{"targets[1].target", func(e *event.Event) { e.Targets = list(event.All(), event.Target{}) }},
		{"targets[0].args", func(e *event.Event) { e.Targets = list(event.Key("f", long)) }},
		{"targets", func(e *event.Event) {
			e.Targets = list(event.Key("f", long[:30000]), event.Key("f", long[:30001]), event.Key("f", long[:30002]))
		}},
		{"source", func(e *event.Event) { e.Source = "" }},
		{"source", func(e *event.Event) { e.Source = "/a b" }},
		{"source", func(e *event.Event) { e.Source = "/ä" }},
		{"source", func(e *event.Event) { e.Source = "/%zz" }},
		{"id", func(e *event.Event) { e.ID = "a\nb" }},
		{"id", func(e *event.Event) { e.ID = "\xff" }},
		{"id", func(e *event.Event) { e.ID = " " }},
		{"subject", func(e *event.Event) { e.Subject = "a\x00" }},
		{"actor type", func(e *event.Event) { e.ActorType = "\x7f" }},
		{"actor id", func(e *event.Event) { e.ActorID = "\u0085" }},
		{"time", func(e *event.Event) { e.Time = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }},
		{"reason", func(e *event.Event) { e.Reason = "\xff" }},
		{"reason", func(e *event.Event) { e.Reason = long[:1025] }},
		{"type", func(e *event.Event) { e.Type = "dev.lethe.invalidated.v2" }},
		{"type", func(e *event.Event) { e.Type = event.TypeReset }},
		{"type", func(e *event.Event) { e.Type = event.TypeTick }},
		{"manifest", func(e *event.Event) { e.Type = event.TypeManifestApplied }},
		{"extensions", func(e *event.Event) { e.Extensions = map[string]string{"Trace": "x"} }},
		{"extensions", func(e *event.Event) { e.Extensions = map[string]string{"trace-parent": "x"} }},
		{"extensions", func(e *event.Event) { e.Extensions = map[string]string{"": "x"} }},
		{"extensions", func(e *event.Event) { e.Extensions = map[string]string{"type": "x"} }},
		{"extensions", func(e *event.Event) { e.Extensions = map[string]string{"data": "x"} }},
		{"extensions", func(e *event.Event) { e.Extensions = map[string]string{"abcdefghijklmnopqrstu": "x"} }},
		{"extensions.a", func(e *event.Event) { e.Extensions = map[string]string{"a": "x\ny"} }},
		{"extensions.a", func(e *event.Event) { e.Extensions = map[string]string{"a": ""} }},
		{"extensions", func(e *event.Event) { e.Extensions = map[string]string{"a": long[:9000]} }},
		{"extensions", func(e *event.Event) {
			e.Extensions = map[string]string{}
			for i := range 17 {
				e.Extensions[fmt.Sprintf("a%d", i)] = "x"
			}
		}},
		{"type", func(e *event.Event) { e.Manifest = bot(); e.Type = event.TypeInvalidated }},
		{"targets[0]", func(e *event.Event) { e.Manifest = bot() }},
		{"manifest.kind", func(e *event.Event) { e.Manifest = bot(); e.Manifest.Kind = "chatbot" }},
		{"manifest.name", func(e *event.Event) { e.Manifest = bot(); e.Manifest.Name = "*" }},
		{"manifest.name", func(e *event.Event) { e.Manifest = bot(); e.Manifest.Name = "a/b" }},
		{"manifest.namespace", func(e *event.Event) { e.Manifest = bot(); e.Manifest.Namespace = "" }},
		{"manifest.action", func(e *event.Event) { e.Manifest = bot(); e.Type = event.TypeManifestDeleted }},
		{"manifest.labels", func(e *event.Event) { e.Manifest = bot(); e.Manifest.Labels = map[string]string{"\xff": "a"} }},
		{"manifest", func(e *event.Event) { e.Manifest = bot(); e.Manifest.Labels = map[string]string{"a": long[:9000]} }},
		{"manifest", func(e *event.Event) { e.Manifest = bot(); e.Manifest.UID = "\x00" }},
		{"fleet", nil},
	} {
		e := event.Event{Source: "/lethe/shop/n1", Targets: list(event.Tag("user:42"))}
		fleet := "shop"
		if c.change == nil {
			fleet = "Shop.*"
		} else {
			c.change(&e)
		}
		_, err := event.Encode(fleet, e)
		var got *event.Error
		if !errors.Is(err, event.ErrInvalid) || !errors.As(err, &got) || got.Field != c.field {
			t.Errorf("want an error of field %s, got %v", c.field, err)
		}
	}
}

func TestAnInvalidationOfAKindHasNoName(t *testing.T) {
	t.Parallel()
	for namespace, about := range map[string]string{"": "Chatbot", "acme": "Chatbot/acme"} {
		e := event.Event{Source: "/x", Targets: list(event.TagPrefix("chatbot:")), Manifest: &event.Manifest{Kind: "Chatbot", Namespace: namespace, Action: "invalidated"}}
		m, err := event.Encode("shop", e)
		if err != nil {
			t.Fatal(err)
		}
		got := event.Decode("shop", m.Subject, m.Header, m.Data)
		if got.Manifest == nil || got.Manifest.Name != "" || got.Manifest.Namespace != namespace || got.Type != event.TypeManifestInvalidated || got.Subject != about || got.Widened != "" {
			t.Errorf("%q: %+v", namespace, got)
		}
		for _, action := range []string{"created", "configured", "deleted"} {
			e.Manifest.Action = action
			if _, err := event.Encode("shop", e); !errors.Is(err, event.ErrInvalid) {
				t.Errorf("%s: %v", action, err)
			}
		}
	}
}

func bot() *event.Manifest {
	return &event.Manifest{Kind: "Chatbot", Namespace: "acme", Name: "helper", Action: "created"}
}

// TestAnEventIsAtMostItsSize: the last byte counts, headers with it.
func TestAnEventIsAtMostItsSize(t *testing.T) {
	t.Parallel()
	encode := func(n int) (event.Message, error) {
		return event.Encode("shop", event.Event{Source: "/x", ID: "1", Time: noon, Targets: list(event.Key("f", strings.Repeat("x", n/2)), event.Key("f", strings.Repeat("y", n-n/2)))})
	}
	m, err := encode(60000)
	if err != nil {
		t.Fatal(err)
	}
	size := len(m.Data)
	for name, values := range m.Header {
		size += len(name) + len(values[0]) + 4
	}
	most := 60000 + event.MaxSize - size
	if m, err := encode(most); err != nil {
		t.Error(err)
	} else if r := event.Decode("shop", m.Subject, m.Header, m.Data); len(r.Targets) != 2 || r.Widened != "" {
		t.Errorf("the largest event is widened: %s", r.Detail)
	}
	if _, err := encode(most + 1); !errors.Is(err, event.ErrInvalid) {
		t.Errorf("one byte more: %v", err)
	}
}

func TestContextCarriesActorAndReason(t *testing.T) {
	t.Parallel()
	ctx := event.WithReason(event.WithActor(context.Background(), "user", "jo"), "typo")
	if typ, id := event.ActorFrom(ctx); typ != "user" || id != "jo" || event.ReasonFrom(ctx) != "typo" {
		t.Errorf("%s, %s, %s", typ, id, event.ReasonFrom(ctx))
	}
	if typ, id := event.ActorFrom(context.Background()); typ+id+event.ReasonFrom(context.Background()) != "" {
		t.Error("an empty context has an actor or a reason")
	}
}
