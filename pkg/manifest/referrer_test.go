package manifest_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
	"github.com/lethe-cache/lethe/pkg/manifest"
)

func TestAChangeReachesWhatRefersToItAndNoFurther(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, e engine) {
		p := places(t, e, 1)[0]
		h := listen(t, p.node, p.store)
		must(p.plugins.Apply(t.Context(), plugin("search", Plugin{Provider: "p1"})))
		must(p.plugins.Apply(t.Context(), plugin("mail", Plugin{})))
		must(p.bots.Apply(t.Context(), bot("helper", Bot{Account: "a1", Plugins: []string{"search", "mail", "search"}})))
		must(p.bots.Apply(t.Context(), bot("friend", Bot{Account: "a1", Friend: "helper"})))
		must(p.bots.Apply(t.Context(), bot("loner", Bot{Account: "a1"})))
		must(p.bots.Apply(t.Context(), bot("self", Bot{Account: "a1", Friend: "self"})))
		h.events(t)
		for name, tc := range map[string]struct {
			write func() (string, error)
			want  []string
		}{
			"a provider that comes": {
				func() (string, error) {
					r, err := p.providers.Apply(t.Context(), provider("p1", "eu"))
					return string(r.Action), err
				},
				[]string{"tag/provider:*", "tag/provider:acme/*", "tag/provider:acme/p1", "tag/plugin:acme/search", "tag/bot:acme/helper", "tag/bot:acme/friend"},
			},
			"a plugin": {
				func() (string, error) {
					r, err := p.plugins.Apply(t.Context(), plugin("mail", Plugin{Endpoint: "e"}))
					return string(r.Action), err
				},
				[]string{"tag/plugin:*", "tag/plugin:acme/*", "tag/plugin:acme/mail", "tag/bot:acme/helper", "tag/bot:acme/friend"},
			},
			"one that refers to itself": {
				func() (string, error) {
					r, err := p.bots.Apply(t.Context(), bot("self", Bot{Account: "a1", Friend: "self", Model: "m"}))
					return string(r.Action), err
				},
				[]string{"tag/account:a1", "tag/bot:*", "tag/bot:acme/*", "tag/bot:acme/self"},
			},
		} {
			if _, err := tc.write(); err != nil {
				t.Fatal(err)
			}
			slices.Sort(tc.want)
			if got := targets(h.events(t)); !slices.Equal(got, tc.want) {
				t.Errorf("%s:\ngot  %q\nwant %q", name, got, tc.want)
			}
		}
		// What it does not refer to any more does not reach it.
		must(p.bots.Apply(t.Context(), bot("helper", Bot{Account: "a1"})))
		must(p.bots.Delete(t.Context(), "acme", "friend"))
		h.events(t)
		must(p.plugins.Delete(t.Context(), "acme", "search"))
		if got := targets(h.events(t)); !slices.Equal(got, []string{"tag/plugin:*", "tag/plugin:acme/*", "tag/plugin:acme/search"}) {
			t.Errorf("%q", got)
		}
	})
}

func TestAReferenceMovedMakesBothEndsStale(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, e engine) {
		ps := places(t, e, 2)
		p := ps[0]
		// Whose bots an account has: declared by the kind, since an account is no manifest here.
		of := memoize(ps[1].node, "account.bots", func(ctx context.Context, account string) (string, error) {
			lethe.AddTags(ctx, "account:"+account)
			all, _, err := ps[1].store.List(context.WithoutCancel(t.Context()), "bots", manifest.ListOptions{})
			var names []string
			for _, o := range all {
				if strings.Contains(string(o.Spec), `"account":"`+account+`"`) {
					names = append(names, o.Metadata.Name)
				}
			}
			return strings.Join(names, " "), err
		})
		r, err := p.bots.Apply(t.Context(), bot("helper", Bot{Account: "a"}))
		tok := token(t, p.store, r, err)
		of.expect(t, tok, "a", "helper", 1)
		of.expect(t, tok, "b", "", 1)
		of.expect(t, tok, "c", "", 1)
		r, err = p.bots.Apply(t.Context(), bot("helper", Bot{Account: "b"}))
		tok = token(t, p.store, r, err)
		of.expect(t, tok, "a", "", 1)
		of.expect(t, tok, "b", "helper", 1)
		of.expect(t, tok, "c", "", 0) // unrelated
	})
}

func TestAViewOfABotIsFreshWhenItsPluginOrItsPluginsProviderChanges(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, e engine) {
		ps := places(t, e, 2)
		p, q := ps[0], ps[1]
		// The views read plugins and providers behind Lethe's back: that they go stale is for the references alone.
		region := func(names []string) string {
			var all []string
			for _, name := range names {
				m, err := q.plugins.Get(t.Context(), "acme", name)
				if err != nil {
					continue
				}
				s, _ := q.providers.Get(t.Context(), "acme", m.Spec.Provider)
				all = append(all, name+"@"+s.Spec.Region)
			}
			return strings.Join(all, " ")
		}
		v := memoize(q.node, "bots.regions", func(ctx context.Context, name string) (string, error) {
			m, err := q.bots.Get(ctx, "acme", name)
			return region(m.Spec.Plugins), err
		})
		listed := memoize(q.node, "bots.listed", func(ctx context.Context, _ string) (string, error) {
			all, _, err := q.bots.List(ctx, manifest.ListOptions{Namespace: "acme"})
			text := ""
			for _, m := range all {
				text += m.Metadata.Name + "=" + region(m.Spec.Plugins) + ";"
			}
			return text, err
		})
		must(p.bots.Apply(t.Context(), bot("helper", Bot{Account: "a", Plugins: []string{"search"}})))
		must(p.bots.Apply(t.Context(), bot("plain", Bot{Account: "a"})))
		r, err := p.plugins.Apply(t.Context(), plugin("search", Plugin{Provider: "p1"}))
		tok := token(t, p.store, r, err)
		v.expect(t, tok, "helper", "search@", 1)
		v.expect(t, tok, "plain", "", 1)
		listed.expect(t, tok, "", "helper=search@;plain=;", 1)
		s, err := p.providers.Apply(t.Context(), provider("p1", "eu"))
		tok = token(t, p.store, s, err)
		v.expect(t, tok, "helper", "search@eu", 1)
		v.expect(t, tok, "plain", "", 0)
		s, err = p.providers.Apply(t.Context(), provider("p2", "us"))
		v.expect(t, token(t, p.store, s, err), "helper", "search@eu", 0)
		r, err = p.plugins.Apply(t.Context(), plugin("search", Plugin{Provider: "p2"}))
		tok = token(t, p.store, r, err)
		v.expect(t, tok, "helper", "search@us", 1)
		v.expect(t, tok, "plain", "", 0)
		listed.expect(t, tok, "", "helper=search@us;plain=;", 1)
		r, err = p.plugins.Delete(t.Context(), "acme", "search")
		v.expect(t, token(t, p.store, r, err), "helper", "", 1)
	})
}

func TestTooManyReferrersAreAnnouncedAsTheirKinds(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, e engine) {
		p := places(t, e, 1)[0]
		h := listen(t, p.node, p.store)
		const many = 1001
		for from := 0; from < many; from += 200 {
			var text strings.Builder
			for i := from; i < min(from+200, many); i++ {
				fmt.Fprintf(&text, "---\n{\"apiVersion\":\"example.dev/v1\",\"kind\":\"Bot\",\"metadata\":{\"name\":\"bot-%d\"},\"spec\":{\"account\":\"a\",\"plugins\":[\"search\"]}}\n", i)
			}
			if _, err := p.store.Apply(t.Context(), []byte(text.String())); err != nil {
				t.Fatal(err)
			}
		}
		h.events(t)
		m := plugin("search", Plugin{Provider: "p1"})
		m.Metadata.Namespace = ""
		r := must(p.plugins.Apply(t.Context(), m))
		if got := targets(h.events(t)); !slices.Equal(got, []string{"prefix/bot:", "tag/plugin:*", "tag/plugin:default/*", "tag/plugin:default/search"}) {
			t.Errorf("%d targets: %.300q", len(got), got)
		}
		s := provider("p1", "eu")
		s.Metadata.Namespace = ""
		must(p.providers.Apply(t.Context(), s))
		if got := targets(h.events(t)); !slices.Equal(got, []string{"prefix/bot:", "prefix/plugin:", "tag/provider:*", "tag/provider:default/*", "tag/provider:default/p1"}) {
			t.Errorf("%d targets: %.300q", len(got), got)
		}
		must(p.store.Delete(t.Context(), "bot", "", "bot-7"))
		h.events(t)
		must(p.plugins.Delete(t.Context(), "", r.Manifest.Metadata.Name))
		if got := targets(h.events(t)); len(got) != many-1+3 {
			t.Errorf("a thousand are announced one by one, and here are %d targets", len(got))
		}
	})
}

func TestMoreTargetsThanAnEventHoldsAreSeveralEvents(t *testing.T) {
	t.Parallel()
	p := places(t, engines()[0], 1)[0]
	h := listen(t, p.node, p.store)
	const many = 900
	kind := manifest.Kind[Provider]{
		APIVersion: "example.dev/v1", Name: "Wide",
		Stale: func(manifest.Manifest[Provider]) (all []event.Target) {
			for i := range many {
				all = append(all, event.Tag(fmt.Sprintf("wide:%s/%d", strings.Repeat("x", 80), i)))
			}
			return all
		},
	}
	wide := must(manifest.Register(t.Context(), p.store, kind))
	r := must(wide.Apply(t.Context(), provider("w", "eu")))
	said := h.events(t)
	objects, others := apart(said)
	if len(objects) != 1 || len(others) == 0 || !slices.Contains(objects[0].Targets, event.Tag("wide:acme/w")) {
		t.Fatalf("%d events about objects, %d others", len(objects), len(others))
	}
	if got := targets(said); len(got) != many+3 {
		t.Errorf("%d targets", len(got))
	}
	if last := said[len(said)-1].Token; r.Token != last {
		t.Errorf("the token is %v, the last event's %v", r.Token, last)
	}
}
