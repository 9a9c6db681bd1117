package manifest_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
	"github.com/lethe-cache/lethe/pkg/lethe/lethetest"
	"github.com/lethe-cache/lethe/pkg/manifest"
)

func TestAKindAsAWholeMakesStaleWhatEachObjectWould(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, e engine) {
		ps, h := several(t, e, 1)
		p := ps[0]
		must(p.plugins.Apply(t.Context(), plugin("search", Plugin{Provider: "eu"})))
		must(p.bots.Apply(t.Context(), bot("helper", Bot{Account: "a1", Plugins: []string{"search", "gone"}})))
		must(p.bots.Apply(t.Context(), bot("friend", Bot{Account: "a2", Friend: "helper"})))
		other := bot("far", Bot{Account: "a3", Plugins: []string{"mail"}})
		other.Metadata.Namespace = "else"
		must(p.bots.Apply(t.Context(), other))
		must(p.store.Apply(t.Context(), []byte(fmt.Sprintf(crewKind, "lead")+"  stale: [\"lead:{spec.lead}\"]\n"+crew("c", "lead", "ada"))))
		_ = h.events(t)
		for _, tc := range []struct {
			kind, namespace string
			want            []string
		}{
			{"bots", "acme", []string{"prefix/bot:acme/", "tag/account:a1", "tag/account:a2", "tag/bot:acme/friend"}},
			{"Bot", "", []string{"prefix/bot:", "tag/account:a1", "tag/account:a2", "tag/account:a3", "tag/bot:acme/friend"}},
			{"Plugin", "acme", []string{"prefix/plugin:acme/", "tag/bot:acme/friend", "tag/bot:acme/helper"}},
			{"Plugin", "", []string{"prefix/plugin:", "tag/bot:acme/friend", "tag/bot:acme/helper", "tag/bot:else/far"}}, // mail is not there
			{"Provider", "", []string{"prefix/provider:", "tag/bot:acme/friend", "tag/bot:acme/helper", "tag/plugin:acme/search"}},
			{"Bot", "nobody", []string{"prefix/bot:nobody/"}},
			{"crews", "", []string{"prefix/crew:", "tag/lead:ada"}},
		} {
			r, err := p.store.InvalidateCache(t.Context(), tc.kind, tc.namespace, "")
			token(t, p.store, r, err)
			said := h.events(t)
			objects, _ := apart(said)
			if got := targets(said); !slices.Equal(got, tc.want) {
				t.Errorf("%s in %q: %q", tc.kind, tc.namespace, got)
			}
			if len(objects) != 1 || r.Action != manifest.Invalidated {
				t.Fatalf("%s in %q: %+v, %+v", tc.kind, tc.namespace, r, objects)
			}
			if m := objects[0].Manifest; objects[0].Type != event.TypeManifestInvalidated || m.Kind != r.Manifest.Kind || m.Namespace != tc.namespace || m.Name != "" || m.Action != "invalidated" {
				t.Errorf("%s in %q: %+v", tc.kind, tc.namespace, m)
			}
		}
	})
}

func TestReceiversOfAKindHearOfIt(t *testing.T) {
	t.Parallel()
	ps, all := several(t, engines()[0], 1)
	p := ps[0]
	must(p.plugins.Apply(t.Context(), plugin("search", Plugin{})))
	must(p.bots.Apply(t.Context(), bot("helper", Bot{Account: "a1", Plugins: []string{"search"}})))
	_ = all.events(t)
	var (
		mu    sync.Mutex
		heard []event.Event
	)
	if err := p.node.Receive("bots", func(_ context.Context, e event.Event) error {
		mu.Lock()
		defer mu.Unlock()
		heard = append(heard, e)
		return nil
	}, lethe.ForKinds("Bot")); err != nil {
		t.Fatal(err)
	}
	for name, do := range map[string]func() (manifest.Result[Bot], error){
		"all of the kind": func() (manifest.Result[Bot], error) { return p.bots.InvalidateCache(t.Context(), "", "") },
		"one that it refers to": func() (manifest.Result[Bot], error) {
			r, err := p.plugins.InvalidateCache(t.Context(), "acme", "search")
			return manifest.Result[Bot]{Action: r.Action, Ticket: r.Ticket, Token: r.Token}, err
		},
		"all of a kind that it refers to": func() (manifest.Result[Bot], error) {
			r, err := p.plugins.InvalidateCache(t.Context(), "", "")
			return manifest.Result[Bot]{Action: r.Action, Ticket: r.Ticket, Token: r.Token}, err
		},
	} {
		mu.Lock()
		heard = nil
		mu.Unlock()
		r, err := do()
		token(t, p.store, r, err)
		eventually(t, name+" is heard", func() bool {
			mu.Lock()
			defer mu.Unlock()
			return slices.ContainsFunc(heard, func(e event.Event) bool {
				return slices.ContainsFunc(e.Targets, func(t event.Target) bool {
					return t == event.Tag("bot:acme/helper") || t == event.TagPrefix("bot:")
				})
			})
		})
	}
}

// Over a bound what is announced becomes wider, and nothing is left out.
func TestAKindOfVeryManyIsAnnouncedByFamilies(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "lethe.db")
	node := lethetest.Fleet(t, 1)[0]
	p := openAt(t, "sqlite:"+file, node)
	h := listen(t, node, p.store)
	must(p.bots.Apply(t.Context(), bot("a", Bot{Account: "a", Plugins: []string{"search"}})))
	fill(t, file, "a", 1, 1100, "")
	db := must(sql.Open("sqlite", file+"?_pragma=busy_timeout(60000)"))
	defer func() { _ = db.Close() }()
	for _, s := range []string{
		`UPDATE lethe_manifests SET spec = replace(spec, '"account":"a"', '"account":"' || name || '"')`,
		"INSERT OR IGNORE INTO lethe_manifest_references SELECT 'bot', namespace, name, 'plugin', 'acme', 'search' FROM lethe_manifests WHERE family = 'bot'",
	} {
		must(db.ExecContext(t.Context(), s))
	}
	_ = h.events(t)
	must(p.bots.InvalidateCache(t.Context(), "", ""))
	if got := targets(h.events(t)); !slices.Equal(got, []string{"prefix/account:", "prefix/bot:"}) {
		t.Errorf("%q", got)
	}
	must(p.plugins.InvalidateCache(t.Context(), "", ""))
	if got := targets(h.events(t)); !slices.Equal(got, []string{"prefix/bot:", "prefix/plugin:"}) {
		t.Errorf("%q", got)
	}
	// An object whose families are many: everything.
	k := manifest.Kind[Provider]{
		APIVersion: "example.dev/v1", Name: "Wide",
		Stale: func(m manifest.Manifest[Provider]) (all []event.Target) {
			for i := range 900 {
				all = append(all, event.Tag(fmt.Sprintf("f%s%d:x", m.Metadata.Name, i)))
			}
			return all
		},
	}
	wide := must(manifest.Register(t.Context(), p.store, k))
	for _, name := range []string{"a", "b"} {
		must(wide.Apply(t.Context(), provider(name, "eu")))
	}
	_ = h.events(t)
	must(wide.InvalidateCache(t.Context(), "acme", ""))
	if got := targets(h.events(t)); !slices.Contains(got, "*") {
		t.Errorf("%q", got)
	}
}
