package manifest_test

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/lethe-cache/lethe/pkg/lethe/lethetest"
	"github.com/lethe-cache/lethe/pkg/manifest"
)

// Two versions of a kind of a program: the newer one has a field more at each place where one can be, and knows what it refers to.
type (
	AgentV1 struct {
		Model  string            `json:"model,omitempty"`
		Limits *LimitsV1         `json:"limits,omitempty"`
		Tools  []ToolV1          `json:"tools,omitempty"`
		ByName map[string]ToolV1 `json:"byName,omitempty"`
	}
	LimitsV1 struct {
		Seconds int `json:"seconds,omitempty"`
	}
	ToolV1 struct {
		Name string `json:"name"`
	}

	AgentV2 struct {
		Model   string            `json:"model,omitempty"`
		Limits  *LimitsV2         `json:"limits,omitempty"`
		Tools   []ToolV2          `json:"tools,omitempty"`
		ByName  map[string]ToolV2 `json:"byName,omitempty"`
		Plugins []string          `json:"plugins,omitempty"`
	}
	LimitsV2 struct {
		Seconds int `json:"seconds,omitempty"`
		Burst   int `json:"burst,omitempty"`
	}
	ToolV2 struct {
		Name    string `json:"name"`
		Retries int    `json:"retries,omitempty"`
	}
)

func agentV1() manifest.Kind[AgentV1] {
	return manifest.Kind[AgentV1]{APIVersion: "example.dev/v1", Name: "Agent"}
}

func agentV2() manifest.Kind[AgentV2] {
	return manifest.Kind[AgentV2]{
		APIVersion: "example.dev/v1", Name: "Agent",
		References: func(m manifest.Manifest[AgentV2]) (refs []manifest.Reference) {
			for _, p := range m.Spec.Plugins {
				refs = append(refs, manifest.Reference{Kind: "Plugin", Name: p})
			}
			return refs
		},
	}
}

func agent[S any](name string, spec S) manifest.Manifest[S] {
	return manifest.Manifest[S]{Metadata: manifest.Metadata{Namespace: "acme", Name: name}, Spec: spec}
}

// several opens n stores on one database, and the heard of a node of their fleet.
func several(t *testing.T, e engine, n int, opts ...manifest.Option) ([]*place, *heard) {
	t.Helper()
	ps := places(t, e, n, opts...)
	var stores []*manifest.Store
	for _, p := range ps {
		stores = append(stores, p.store)
	}
	return ps, listen(t, ps[0].node, stores...)
}

func TestTwoVersionsOfATypedKindLiveSideBySide(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, e engine) {
		if e.one {
			return // only one store can open it
		}
		dsn, nodes, log := e.dsn(t), lethetest.Fleet(t, 3), &lines{}
		older := must(manifest.Register(t.Context(), openAt(t, dsn, nodes[0]).store, agentV1()))
		newer := must(manifest.Register(t.Context(), openAt(t, dsn, nodes[1]).store, agentV2()))
		spec := AgentV2{
			Model: "small", Limits: &LimitsV2{30, 5}, Tools: []ToolV2{{"a", 0}, {"b", 2}},
			ByName: map[string]ToolV2{"x": {"x", 7}, "y": {"y", 8}}, Plugins: []string{"search"},
		}
		must(newer.Apply(t.Context(), agent("helper", spec)))

		// The older program reads, changes and applies: what it does not know stays where it is.
		m := must(older.Get(t.Context(), "acme", "helper"))
		if r := must(older.Apply(t.Context(), m)); r.Action != manifest.Unchanged {
			t.Errorf("nothing was changed: %+v", r)
		}
		m.Spec.Model, m.Spec.Limits.Seconds = "large", 60
		delete(m.Spec.ByName, "y")
		m.Metadata.ResourceVersion = ""
		must(older.Apply(t.Context(), m))
		got := must(newer.Get(t.Context(), "acme", "helper"))
		if s := got.Spec; s.Model != "large" || *s.Limits != (LimitsV2{60, 5}) || !slices.Equal(s.Tools, spec.Tools) || !slices.Equal(s.Plugins, spec.Plugins) ||
			len(s.ByName) != 1 || s.ByName["x"].Retries != 7 {
			t.Errorf("%+v", s)
		}
		// An element of a list has no name: which one a field belongs to nobody can tell.
		m.Spec.Tools = m.Spec.Tools[1:]
		if _, err := older.Apply(t.Context(), m); !errors.Is(err, manifest.ErrInvalid) || !strings.Contains(err.Error(), "spec.tools[1].retries: is stored") {
			t.Error(err)
		}
		if diff, err := older.Diff(t.Context(), m); err == nil {
			t.Errorf("%q", diff)
		}
		// A text says all of the spec.
		text := "apiVersion: example.dev/v1\nkind: Agent\nmetadata: {namespace: acme, name: helper}\nspec: {model: small%s}\n"
		store := openAt(t, dsn, nodes[2], manifest.WithLogger(log.logger())).store
		older = must(manifest.Register(t.Context(), store, agentV1())) // it starts once more
		if log.count("can't apply again") != 1 || log.count("spec.byName.x.retries") != 1 {
			t.Errorf("the log says %q", log.text.String())
		}
		if _, err := store.Apply(t.Context(), fmt.Appendf(nil, text, ", plugins: [search]")); !errors.Is(err, manifest.ErrInvalid) || !strings.Contains(err.Error(), "spec.plugins") {
			t.Error(err)
		}
		must(store.Apply(t.Context(), fmt.Appendf(nil, text, "")))
		if got := must(newer.Get(t.Context(), "acme", "helper")).Spec; got.Plugins != nil || got.Limits != nil {
			t.Errorf("%+v", got)
		}
		must(older.Delete(t.Context(), "acme", "helper"))
	})
}

func TestAnOlderVersionTakesNoReferenceAway(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, e engine) {
		if e.one {
			return // only one store can open it
		}
		dsn := e.dsn(t)
		ps, h := several(t, engine{e.name, func(testing.TB) string { return dsn }, false}, 3)
		newer := must(manifest.Register(t.Context(), ps[0].store, agentV2()))
		must(ps[0].providers.Apply(t.Context(), provider("p", "1")))
		must(ps[0].plugins.Apply(t.Context(), plugin("search", Plugin{Provider: "p"})))
		must(newer.Apply(t.Context(), agent("helper", AgentV2{Plugins: []string{"search", "mail"}})))
		region := 1
		named := func(why string, want bool) {
			t.Helper()
			_ = h.events(t)
			region++
			must(ps[2].providers.Apply(t.Context(), provider("p", fmt.Sprint(region))))
			if got := targets(h.events(t)); slices.Contains(got, "tag/agent:acme/helper") != want {
				t.Errorf("%s: %q", why, got)
			}
		}
		named("at first", true)
		older := must(manifest.Register(t.Context(), ps[1].store, agentV1()))
		named("after the older version has started", true)
		m := must(older.Get(t.Context(), "acme", "helper"))
		m.Spec.Model = "large"
		must(older.Apply(t.Context(), m))
		named("after it has applied the object", true)
		n := must(newer.Get(t.Context(), "acme", "helper"))
		n.Spec.Plugins = []string{"mail"}
		must(newer.Apply(t.Context(), n))
		named("after the newer version has taken it away", false)
	})
}

// A version that finds more references in what is stored adds them when it starts, and announces what refers to something by it.
func TestAVersionThatFindsMoreReferencesAddsThem(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, e engine) {
		if e.one {
			return // only one store can open it
		}
		ps, h := several(t, e, 2)
		k := agentV2()
		k.References = nil
		must(must(manifest.Register(t.Context(), ps[0].store, k)).Apply(t.Context(), agent("helper", AgentV2{Plugins: []string{"search"}})))
		_ = h.events(t)
		must(manifest.Register(t.Context(), ps[1].store, agentV2()))
		if got := targets(h.events(t)); !slices.Contains(got, "tag/agent:acme/helper") {
			t.Errorf("it counts as changed: %q", got)
		}
		must(ps[0].plugins.Apply(t.Context(), plugin("search", Plugin{})))
		if got := targets(h.events(t)); !slices.Contains(got, "tag/agent:acme/helper") {
			t.Errorf("it refers to the plugin: %q", got)
		}
	})
}

const crewKind = `
apiVersion: lethe.dev/v1
kind: Kind
metadata: {name: crew}
spec:
  apiVersion: example.dev/v1
  names: {kind: Crew}
  schema: {type: object, properties: {%s: {type: string}}}
`

const crewReferences = "  references: [{kind: Plugin, field: spec.lead}]\n"

func crew(name, field, value string) string {
	return fmt.Sprintf("---\napiVersion: example.dev/v1\nkind: Crew\nmetadata: {namespace: acme, name: %s}\nspec: {%s: %s}\n", name, field, value)
}

func TestObjectsThatReferToSomethingElseByTheirKindCountAsChanged(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, e engine) {
		ps, h := several(t, e, 1)
		p := ps[0]
		const many = 100 // more than one change locks one by one
		text := fmt.Sprintf(crewKind, "lead")
		for i := range many {
			text += crew(fmt.Sprintf("c%d", i), "lead", fmt.Sprintf("p%d", i))
		}
		must(p.store.Apply(t.Context(), []byte(text)))
		must(p.bots.Apply(t.Context(), bot("watcher", Bot{Account: "a"})))
		_ = h.events(t)
		must(p.store.Apply(t.Context(), []byte(fmt.Sprintf(crewKind, "lead")+crewReferences)))
		got := targets(h.events(t))
		for i := range many {
			if want := fmt.Sprintf("tag/crew:acme/c%d", i); !slices.Contains(got, want) {
				t.Fatalf("%s is not among %q", want, got)
			}
		}
		must(p.plugins.Apply(t.Context(), plugin("p7", Plugin{})))
		if got := targets(h.events(t)); !slices.Contains(got, "tag/crew:acme/c7") || slices.Contains(got, "tag/crew:acme/c8") {
			t.Errorf("%q", got)
		}
	})
}

// The end of a chain changes while a kind gets references to its beginning: by an apply of the kind, or by a version that starts.
func TestReferencesThatAKindGetsAreLockedToTheEndOfTheChain(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		before func(*testing.T, *place)
		gets   func(*testing.T, *place)
		want   string
	}{
		"a stored kind": {
			func(t *testing.T, p *place) {
				must(p.store.Apply(t.Context(), []byte(fmt.Sprintf(crewKind, "lead")+crew("c", "lead", "search"))))
			},
			func(t *testing.T, p *place) {
				must(p.store.Apply(t.Context(), []byte(fmt.Sprintf(crewKind, "lead")+crewReferences)))
			},
			"tag/crew:acme/c",
		},
		"a typed kind": {
			func(t *testing.T, p *place) {
				k := agentV2()
				k.References = nil
				must(must(manifest.Register(t.Context(), p.store, k)).Apply(t.Context(), agent("helper", AgentV2{Plugins: []string{"search"}})))
			},
			func(t *testing.T, p *place) { must(manifest.Register(t.Context(), p.store, agentV2())) },
			"tag/agent:acme/helper",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dsn := engines()[2].dsn(t)
			ps, h := several(t, engine{"postgres", func(testing.TB) string { return dsn }, false}, 2)
			tc.before(t, ps[0])
			must(ps[0].plugins.Apply(t.Context(), plugin("search", Plugin{Provider: "p"})))
			must(ps[0].providers.Apply(t.Context(), provider("p", "eu")))
			_ = h.events(t)
			s := stop(t, dsn)
			var wg sync.WaitGroup
			wg.Go(func() { must(ps[0].providers.Apply(t.Context(), provider("p", "us"))) })
			s.waiting(1)
			wg.Go(func() { tc.gets(t, ps[1]) })
			s.blocked(1)
			s.goOn()
			wg.Wait()
			if got := targets(h.events(t)); !slices.Contains(got, tc.want) {
				t.Errorf("%s refers to the provider and is not announced: %q", tc.want, got)
			}
		})
	}
}

// After a restore in place versions are drawn again: what a process has made of a kind under one of them is no longer that kind.
func TestAStoredKindIsKnownByItsContent(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, e engine) {
		if e.one {
			return // nobody else can write
		}
		dsn := e.dsn(t)
		ps := places(t, engine{e.name, func(testing.TB) string { return dsn }, false}, 2)
		must(ps[0].store.Apply(t.Context(), []byte(fmt.Sprintf(crewKind, "old"))))
		must(ps[1].store.DryRun(t.Context(), []byte(crew("c", "old", "v"))))
		driver, address := "pgx", dsn
		if file, ok := strings.CutPrefix(dsn, "sqlite:"); ok {
			driver, address = "sqlite", file+"?_pragma=busy_timeout(60000)"
		}
		db := must(sql.Open(driver, address))
		defer func() { _ = db.Close() }()
		must(db.ExecContext(t.Context(), `UPDATE lethe_manifests SET spec = replace(spec, '"old"', '"new"') WHERE family = 'kind'`))
		for _, p := range ps {
			if _, err := p.store.DryRun(t.Context(), []byte(crew("c", "old", "v"))); !errors.Is(err, manifest.ErrInvalid) {
				t.Errorf("the stored kind refuses it: %v", err)
			}
			if _, err := p.store.Apply(t.Context(), []byte(crew("c", "new", "v"))); err != nil {
				t.Errorf("the stored kind takes it: %v", err)
			}
			if k := must(p.store.Kind(t.Context(), "crew")); !strings.Contains(string(k.Schema), `"new"`) {
				t.Errorf("%s", k.Schema)
			}
		}
	})
}
