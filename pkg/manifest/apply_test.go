package manifest_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/manifest"
)

func TestApplyCreatesConfiguresAndLeavesUnchanged(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, e engine) {
		p := places(t, e, 1)[0]
		h := listen(t, p.node, p.store)
		apply := func(m manifest.Manifest[Bot]) manifest.Result[Bot] {
			t.Helper()
			r, err := p.bots.Apply(t.Context(), m)
			r.Token = token(t, p.store, r, err)
			return r
		}
		first := apply(bot("helper", Bot{Account: "a1", Model: "m1"}))
		if first.Action != manifest.Created || first.Manifest.Metadata.Generation != 1 || first.Manifest.Metadata.UID == "" || first.Manifest.Metadata.Created.IsZero() {
			t.Fatalf("%+v", first)
		}
		said := h.events(t)
		objects, others := apart(said)
		if len(objects) != 1 || len(others) != 1 {
			t.Fatalf("%v", said)
		}
		if diff := cmp.Diff(&event.Manifest{
			APIVersion: "example.dev/v1", Kind: "Bot", Namespace: "acme", Name: "helper", UID: first.Manifest.Metadata.UID,
			Generation: 1, ResourceVersion: first.Manifest.Metadata.ResourceVersion, Action: "created",
		}, objects[0].Manifest); diff != "" {
			t.Error(diff)
		}
		if got, want := targets(objects), []string{"tag/bot:*", "tag/bot:acme/*", "tag/bot:acme/helper"}; !slices.Equal(got, want) {
			t.Errorf("%q", got)
		}
		if got := targets(others); !slices.Equal(got, []string{"tag/account:a1"}) || others[0].Type != event.TypeInvalidated {
			t.Errorf("%q %v", got, others)
		}
		if last := said[1].Token; last != first.Token {
			t.Errorf("the token is %v, the last event's %v", first.Token, last)
		}

		again := apply(bot("helper", Bot{Account: "a1", Model: "m1"}))
		if again.Action != manifest.Unchanged || again.Ticket != "" || !again.Token.IsZero() {
			t.Errorf("%+v", again)
		}
		if diff := cmp.Diff(first.Manifest, again.Manifest); diff != "" {
			t.Error(diff)
		}
		if said := h.events(t); len(said) != 0 {
			t.Errorf("unchanged, and yet: %v", said)
		}

		labelled := bot("helper", Bot{Account: "a1", Model: "m1"})
		labelled.Metadata.Labels = map[string]string{"team": "x"}
		second := apply(labelled)
		if second.Action != manifest.Configured || second.Manifest.Metadata.Generation != 1 || second.Manifest.Metadata.ResourceVersion == first.Manifest.Metadata.ResourceVersion {
			t.Errorf("%+v", second)
		}
		third := apply(bot("helper", Bot{Account: "a2", Model: "m1"}))
		if third.Action != manifest.Configured || third.Manifest.Metadata.Generation != 2 || third.Manifest.Metadata.Labels != nil ||
			third.Manifest.Metadata.UID != first.Manifest.Metadata.UID || !third.Manifest.Metadata.Created.Equal(first.Manifest.Metadata.Created) {
			t.Errorf("%+v", third)
		}
		objects, others = apart(h.events(t))
		if len(objects) != 2 || objects[0].Manifest.Labels["team"] != "x" || objects[0].Manifest.Action != "configured" {
			t.Fatalf("%v", objects)
		}
		if got := targets(others[1:]); len(others) != 2 || !slices.Equal(got, []string{"tag/account:a1", "tag/account:a2"}) {
			t.Errorf("an account that it has left or come to is missing: %q", got)
		}

		gone, err := p.bots.Delete(t.Context(), "acme", "helper")
		token(t, p.store, gone, err)
		if gone.Action != manifest.Deleted || gone.Manifest.Spec.Account != "a2" {
			t.Errorf("%+v", gone)
		}
		objects, others = apart(h.events(t))
		if len(objects) != 1 || objects[0].Type != event.TypeManifestDeleted || objects[0].Manifest.ResourceVersion != gone.Manifest.Metadata.ResourceVersion {
			t.Fatalf("%v", objects)
		}
		if got, want := targets(append(objects, others...)), []string{"tag/account:a2", "tag/bot:*", "tag/bot:acme/*", "tag/bot:acme/helper"}; !slices.Equal(got, want) {
			t.Errorf("%q", got)
		}
		if _, err := p.bots.Delete(t.Context(), "acme", "helper"); !errors.Is(err, manifest.ErrNotFound) {
			t.Error(err)
		}
		if _, err := p.bots.Get(t.Context(), "acme", "helper"); !errors.Is(err, manifest.ErrNotFound) {
			t.Error(err)
		}
		if said := h.events(t); len(said) != 0 {
			t.Errorf("nothing was deleted, and yet: %v", said)
		}
		anew := apply(bot("helper", Bot{Account: "a1", Model: "m1"}))
		if m := anew.Manifest.Metadata; anew.Action != manifest.Created || m.UID == first.Manifest.Metadata.UID || m.Generation != 1 {
			t.Errorf("%+v", anew)
		}
	})
}

const three = `
apiVersion: example.dev/v1
kind: Provider
metadata: {namespace: acme, name: p1}
spec: {region: eu}
---
apiVersion: example.dev/v1
kind: Plugin
metadata: {namespace: acme, name: search}
spec: {provider: p1}
---
apiVersion: example.dev/v1
kind: Bot
metadata: {namespace: acme, name: helper}
spec: {account: a1, plugins: [search]}
`

func TestATextIsAppliedWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, e engine) {
		p := places(t, e, 1)[0]
		h := listen(t, p.node, p.store)
		for name, tc := range map[string]struct{ text, want string }{
			"the third is invalid":  {strings.Replace(three, "account: a1", "account: 1", 1), "document 3, line 15: Bot acme/helper: spec.account"},
			"the second is unknown": {strings.Replace(three, "kind: Plugin", "kind: Plugout", 1), `document 2, line 8: Plugout acme/search: kind: "Plugout" is not known here`},
			"a kind in other case":  {strings.Replace(three, "kind: Plugin", "kind: PlugIn", 1), "has to be written Plugin"},
			"one twice":             {three + "---" + three, "document 4, line 19: Provider acme/p1: metadata.name: is applied twice in one call"},
			"a stale version": {
				strings.Replace(three, "name: helper}", "name: helper, resourceVersion: \"7\"}", 1),
				"document 3, line 14: Bot acme/helper: metadata.resourceVersion: is 7, but the object is gone",
			},
			"an unknown field": {strings.Replace(three, "spec: {provider", "speck: {provider", 1), "document 2, line 10: Plugin acme/search: speck: is no field here; did you mean spec?"},
			"nothing":          {"# nothing\n", "no document"},
			"no YAML":          {"kind: [", "document 1, line 1"},
		} {
			rs, err := p.store.Apply(t.Context(), []byte(tc.text))
			if err == nil || !strings.Contains(err.Error(), tc.want) || rs != nil {
				t.Errorf("%s: %v, %v; want %q", name, rs, err, tc.want)
			}
			if conflict := strings.Contains(name, "stale"); errors.Is(err, manifest.ErrConflict) != conflict || errors.Is(err, manifest.ErrInvalid) == conflict {
				t.Errorf("%s: %v", name, err)
			}
		}
		for _, kind := range []string{"Provider", "Plugin", "Bot"} {
			if all, _, err := p.store.List(t.Context(), kind, manifest.ListOptions{}); err != nil || len(all) != 0 {
				t.Errorf("%v %v", all, err)
			}
		}
		if said := h.events(t); len(said) != 0 {
			t.Errorf("nothing was written, and yet: %v", said)
		}

		rs, err := p.store.Apply(t.Context(), []byte(three))
		if err != nil || len(rs) != 3 {
			t.Fatal(rs, err)
		}
		for i, kind := range []string{"Provider", "Plugin", "Bot"} {
			if r := rs[i]; r.Action != manifest.Created || r.Manifest.Kind != kind || r.Ticket == "" || r.Ticket != rs[0].Ticket || r.Token != rs[0].Token ||
				r.Manifest.Metadata.ResourceVersion != rs[0].Manifest.Metadata.ResourceVersion {
				t.Errorf("%d: %+v", i, r)
			}
		}
		if said := h.events(t); len(said) != 4 {
			t.Errorf("%v", said)
		}
	})
}

func TestADryRunSaysWhatApplyWouldDoAndDoesNothing(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, e engine) {
		p := places(t, e, 1)[0]
		h := listen(t, p.node, p.store)
		rs, err := p.store.DryRun(t.Context(), []byte(three))
		if err != nil || len(rs) != 3 {
			t.Fatal(rs, err)
		}
		for _, r := range rs {
			if m := r.Manifest.Metadata; r.Action != manifest.Created || r.Ticket != "" || !r.Token.IsZero() || m.UID != "" || m.ResourceVersion != "" || m.Generation != 1 {
				t.Errorf("%+v", r)
			}
		}
		if _, err := p.bots.Get(t.Context(), "acme", "helper"); !errors.Is(err, manifest.ErrNotFound) {
			t.Error(err)
		}
		was := must(p.store.Apply(t.Context(), []byte(three)))
		h.events(t)
		changed := strings.Replace(three, "eu", "us", 1)
		rs, err = p.store.DryRun(t.Context(), []byte(changed))
		if err != nil || rs[0].Action != manifest.Configured || rs[1].Action != manifest.Unchanged || rs[2].Action != manifest.Unchanged {
			t.Fatal(rs, err)
		}
		if m := rs[0].Manifest.Metadata; m.Generation != 2 || m.ResourceVersion != was[0].Manifest.Metadata.ResourceVersion {
			t.Errorf("%+v", m)
		}
		text, err := p.store.Diff(t.Context(), []byte(changed))
		if err != nil || !strings.Contains(text, "\n-  region: eu\n+  region: us\n") || strings.Contains(text, "helper") {
			t.Errorf("%s %v", text, err)
		}
		if text, err := p.store.Diff(t.Context(), []byte(three)); err != nil || text != "" {
			t.Errorf("%s %v", text, err)
		}
		if got := must(p.providers.Get(t.Context(), "acme", "p1")); got.Spec.Region != "eu" {
			t.Errorf("%+v", got)
		}
		if said := h.events(t); len(said) != 0 {
			t.Errorf("nothing was done, and yet: %v", said)
		}
		if text, err := p.providers.Diff(t.Context(), provider("p1", "us")); err != nil || !strings.Contains(text, "+  region: us\n") {
			t.Errorf("%s %v", text, err)
		}
	})
}

func TestAResourceVersionThatIsGivenHasToBeTheStoredOne(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, e engine) {
		p := places(t, e, 1)[0]
		first := must(p.bots.Apply(t.Context(), bot("helper", Bot{Account: "a1"}))).Manifest
		next := first
		next.Spec.Model = "m1"
		second, err := p.bots.Apply(t.Context(), next)
		if err != nil || second.Action != manifest.Configured {
			t.Fatal(second, err)
		}
		_, err = p.bots.Apply(t.Context(), next)
		if !errors.Is(err, manifest.ErrConflict) || !strings.Contains(err.Error(), "is "+first.Metadata.ResourceVersion+",") ||
			!strings.Contains(err.Error(), "at "+second.Manifest.Metadata.ResourceVersion+" by now") {
			t.Errorf("it has to name both: %v", err)
		}
		other := second.Manifest
		other.Metadata.ResourceVersion, other.Metadata.UID = "", "0192"
		if _, err := p.bots.Apply(t.Context(), other); !errors.Is(err, manifest.ErrConflict) || !strings.Contains(err.Error(), "metadata.uid") {
			t.Error(err)
		}
		must(p.bots.Delete(t.Context(), "acme", "helper"))
		if _, err := p.bots.Apply(t.Context(), second.Manifest); !errors.Is(err, manifest.ErrConflict) {
			t.Error(err)
		}
	})
}

func TestStatusIsNoPartOfApply(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, e engine) {
		p := places(t, e, 1)[0]
		h := listen(t, p.node, p.store)
		m := bot("helper", Bot{Account: "a1"})
		m.Status = []byte(`{"phase":"forged"}`)
		first := must(p.bots.Apply(t.Context(), m))
		if first.Manifest.Status != nil {
			t.Errorf("%s", first.Manifest.Status)
		}
		h.events(t)
		reported := must(p.bots.SetStatus(t.Context(), "acme", "helper", map[string]string{"phase": "ready"}))
		if reported.Action != manifest.Configured || reported.Manifest.Metadata.Generation != 1 || reported.Manifest.Metadata.ResourceVersion == first.Manifest.Metadata.ResourceVersion {
			t.Errorf("%+v", reported)
		}
		if objects, _ := apart(h.events(t)); len(objects) != 1 || objects[0].Manifest.Action != "configured" {
			t.Errorf("%v", objects)
		}
		if again := must(p.bots.SetStatus(t.Context(), "acme", "helper", map[string]string{"phase": "ready"})); again.Action != manifest.Unchanged {
			t.Errorf("%+v", again)
		}
		m.Spec.Model = "m2"
		if r := must(p.bots.Apply(t.Context(), m)); string(r.Manifest.Status) != `{"phase":"ready"}` {
			t.Errorf("%s", r.Manifest.Status)
		}
		if got := must(p.bots.Get(t.Context(), "acme", "helper")); string(got.Status) != `{"phase":"ready"}` {
			t.Errorf("%s", got.Status)
		}
		if r := must(p.bots.SetStatus(t.Context(), "acme", "helper", nil)); r.Action != manifest.Configured || r.Manifest.Status != nil {
			t.Errorf("%+v", r)
		}
		if _, err := p.bots.SetStatus(t.Context(), "acme", "nobody", 1); !errors.Is(err, manifest.ErrNotFound) {
			t.Error(err)
		}
		if _, err := p.bots.SetStatus(t.Context(), "acme", "helper", strings.Repeat("x", manifest.MaxStatus)); !errors.Is(err, manifest.ErrInvalid) {
			t.Error(err)
		}
		if _, err := p.bots.SetStatus(t.Context(), "acme", "helper", func() {}); !errors.Is(err, manifest.ErrInvalid) {
			t.Error(err)
		}
	})
}

func TestWhoMadeTheChangeAndWhyIsAnnounced(t *testing.T) {
	t.Parallel()
	p := places(t, engines()[0], 1)[0]
	h := listen(t, p.node, p.store)
	ctx := event.WithReason(event.WithActor(t.Context(), "user", "ada"), "spring cleaning")
	must(p.bots.Apply(ctx, bot("helper", Bot{Account: "a1"})))
	said := h.events(t)
	if len(said) != 2 {
		t.Fatal(said)
	}
	for _, e := range said {
		if e.ActorType != "user" || e.ActorID != "ada" || e.Reason != "spring cleaning" || e.Time.IsZero() {
			t.Errorf("%+v", e)
		}
	}
}

func TestInvalidateCacheAnnouncesWithoutWriting(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, e engine) {
		p := places(t, e, 1)[0]
		h := listen(t, p.node, p.store)
		was := must(p.bots.Apply(t.Context(), bot("helper", Bot{Account: "a1", Friend: "other"}))).Manifest
		h.events(t)
		for _, tc := range []struct {
			namespace, name string
			want            []string
		}{
			{"acme", "helper", []string{"tag/account:a1", "tag/bot:*", "tag/bot:acme/*", "tag/bot:acme/helper"}},
			{"acme", "other", []string{"tag/bot:*", "tag/bot:acme/*", "tag/bot:acme/helper", "tag/bot:acme/other"}}, // none has that name, one refers to it
		} {
			r, err := p.bots.InvalidateCache(t.Context(), tc.namespace, tc.name)
			token(t, p.store, r, err)
			if r.Action != manifest.Invalidated {
				t.Errorf("%+v", r)
			}
			said := h.events(t)
			if got := targets(said); !slices.Equal(got, tc.want) {
				t.Errorf("%s/%s: %q", tc.namespace, tc.name, got)
			}
			objects, _ := apart(said)
			if len(objects) != 1 || objects[0].Manifest.Action != "invalidated" || objects[0].Type != event.TypeManifestInvalidated || objects[0].Manifest.Name != tc.name {
				t.Errorf("%s/%s: %+v", tc.namespace, tc.name, objects)
			}
		}
		if diff := cmp.Diff(was, must(p.bots.Get(t.Context(), "acme", "helper"))); diff != "" {
			t.Error(diff)
		}
		for _, bad := range [][3]string{{"Nothing", "", ""}, {"bots", "", "*"}, {"bots", "*", ""}} {
			if _, err := p.store.InvalidateCache(t.Context(), bad[0], bad[1], bad[2]); err == nil {
				t.Errorf("%q was taken", bad)
			}
		}
	})
}
