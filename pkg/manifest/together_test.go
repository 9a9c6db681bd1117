package manifest_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/lethe-cache/lethe/pkg/manifest"
)

func TestAllProblemsOfAManifestComeTogether(t *testing.T) {
	t.Parallel()
	p := places(t, engines()[0], 1)[0]
	must(p.store.Apply(t.Context(), []byte(teamKind)))
	for name, tc := range map[string]struct {
		text string
		want []string
	}{
		"scalars, metadata, names and spec": {
			"apiVersion: 1\nkind: Team\nmetadata:\n  name: Red\n  generation: first\n  owner: me\n  labels: {a: 1, b: '-'}\nspec: {lead: 5, leed: x}\nextra: 1\n",
			[]string{
				"line 1: Team Red: apiVersion: it is 1; has to be text", "line 5: Team Red: metadata.generation: it is", "line 6: Team Red: metadata.owner: is no field here",
				"line 7: Team Red: metadata.labels.a: it is 1", "line 9: Team Red: extra: is no field here", `line 4: Team default/Red: metadata.name: "Red": use`,
				`metadata.labels.b: "-": use`, "spec.lead: is number", "spec.leed: is no field here; did you mean lead?",
			},
		},
		"a name that is a number is said once": {
			"apiVersion: example.dev/v1\nkind: Team\nmetadata: {name: 12}\nspec: {}\n",
			[]string{"metadata.name: it is 12; has to be text", "spec.lead: is required"},
		},
		"metadata that is none": {
			"apiVersion: example.dev/v1\nkind: Team\nmetadata: red\nspec: {}\n",
			[]string{"metadata: has to be an object", "spec.lead: is required"},
		},
		"a kind that nobody knows": {
			"apiVersion: example.dev/v1\nkind: Taem\nmetadata: {name: Red, labels: {-: x}}\nspec: {}\nstatsu: 1\n",
			[]string{"statsu: is no field here; did you mean status?", `kind: "Taem" is not known here`, `metadata.name: "Red": use`, "metadata.labels.-: use"},
		},
		"a Kind": {
			"apiVersion: lethe.dev/v1\nkind: Kind\nmetadata: {name: crew, namespace: a}\nspec:\n  apiVersion: Example\n  names: {kind: crew, plurel: x}\n  schema: {type: object, properties: {a: {format: nothing}}}\n  stale: x\n",
			[]string{"spec.names.plurel: is no field here; did you mean plural?", "spec.stale: is string, has to be array", "spec.schema.properties.a.format"},
		},
		"a Kind whose spec can be read": {
			"apiVersion: lethe.dev/v1\nkind: Kind\nmetadata: {name: crew, namespace: a}\nspec:\n  apiVersion: Example\n  names: {kind: crew, plurel: x}\n  schema: {type: object, properties: {a: {format: nothing}}}\n",
			[]string{"spec.names.plurel: is no field here", "spec.apiVersion: \"Example\": use a version", "spec.names.kind: ", "metadata.namespace: is \"a\"", "spec.schema.properties.a.format"},
		},
	} {
		_, err := p.store.Apply(t.Context(), []byte(tc.text))
		if !errors.Is(err, manifest.ErrInvalid) || len(manifest.Problems(err)) != len(tc.want) {
			t.Errorf("%s: %d problems, want %d:\n%v", name, len(manifest.Problems(err)), len(tc.want), err)
		}
		for _, want := range tc.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %s is not in\n%v", name, want, err)
			}
		}
		if _, diff := p.store.Diff(t.Context(), []byte(tc.text)); diff == nil || diff.Error() != err.Error() {
			t.Errorf("%s: a diff says\n%v", name, diff)
		}
	}
}

func TestAKindOfAnotherGroupTakesNoObjectsOver(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, e engine) {
		p := places(t, e, 1)[0]
		of := func(version string) string { return strings.Replace(teamKind, "example.dev/v1\n", version+"\n", 1) }
		if of("x/v1") == teamKind {
			t.Fatal("the kind is not changed")
		}
		must(p.store.Apply(t.Context(), []byte(of("other.dev/v1"))))
		must(p.store.Apply(t.Context(), []byte(of("example.dev/v1")))) // it has no objects
		must(p.store.Apply(t.Context(), []byte(teamRed)))
		for _, version := range []string{"other.dev/v1", "v1"} {
			_, err := p.store.Apply(t.Context(), []byte(of(version)))
			if !errors.Is(err, manifest.ErrInvalid) || !strings.Contains(err.Error(), `Kind default/team: spec.apiVersion: is "`+version+`", but the kind is that of "example.dev/v1", which has objects`) {
				t.Errorf("%s: %v", version, err)
			}
		}
		if o := must(p.store.Get(t.Context(), "team", "acme", "red")); o.APIVersion != "example.dev/v1" {
			t.Errorf("%+v", o)
		}
		must(p.store.Apply(t.Context(), []byte(of("example.dev/v2"))))
		if o := must(p.store.Get(t.Context(), "team", "acme", "red")); o.APIVersion != "example.dev/v2" {
			t.Errorf("%+v", o)
		}
		must(p.store.Delete(t.Context(), "Team", "acme", "red"))
		must(p.store.Apply(t.Context(), []byte(of("other.dev/v1"))))
	})
}

func TestNamesInSnakeCaseAreAppliedReferredToAndListed(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, e engine) {
		p := places(t, e, 1)[0]
		must(p.store.Apply(t.Context(), []byte(teamKind)))
		h := listen(t, p.node, p.store)
		red := strings.NewReplacer("name: red", "name: red_team", "namespace: acme", "namespace: acme_corp").Replace(teamRed)
		must(p.store.Apply(t.Context(), []byte(red)))
		if o := must(p.store.Get(t.Context(), "team", "acme_corp", "red_team")); o.Metadata.Name != "red_team" {
			t.Errorf("%+v", o)
		}
		if said := strings.Join(targets(h.events(t)), " "); !strings.Contains(said, "tag/team:acme_corp/red_team") {
			t.Error(said)
		}
		if _, err := p.store.Get(t.Context(), "team", "acmexcorp", "redxteam"); !errors.Is(err, manifest.ErrNotFound) {
			t.Errorf("an underscore stands for other characters: %v", err)
		}
		all, _, err := p.store.List(t.Context(), "team", manifest.ListOptions{Namespace: "acme_corp", Limit: 1})
		if err != nil || len(all) != 1 {
			t.Error(all, err)
		}
	})
}
