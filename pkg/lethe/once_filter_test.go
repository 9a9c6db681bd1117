package lethe_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
	"github.com/lethe-cache/lethe/pkg/lethe/lethetest"
)

func TestAOncePerFleetReceiverAsksForTheSubjectsThatItsFiltersName(t *testing.T) {
	t.Parallel()
	many := make([]string, 100)
	for i := range many {
		many[i] = "f" + strconv.Itoa(i)
	}
	for what, tc := range map[string]struct {
		opts []lethe.ReceiveOption
		want string
	}{
		"nothing said": {nil, "all fn.> manifest.> tag.*"},
		"functions":    {[]lethe.ReceiveOption{lethe.ForFunctions("catalog.price", "catalog.>", "a.b.>", "a.b.c.>", "x")}, "all fn.a.b.> fn.catalog.> fn.x"},
		"tags":         {[]lethe.ReceiveOption{lethe.ForTags("user")}, "all manifest.user manifest.user.> tag.user"},
		"kinds":        {[]lethe.ReceiveOption{lethe.ForKinds("Chatbot")}, "all manifest.chatbot manifest.chatbot.> tag.chatbot"},
		"both":         {[]lethe.ReceiveOption{lethe.ForKinds("User"), lethe.ForTags("user")}, "all manifest.user manifest.user.> tag.user"},
		"applied":      {[]lethe.ReceiveOption{lethe.ForTypes(event.TypeManifestApplied)}, "manifest.*.applied"},
		"of no action": {[]lethe.ReceiveOption{lethe.ForTypes(event.TypeManifestInvalidated)}, "all fn.> manifest.> tag.*"},
		"too many":     {[]lethe.ReceiveOption{lethe.ForFunctions(many...), lethe.ForTags(many...)}, "all fn.> manifest.> tag.*"},
	} {
		got, err := lethe.OnceSubjects(tc.opts...)
		if err != nil || strings.Join(got, " ") != tc.want {
			t.Errorf("%s: %q, %v; want %q", what, got, err, tc.want)
		}
	}
}

func TestAOncePerFleetReceiverHearsExactlyWhatPassesItsFilters(t *testing.T) {
	t.Parallel()
	n := lethetest.Fleet(t, 1, lethe.Config{Fleet: "shop"})[0]
	heard := map[string]<-chan event.Event{}
	filters := map[string][]lethe.ReceiveOption{
		"everything": nil,
		"price":      {lethe.ForFunctions("catalog.price")},
		"catalog":    {lethe.ForFunctions("catalog.>", "catalog.price")},
		"users":      {lethe.ForTags("user", "team")},
		"bots":       {lethe.ForKinds("Chatbot")},
		"applied":    {lethe.ForTypes(event.TypeManifestApplied)},
		"deleted":    {lethe.ForTypes(event.TypeManifestDeleted), lethe.ForKinds("Chatbot")},
		"plain":      {lethe.ForTypes(event.TypeInvalidated), lethe.ForTags("user")},
	}
	for name, opts := range filters {
		ch := make(chan event.Event, 100)
		heard[name] = ch
		share(t, n, name, func(_ context.Context, e event.Event) error { ch <- e; return nil }, opts...)
		heard[name+" on every node"] = hear(t, n, name+" on every node", opts...)
	}
	want := map[string][]string{}
	say := func(what string, e event.Event, by ...string) {
		t.Helper()
		e.Source, e.Reason = "/test", what
		must[event.Token](t)(n.Publish(t.Context(), e))
		for _, r := range append(by, "everything") {
			want[r] = append(want[r], what)
		}
	}
	plain := func(ts ...event.Target) event.Event { return event.Event{Targets: ts} }
	bot := func(typ, action string) event.Event {
		return event.Event{
			Type: typ, Targets: []event.Target{event.Tag("chatbot:acme/helper")},
			Manifest: &event.Manifest{APIVersion: "a/v1", Kind: "Chatbot", Namespace: "acme", Name: "helper", Action: action},
		}
	}
	say("price", plain(event.Key("catalog.price", "x")), "price", "catalog")
	say("stock", plain(event.Function("catalog.stock")), "catalog")
	say("catalogue", plain(event.Function("catalogue.x")))
	say("user", plain(event.Tag("user:1")), "users", "plain")
	say("users", plain(event.TagPrefix("user:")), "users", "plain")
	say("all", plain(event.All()), "price", "catalog", "users", "bots", "plain")
	say("made", bot(event.TypeManifestApplied, "created"), "bots", "applied")
	say("gone", bot(event.TypeManifestDeleted, "deleted"), "bots", "deleted")
	for name, ch := range heard {
		want := want[strings.TrimSuffix(name, " on every node")]
		var got []string
		for range want {
			got = append(got, take(t, name, ch).Reason)
		}
		if !slices.Equal(got, want) || len(ch) > 0 {
			t.Errorf("%s heard %q and %d more, want %q", name, got, len(ch), want)
		}
	}
}

func TestAnEveryNodeReceiverFiltersByKindAndAction(t *testing.T) {
	t.Parallel()
	n := one(t)
	gone := hear(t, n, "gone", lethe.ForTypes(event.TypeManifestDeleted), lethe.ForKinds("Chatbot"))
	for _, m := range []struct{ kind, typ, action string }{
		{"Chatbot", event.TypeManifestApplied, "created"}, {"Plugin", event.TypeManifestDeleted, "deleted"}, {"Chatbot", event.TypeManifestDeleted, "deleted"},
	} {
		tok := must[event.Token](t)(n.Publish(t.Context(), event.Event{
			Source: "/test", Type: m.typ, Targets: []event.Target{event.Tag(strings.ToLower(m.kind) + ":acme/helper")},
			Manifest: &event.Manifest{APIVersion: "a/v1", Kind: m.kind, Namespace: "acme", Name: "helper", Action: m.action},
		}))
		lethetest.WaitAll(t, tok, n)
	}
	if e := take(t, "a deletion", gone); e.Manifest.Kind != "Chatbot" || e.Manifest.Action != "deleted" || len(gone) > 0 {
		t.Fatalf("%+v", e)
	}
}

func TestOncePerFleetRefusesWhatCannotWork(t *testing.T) {
	t.Parallel()
	n := one(t)
	fn := func(context.Context, event.Event) error { return nil }
	for what, err := range map[string]error{
		"control":    n.Receive("a\nb", fn, lethe.OncePerFleet()),
		"ForFuncti":  n.Receive("f", fn, lethe.OncePerFleet(), lethe.ForFunctions("catalog.*")),
		"ForFunctio": n.Receive("g", fn, lethe.OncePerFleet(), lethe.ForFunctions("catalog>")),
		"ForTags":    n.Receive("t", fn, lethe.OncePerFleet(), lethe.ForTags("user:42")),
		"ForKinds":   n.Receive("k", fn, lethe.OncePerFleet(), lethe.ForKinds("a.b")),
	} {
		var e *lethe.Error
		if !errors.As(err, &e) || e.Op != "receive" || !contains(err, what) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for i := range 64 {
		if err := n.Receive("r"+strconv.Itoa(i), fn, lethe.OncePerFleet(), lethe.ForTags("x")); err != nil {
			t.Fatal(err)
		}
	}
	if err := n.Receive("one too many", fn, lethe.OncePerFleet()); !contains(err, "64") {
		t.Errorf("%v", err)
	}
	if err := n.Receive("on every node", fn); err != nil {
		t.Error(err)
	}
}
