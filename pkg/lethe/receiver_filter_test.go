package lethe_test

import (
	"context"
	"errors"
	"testing"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

func TestFiltersThatNothingCanPassAreRefused(t *testing.T) {
	t.Parallel()
	n := one(t)
	fn := func(context.Context, event.Event) error { return nil }
	for _, tc := range []struct {
		what string
		opts []lethe.ReceiveOption
		say  string
	}{
		{"a tag", []lethe.ReceiveOption{lethe.ForTags("user:42")}, `"user:42" is no family: write "user"`},
		{"a prefix", []lethe.ReceiveOption{lethe.ForTags("user:")}, `"user:" is no family: write "user"`},
		{"an illegal family", []lethe.ReceiveOption{lethe.ForTags("User")}, `"User" is no family: use`},
		{"an empty family", []lethe.ReceiveOption{lethe.ForTags("")}, "no family"},
		{"no family", []lethe.ReceiveOption{lethe.ForTags()}, "ForTags: the list is empty"},
		{"a family twice", []lethe.ReceiveOption{lethe.ForTags("user", "team"), lethe.ForTags("user")}, `ForTags: "user" is named twice`},
		{"a star", []lethe.ReceiveOption{lethe.ForFunctions("cat.*")}, `write "cat.>"`},
		{"a star alone", []lethe.ReceiveOption{lethe.ForFunctions("*")}, "leave the filters out"},
		{"all functions", []lethe.ReceiveOption{lethe.ForFunctions(">")}, "leave the filters out"},
		{"a star within", []lethe.ReceiveOption{lethe.ForFunctions("a.*.b")}, "all below one like catalog.>"},
		{"no dot", []lethe.ReceiveOption{lethe.ForFunctions("catalog>")}, "all below one like catalog.>"},
		{"a bad name", []lethe.ReceiveOption{lethe.ForFunctions("bad name")}, `ForFunctions: event: function: "bad name": use segments`},
		{"no function", []lethe.ReceiveOption{lethe.ForFunctions()}, "ForFunctions: the list is empty"},
		{"a function twice", []lethe.ReceiveOption{lethe.ForFunctions("a", "a")}, "named twice"},
		{"a type", []lethe.ReceiveOption{lethe.ForTypes("nonsense")}, `"nonsense" is no type of an event; use event.TypeInvalidated`},
		{"ticks", []lethe.ReceiveOption{lethe.ForTypes(event.TypeTick)}, "ticks"},
		{"no type", []lethe.ReceiveOption{lethe.ForTypes()}, "ForTypes: the list is empty"},
		{"a type twice", []lethe.ReceiveOption{lethe.ForTypes(event.TypeReset, event.TypeReset)}, "named twice"},
		{"a lower-case kind", []lethe.ReceiveOption{lethe.ForKinds("chatbot")}, `write "Chatbot"`},
		{"an illegal kind", []lethe.ReceiveOption{lethe.ForKinds("a.b")}, "ForKinds: "},
		{"an empty kind", []lethe.ReceiveOption{lethe.ForKinds("")}, "ForKinds: "},
		{"no kind", []lethe.ReceiveOption{lethe.ForKinds()}, "ForKinds: the list is empty"},
		{"a kind twice", []lethe.ReceiveOption{lethe.ForKinds("Chatbot", "Chatbot")}, "named twice"},
		{"functions of manifests", []lethe.ReceiveOption{lethe.ForTypes(event.TypeManifestApplied), lethe.ForFunctions("f")}, "never about a function"},
		{"several", []lethe.ReceiveOption{lethe.ForTags("user:42"), lethe.ForKinds("chatbot")}, `write "Chatbot"`},
	} {
		for _, opts := range [][]lethe.ReceiveOption{tc.opts, append([]lethe.ReceiveOption{lethe.OncePerFleet()}, tc.opts...)} {
			err := n.Receive(tc.what, fn, opts...)
			var e *lethe.Error
			if !errors.As(err, &e) || e.Op != "receive" || e.Name != tc.what || !contains(err, tc.say) {
				t.Errorf("%s: %v; want %s", tc.what, err, tc.say)
			}
		}
	}
	for what, opts := range map[string][]lethe.ReceiveOption{
		"only resets": {lethe.ForTypes(event.TypeReset, event.TypeLagged)},
		"either":      {lethe.ForTypes(event.TypeManifestApplied), lethe.ForFunctions("f.>"), lethe.ForKinds("Chatbot")},
	} {
		if err := n.Receive(what, fn, opts...); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// What makes a manifest stale without changing it says so by its tags.
func TestAReceiverOfAKindIsCalledForTheTagsOfTheKind(t *testing.T) {
	t.Parallel()
	n := one(t)
	calls := make(chan event.Event, 100)
	share(t, n, "once", func(_ context.Context, e event.Event) error { calls <- e; return nil }, lethe.ForKinds("Chatbot"))
	heard := map[string]<-chan event.Event{"on this node": hear(t, n, "r", lethe.ForKinds("Chatbot")), "once per fleet": calls}
	for _, target := range []event.Target{event.Tag("bot:acme/helper"), event.Tag("chatbot:acme/helper"), event.TagPrefix("chatbot:")} {
		must[event.Token](t)(n.Invalidate(t.Context(), target))
	}
	sayLast(t, n)
	for where, ch := range heard {
		if got := history(t, ch); len(got) != 2 || got[0].Targets[0] != event.Tag("chatbot:acme/helper") || got[1].Targets[0] != event.TagPrefix("chatbot:") {
			t.Errorf("%s it was called with %+v", where, got)
		}
	}
}
