package manifest

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/lethe-cache/lethe/pkg/event"
)

// madeOf is what an object makes of a template.
func madeOf(t testing.TB, source, spec string) (string, error) {
	t.Helper()
	tm, err := parseTemplate(source)
	if err != nil {
		t.Fatalf("%s: %v", source, err)
	}
	values, err := asValues(Object{
		Metadata: Metadata{Name: "helper", Namespace: "acme", Labels: map[string]string{"team": "a", "example.dev/owner": "me", "empty": ""}, Annotations: map[string]string{"note": "x y"}},
		Spec:     json.RawMessage(spec),
	})
	if err != nil {
		t.Fatal(err)
	}
	targets, err := tm.targets(values)
	return tagsOf(targets), err
}

func TestTemplatesMakeTagsAndPrefixes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ source, spec, want string }{
		{"account:{spec.a}", `{"a":"x"}`, "account:x"},
		{"account:{spec.a}", `{"a":42}`, "account:42"},
		{"account:{spec.a}", `{"a":9007199254740993}`, "account:9007199254740993"},
		{"account:{spec.a}", `{"a":true}`, "account:true"},
		{"account:{spec.a}", `{"a":"x/y"}`, "account:x/y"},
		{"account:{spec.a}", `{}`, ""},
		{"account:{spec.a}", `{"a":null}`, ""},
		{"account:{spec.a}", `{"a":""}`, ""},
		{"account:{spec.a.b}", `{}`, ""},
		{"account:{spec.a.b}", `{"a":null}`, ""},
		{"account:{spec.a.b}", `{"a":{"b":"x"}}`, "account:x"},
		{"account:{spec.a}/", `{"a":"x"}`, "prefix/account:x/"},
		{"account:", `{}`, "prefix/account:"},
		{"account:all", `{}`, "account:all"},
		{"account:{{{spec.a}}", `{"a":"x"}`, "account:{x}"},
		{"team:{metadata.labels.team}/{metadata.namespace}", `{}`, "team:a/acme"},
		{"team:{metadata.labels.none}/{metadata.namespace}", `{}`, ""},
		{"team:{metadata.labels.empty}/{metadata.namespace}", `{}`, ""},
		{`owner:{metadata.labels["example.dev/owner"]}`, `{}`, "owner:me"},
		{"note:{metadata.annotations.note}:{metadata.name}", `{}`, "note:x y:helper"},
		{"p:{spec.a[]}", `{"a":["x","y","x"]}`, "p:x p:y p:x"},
		{"p:{spec.a[]}", `{"a":[]}`, ""},
		{"p:{spec.a[]}", `{}`, ""},
		{"p:{spec.a[]}", `{"a":["x",null,"y"]}`, "p:x p:y"},
		{"p:{spec.a[].n}/{spec.a[].v}", `{"a":[{"n":"x","v":1},{"n":"y"},{"n":"z","v":3}]}`, "p:x/1 p:z/3"},
		{"p:{spec.a[]}/{spec.b[]}", `{"a":["x","y"],"b":[1,2]}`, "p:x/1 p:x/2 p:y/1 p:y/2"},
		{"p:{spec.a[].n}/{spec.a[].b[]}", `{"a":[{"n":"x","b":[1,2]},{"n":"y","b":[3]}]}`, "p:x/1 p:x/2 p:y/3"},
		{"p:{spec.a[].b[]}/{spec.a[].n}", `{"a":[{"n":"x","b":[1,2]},{"n":"y","b":[3]}]}`, "p:1/x p:2/x p:3/y"},
		{"p:{spec.a[][]}", `{"a":[["x"],["y","z"]]}`, "p:x p:y p:z"},
		{"p:{spec.a[]}-{spec.a[]}", `{"a":["x","y"]}`, "p:x-x p:y-y"},
	} {
		if got, err := madeOf(t, c.source, c.spec); err != nil || got != c.want {
			t.Errorf("%s of %s: %q, %v; want %q", c.source, c.spec, got, err, c.want)
		}
	}
}

func TestWhatATemplateCannotUseIsAnErrorOfTheObject(t *testing.T) {
	t.Parallel()
	many := "[" + strings.Repeat(`"x",`, 200) + `"x"]`
	for _, c := range []struct{ source, spec, field string }{
		{"account:{spec.a}", `{"a":[1]}`, "spec.a"},
		{"account:{spec.a}", `{"a":{}}`, "spec.a"},
		{"account:{spec.a.b}", `{"a":"x"}`, "spec.a"},
		{"account:{spec.a[]}", `{"a":"x"}`, "spec.a"},
		{"account:{spec.a[].b}", `{"a":[{"b":"x"},{"b":[]}]}`, "spec.a[1].b"},
		{"account:{spec.a[].b}", `{"a":[{"b":"x"},"y"]}`, "spec.a[1]"},
		{"account:{spec.a[].b[].c}", `{"a":[{"b":[{"c":"x"}]},{"b":[{"c":"x"},{"c":{}}]}]}`, "spec.a[1].b[1].c"},
		{"account:{spec.a}", `{"a":"\u0001"}`, "spec.a"},
		{"account:{spec.a[]}", `{"a":["x","\u0001"]}`, "spec.a[1]"},
		{"account:{spec.a[]}/{spec.b[]}", `{"a":` + many + `,"b":` + many + `}`, "spec.b[196]"},
		{"account:{spec.a[]}{spec.b[]}{spec.c}", `{"a":` + many + `,"b":` + many + `}`, "spec.b"},
	} {
		got, err := madeOf(t, c.source, c.spec)
		if all := Problems(err); len(all) != 1 || all[0].Field != c.field {
			t.Errorf("%s of %s: %.50s, %v; want an error of field %s", c.source, clip(c.spec), got, err, c.field)
		}
	}
}

// A model of expansion that knows nothing of paths: two lists of objects and a list in each, by loops.
func TestExpansionIsThatOfNestedLoops(t *testing.T) {
	t.Parallel()
	type element struct {
		N string   `json:"n,omitempty"`
		B []string `json:"b,omitempty"`
	}
	type spec struct {
		A []element `json:"a,omitempty"`
		C []string  `json:"c,omitempty"`
	}
	word := rapid.StringMatching(`[a-z]{0,2}`)
	rapid.Check(t, func(t *rapid.T) {
		s := spec{
			A: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) element {
				return element{word.Draw(t, "n"), rapid.SliceOfN(word, 0, 3).Draw(t, "b")}
			}), 0, 4).Draw(t, "a"),
			C: rapid.SliceOfN(word, 0, 3).Draw(t, "c"),
		}
		var want []string
		for _, a := range s.A {
			for _, b := range a.B {
				for _, c := range s.C {
					if a.N != "" && b != "" && c != "" {
						want = append(want, event.Tag(fmt.Sprintf("p:%s/%s/%s", a.N, b, c)).String())
					}
				}
			}
		}
		text, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		tm, err := parseTemplate("p:{spec.a[].n}/{spec.a[].b[]}/{spec.c[]}")
		if err != nil {
			t.Fatal(err)
		}
		values, err := asValues(Object{Spec: text})
		if err != nil {
			t.Fatal(err)
		}
		targets, err := tm.targets(values)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, target := range targets {
			got = append(got, target.String())
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("%s: %v, want %v", text, got, want)
		}
	})
}

func TestAPathIsWrittenAsItIsRead(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"spec.a", "spec.a[].b", "spec.a[][]", `spec["a.b"][].c`, "metadata.labels.team", `metadata.annotations["example.dev/x"]`, "spec.a-b_c9"} {
		if p, err := parsePath(s); err != nil || p.String() != s {
			t.Errorf("%s: %s, %v", s, p, err)
		}
	}
	for _, s := range []string{"", "spec", "spec[]", "[]", "spec..a", "spec.a.", ".spec.a", "spec.a[", "spec.a[1]", "spec.a[x]", `spec["a]`, `spec["a"`, `["spec"].a`, "status.a", "metadata.name[]", "metadata.labels", "metadata.labels[]", "metadata.uid", "spec.a b", "spec.a[]b", "spec.ä", strings.Repeat("spec.", 70) + "a"} {
		if p, err := parsePath(s); err == nil {
			t.Errorf("%s is taken as %s", s, p)
		}
	}
}

func FuzzTemplate(f *testing.F) {
	for _, s := range []string{"account:{spec.a}", "p:{spec.a[].n}/{spec.a[].v}", "team:{metadata.labels.team}/{metadata.namespace}/", "x:{{}", "p:{spec.a[]}{spec.b[]}", `o:{metadata.labels["a/b"]}`, "a:{", "{spec.a}:x", ":"} {
		f.Add(s, `{"a":[{"n":"x","v":1},{"n":null}],"b":["y",2,true]}`)
	}
	f.Add("account:{spec.a}", `{"a":{"b":[1]}}`)
	f.Fuzz(func(t *testing.T, source, spec string) {
		tm, err := parseTemplate(source)
		if err != nil {
			return
		}
		text, err := canonical("spec", json.RawMessage(spec))
		if err != nil || text[0] != '{' {
			return
		}
		values, err := asValues(Object{Metadata: Metadata{Name: "n", Labels: map[string]string{"team": "a", "a/b": "c"}}, Spec: text})
		if err != nil {
			t.Fatal(err)
		}
		targets, err := tm.targets(values)
		if err != nil {
			if e := Problems(err); len(e) != 1 || e[0].Field == "" {
				t.Fatalf("%q: %v names no field", source, err)
			}
			return
		}
		family, _, _ := strings.Cut(strings.ReplaceAll(source, "{{", "{"), ":")
		for _, target := range targets {
			if target.Err() != nil || !strings.HasPrefix(target.Name(), family+":") || (target.Scope() == event.ScopePrefix) != tm.prefix {
				t.Fatalf("%q makes %v", source, target)
			}
		}
	})
}
