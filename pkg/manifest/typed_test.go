package manifest

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/lethe-cache/lethe/pkg/event"
)

type toolSpec struct {
	Name    string  `json:"name" jsonschema:"pattern=^[a-z]+$"`
	Retries int     `json:"retries,omitempty" jsonschema:"default=3,maximum=9"`
	Budget  *int64  `json:"budget,omitempty"`
	Rate    float64 `json:"rate,omitempty"`
}

type commonSpec struct {
	Account string `json:"account"`
}

type agentSpec struct {
	commonSpec
	Model   string            `json:"model,omitempty"`
	Tools   []toolSpec        `json:"tools"`
	Env     map[string]string `json:"env,omitempty"`
	Since   *time.Time        `json:"since,omitempty"`
	Timeout time.Duration     `json:"timeout,omitempty"`
	Extra   any               `json:"extra,omitempty"`
	Pair    [2]int            `json:"pair,omitzero"`
}

func agentKind() Kind[agentSpec] {
	return Kind[agentSpec]{
		APIVersion: "example.dev/v1", Name: "Agent", ShortNames: []string{"Ag"},
		Default: func(s *agentSpec) {
			if s.Model == "" {
				s.Model = "small"
			}
		},
		Validate: func(m Manifest[agentSpec]) error {
			switch {
			case m.Spec.Model == "none":
				return &Error{Field: "spec.model", Reason: "none is no model; use small"}
			case m.Metadata.Name == m.Spec.Account:
				return errors.New("an agent can't have the name of its account")
			}
			return nil
		},
		Stale: func(m Manifest[agentSpec]) []event.Target {
			return []event.Target{event.Tag("account:" + m.Spec.Account), event.Tag("account:" + m.Spec.Account), event.TagPrefix("region:" + m.Metadata.Namespace + "/")}
		},
		References: func(m Manifest[agentSpec]) []Reference {
			var all []Reference
			for _, tool := range m.Spec.Tools {
				all = append(all, Reference{Kind: "Plugin", Name: tool.Name})
			}
			return all
		},
	}
}

const agent = `
apiVersion: example.dev/v1
kind: Agent
metadata: {name: helper, namespace: acme}
spec:
  account: acme
  tools: [{name: x, budget: 9007199254740993}, {name: y, retries: 1}]
  extra: {n: 9007199254740993}
`

// quiet discards.
var quiet = slog.New(slog.DiscardHandler)

func typedOf[S any](t testing.TB, k Kind[S]) *shape {
	t.Helper()
	s, err := typed(k, quiet)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestATypedKindFillsDefaultsAndTellsWhatAChangeMakesStale(t *testing.T) {
	t.Parallel()
	s := typedOf(t, agentKind())
	o, err := s.prepare(objectOf(t, agent))
	if err != nil {
		t.Fatal(err)
	}
	const spec = `{"account":"acme","extra":{"n":9007199254740993},"model":"small","tools":[{"budget":9007199254740993,"name":"x","retries":3},{"name":"y","retries":1}]}`
	if string(o.Spec) != spec {
		t.Errorf("stored as %s", o.Spec)
	}
	again, err := s.prepare(o)
	if err != nil || string(again.Spec) != spec {
		t.Errorf("what was prepared becomes %s, %v", again.Spec, err)
	}
	targets, err := s.stale(o)
	if got := tagsOf(targets); err != nil || got != "account:acme prefix/region:acme/" {
		t.Errorf("stale: %s, %v", got, err)
	}
	references, err := s.references(o)
	if got := fmt.Sprint(references); err != nil || got != "[{Plugin acme x} {Plugin acme y}]" {
		t.Errorf("references: %s, %v", got, err)
	}
	if !matchName(s, "ag") || !matchName(s, "Agents") {
		t.Error("its names do not find it")
	}
	m, err := decode[agentSpec](guard{log: quiet}, o)
	if err != nil || *m.Spec.Tools[0].Budget != 9007199254740993 || m.Metadata.Name != "helper" {
		t.Errorf("%+v, %v", m, err)
	}
}

func TestWhatGoWritesIsWhatYAMLWrites(t *testing.T) {
	t.Parallel()
	s := typedOf(t, agentKind())
	yaml, err := s.prepare(objectOf(t, strings.Replace(agent, "tools:", "env:\n  since: null\n  tools: []\n  x:", 1)))
	if err == nil {
		t.Fatalf("a field x was taken: %s", yaml.Spec)
	}
	yaml, err = s.prepare(objectOf(t, "apiVersion: example.dev/v1\nkind: Agent\nmetadata: {name: helper}\nspec: {account: acme, tools: , env: , since: null, timeout: 0, pair: [0, 0]}"))
	if err != nil {
		t.Fatal(err)
	}
	spec := agentSpec{commonSpec: commonSpec{Account: "acme"}} // tools are nil, which JSON writes as null
	goes, err := s.prepare(Object{APIVersion: "example.dev/v1", Kind: "Agent", Metadata: Metadata{Name: "helper"}, Spec: rawOf(t, spec)})
	if err != nil || string(goes.Spec) != string(yaml.Spec) || string(goes.Spec) != `{"account":"acme","model":"small","tools":[]}` {
		t.Errorf("from Go %s, from YAML %s, %v", goes.Spec, yaml.Spec, err)
	}
}

func TestATypedKindRefusesByField(t *testing.T) {
	t.Parallel()
	s := typedOf(t, agentKind())
	for _, c := range []struct {
		name, old, new string
		want           []string
	}{
		{"unknown field", "account: acme", "account: acme\n  modell: x", []string{"spec.modell: is no field here; did you mean model?"}},
		{"unknown field in a list", "{name: x,", "{name: x, nam: y,", []string{"spec.tools[0].nam: is no field here; did you mean name?"}},
		{"another case, which encoding/json would take", "account: acme", "Account: acme", []string{"spec.Account: is no field here; did you mean account?", "spec.account: is required"}},
		{"missing", "account: acme\n", "\n", []string{"spec.account: is required"}},
		{"missing in a list", "name: y, ", "", []string{"spec.tools[1].name: is required"}},
		{"wrong type", "account: acme", "account: [acme]", []string{"spec.account: is array, has to be string"}},
		{"wrong type in a list", "retries: 1", "retries: one", []string{"spec.tools[1].retries: is string, has to be integer"}},
		{"a fraction where whole numbers are", "retries: 1", "retries: 1.5", []string{"spec.tools[1].retries: is number, has to be integer"}},
		{"a number beyond the type", "budget: 9007199254740993", "budget: 9223372036854775808", []string{"spec.tools.budget: is number 9223372036854775808, has to be int64"}},
		{"tag of the struct", "name: y", "name: Y", []string{"spec.tools[1].name: 'Y' does not match pattern '^[a-z]+$'"}},
		{"bound of the struct", "retries: 1", "retries: 10", []string{"spec.tools[1].retries: maximum: got 10, want 9"}},
		{"no time", "account: acme", "account: acme\n  since: yesterday", []string{"spec.since: 'yesterday' is not valid date-time"}},
		{"too many for an array", "account: acme", "account: acme\n  pair: [1, 2, 3]", []string{"spec.pair: has 3 elements, at most 2 are allowed"}},
		{"Validate names a field", "account: acme", "account: acme\n  model: none", []string{"spec.model: none is no model; use small"}},
		{"Validate names none", "account: acme", "account: helper", []string{"spec: an agent can't have the name of its account"}},
		{"spec is no object", "spec:", "spec: [1]\nstatus:", []string{"spec: it is [1]; has to be an object"}},
		{"no spec", "spec:", "status:", []string{"spec.account: is required", "spec.tools: is required"}},
		{"what it makes stale is illegal", "account: acme", `account: "a\nb"`, []string{": what kind Agent says a change makes stale is illegal"}},
	} {
		if !strings.Contains(agent, c.old) {
			t.Fatalf("%s: %q is not in the manifest", c.name, c.old)
		}
		_, err := s.prepare(objectOf(t, strings.Replace(agent, c.old, c.new, 1)))
		wantRefusal(t, c.name, err, c.want...)
	}
}

func TestCodeOfAKindThatPanicsRefusesTheManifest(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Kind[agentSpec]){
		"Default": func(k *Kind[agentSpec]) {
			k.Default = func(*agentSpec) { panic("no luck\nat all " + strings.Repeat("x", 1000)) }
		},
		"Validate": func(k *Kind[agentSpec]) {
			k.Validate = func(Manifest[agentSpec]) error { panic("no luck\nat all " + strings.Repeat("x", 1000)) }
		},
		"Stale": func(k *Kind[agentSpec]) {
			k.Stale = func(Manifest[agentSpec]) []event.Target { panic("no luck\nat all " + strings.Repeat("x", 1000)) }
		},
		"References": func(k *Kind[agentSpec]) {
			k.References = func(Manifest[agentSpec]) []Reference { panic("no luck\nat all " + strings.Repeat("x", 1000)) }
		},
	} {
		k := agentKind()
		change(&k)
		var log strings.Builder
		s, err := typed(k, slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Errorf("%s: %v; an example that was made up is no reason to refuse a kind", name, err)
			continue
		}
		_, err = s.prepare(objectOf(t, agent))
		if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), name+" of the kind panicked: no luck at all x") {
			t.Errorf("%s: %v", name, err)
		}
		if text := err.Error(); strings.Contains(text, "goroutine") || strings.Contains(text, "\n") || len(text) > 300 {
			t.Errorf("%s: the error, which reaches a client, has the stack: %s", name, text)
		}
		if said := log.String(); !strings.Contains(said, "typed_test.go") || !strings.Contains(said, "kind=Agent in="+name) {
			t.Errorf("%s: the log lacks the stack: %s", name, said)
		}
	}
}

func TestDefaultsOfAKindHaveToFitItsSchema(t *testing.T) {
	t.Parallel()
	k := agentKind()
	k.Default = func(s *agentSpec) { s.Tools = []toolSpec{{Name: "NO"}} }
	_, err := typedOf(t, k).prepare(objectOf(t, agent))
	wantRefusal(t, "default", err, "spec.tools[0].name: 'NO' does not match pattern '^[a-z]+$' (with the defaults of the kind)")
}

type lost struct {
	Name   string `json:"name"`
	secret string
}

type dashed struct {
	Name string `json:"-"`
}

type half struct{ N int }

func (half) MarshalJSON() ([]byte, error) { return []byte("1"), nil }

type inner struct {
	C chan int `json:"c"`
}

func TestASpecThatJSONLosesAPartOfCannotBeRegistered(t *testing.T) {
	t.Parallel()
	_ = lost{}.secret
	check := func(err error, want string) {
		t.Helper()
		wantRefusal(t, want, err, "S: "+want)
	}
	refuse := func(k string, err error) error {
		if err == nil {
			t.Errorf("%s was registered", k)
		}
		return err
	}
	_, err := typed(Kind[lost]{APIVersion: "v1", Name: "K"}, quiet)
	check(refuse("lost", err), "manifest.lost.secret is unexported")
	_, err = typed(Kind[dashed]{APIVersion: "v1", Name: "K"}, quiet)
	check(refuse("dashed", err), "manifest.dashed.Name is left out by its tag")
	clash := reflect.StructOf([]reflect.StructField{{Name: "A", Type: reflect.TypeFor[int](), Tag: `json:"x"`}, {Name: "B", Type: reflect.TypeFor[int](), Tag: `json:"x"`}})
	if err := checkSpec(clash); err == nil || !strings.Contains(err.Error(), `.A have the same name "x" in JSON`) {
		t.Error(err)
	}
	_, err = typed(Kind[struct{ H half }]{APIVersion: "v1", Name: "K"}, quiet)
	check(refuse("half", err), "struct { H manifest.half }.H has one of MarshalJSON and UnmarshalJSON without the other")
	_, err = typed(Kind[struct{ All []map[string]inner }]{APIVersion: "v1", Name: "K"}, quiet)
	check(refuse("chan", err), "struct { All []map[string]manifest.inner }.All[][].C is a chan")
	_, err = typed(Kind[struct{ E error }]{APIVersion: "v1", Name: "K"}, quiet)
	check(refuse("interface", err), "struct { E error }.E is an interface")
	_, err = typed(Kind[struct{ M map[float64]string }]{APIVersion: "v1", Name: "K"}, quiet)
	check(refuse("map", err), "struct { M map[float64]string }.M has keys of type float64")
	_, err = typed(Kind[struct{ *commonSpec }]{APIVersion: "v1", Name: "K"}, quiet)
	check(refuse("embedded", err), "struct { *manifest.commonSpec }.commonSpec is an embedded pointer")
	_, err = typed(Kind[string]{APIVersion: "v1", Name: "K"}, quiet)
	check(refuse("string", err), "string: a spec is an object")
	_, err = typed(Kind[*agentSpec]{APIVersion: "v1", Name: "K"}, quiet)
	check(refuse("pointer", err), "*manifest.agentSpec: a spec is an object")
}

func TestARegistrationIsRefusedByField(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*Kind[agentSpec])
		want   []string
	}{
		{"as it is", func(*Kind[agentSpec]) {}, nil},
		{"empty", func(k *Kind[agentSpec]) { *k = Kind[agentSpec]{} }, []string{"APIVersion: ", "kind: "}},
		{"names", func(k *Kind[agentSpec]) { k.Plural, k.ShortNames = "Agents!", []string{"ag", "ag"} }, []string{`plural: "agents!": use`, `shortNames[1]: "ag" is shortNames[0] already`}},
		{"schema that is no JSON", func(k *Kind[agentSpec]) { k.Schema = json.RawMessage("{") }, []string{"Schema: "}},
		{"schema that is none", func(k *Kind[agentSpec]) { k.Schema = json.RawMessage(`{"type":"object","required":1}`) }, []string{"Schema.required: is no JSON Schema"}},
		{"a default its schema refuses", func(k *Kind[agentSpec]) {
			k.Schema = json.RawMessage(`{"type":"object","properties":{"model":{"type":"string","default":1}}}`)
		}, []string{"Schema.properties.model.default: is refused by its own schema"}},
		{"example", func(k *Kind[agentSpec]) {
			k.Example = Manifest[agentSpec]{Metadata: Metadata{Name: "Helper"}, Spec: agentSpec{Model: "none"}}
		}, []string{"Example.metadata.name: ", "Example.spec.model: none is no model"}},
	} {
		k := agentKind()
		c.change(&k)
		_, err := typed(k, quiet)
		wantRefusal(t, c.name, err, c.want...)
	}
}

func TestAnExampleOfATypedKindIsWhole(t *testing.T) {
	t.Parallel()
	k := agentKind()
	k.Example = Manifest[agentSpec]{Metadata: Metadata{Name: "helper"}, Spec: agentSpec{commonSpec: commonSpec{"acme"}}}
	s := typedOf(t, k)
	if want := `{"apiVersion":"example.dev/v1","kind":"Agent","metadata":{"namespace":"default","name":"helper"},"spec":{"account":"acme","model":"small","tools":[]}}`; string(s.example) != want {
		t.Errorf("%s", s.example)
	}
	k = agentKind()
	k.Validate = nil // which refuses an agent that is called like its account
	made := typedOf(t, k)
	if o, err := readObject(made.example); err != nil {
		t.Error(err)
	} else if _, err := made.prepare(o); err != nil {
		t.Errorf("%s: %v", made.example, err)
	}
}

func TestASchemaByHandIsTakenInsteadOfTheTypes(t *testing.T) {
	t.Parallel()
	k := agentKind()
	k.Stale = nil
	k.Schema = json.RawMessage(`{"type":"object","required":["model"],"properties":{"account":{"type":"string"},"model":{"type":"string","minLength":3},"tools":{"type":"array","default":[]}}}`)
	s := typedOf(t, k)
	_, err := s.prepare(objectOf(t, "apiVersion: example.dev/v1\nkind: Agent\nmetadata: {name: helper}\nspec: {model: ab, env: {}}"))
	wantRefusal(t, "by hand", err, "spec.model: minLength: got 2, want 3", "spec.env: is no field here; there are account, model, tools")
	o, err := s.prepare(objectOf(t, "apiVersion: example.dev/v1\nkind: Agent\nmetadata: {name: helper}\nspec: {model: abc}"))
	if err != nil || string(o.Spec) != `{"account":"","model":"abc","tools":[]}` {
		t.Errorf("%s, %v", o.Spec, err)
	}
}

func TestASpecMayBeAMap(t *testing.T) {
	t.Parallel()
	s := typedOf(t, Kind[map[string]int]{APIVersion: "v1", Name: "Table"})
	o, err := s.prepare(objectOf(t, "apiVersion: v1\nkind: Table\nmetadata: {name: x}\nspec: {b: 2.0, a: 1}"))
	if err != nil || string(o.Spec) != `{"a":1,"b":2}` {
		t.Errorf("%s, %v", o.Spec, err)
	}
}

// Two types of one name, in two places.
func twins() Kind[struct {
	A struct{ X tool } `json:"a"`
	B toolB            `json:"b"`
}] {
	return Kind[struct {
		A struct{ X tool } `json:"a"`
		B toolB            `json:"b"`
	}]{APIVersion: "v1", Name: "Twin"}
}

type (
	tool  struct{ One string }
	toolB struct{ Tool box[int] }
)

type box[T any] struct{ V T }

func TestSchemasOfGenericAndEqualNamedTypesAreKeptApart(t *testing.T) {
	t.Parallel()
	type tool struct{ Two string }
	k := Kind[struct {
		A tool      `json:"a"`
		B toolOuter `json:"b"`
	}]{APIVersion: "v1", Name: "Twin"}
	s := typedOf(t, k)
	if _, err := s.prepare(objectOf(t, "apiVersion: v1\nkind: Twin\nmetadata: {name: x}\nspec: {a: {Two: x}, b: {T: {One: y}}}")); err != nil {
		t.Error(err)
	}
	s = typedOf(t, twins())
	if _, err := s.prepare(objectOf(t, "apiVersion: v1\nkind: Twin\nmetadata: {name: x}\nspec: {a: {X: {One: x}}, b: {Tool: {V: 1}}}")); err != nil {
		t.Error(err)
	}
}

type toolOuter struct{ T tool }
