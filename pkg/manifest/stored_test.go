package manifest

import (
	"fmt"
	"strings"
	"testing"
)

const botKind = `
apiVersion: lethe.dev/v1
kind: Kind
metadata: {name: chatbot}
spec:
  apiVersion: example.dev/v1
  names: {kind: Chatbot, shortNames: [bot]}
  schema:
    type: object
    required: [account, model]
    properties:
      account: {type: string}
      model: {type: string, enum: [small, large]}
      temperature: {type: number, minimum: 0, maximum: 2, default: 0.7}
      plugins: {type: array, items: {type: string}, default: []}
      home: {type: string, format: uri-reference}
      tools:
        type: array
        items:
          type: object
          required: [name]
          properties:
            name: {type: string}
            retries: {type: integer, default: 3}
            limits: {$ref: '#/$defs/limits'}
      free: {type: object}
      env: {type: object, additionalProperties: {type: object, properties: {value: {type: string, default: none}}}}
    $defs:
      limits: {type: object, properties: {seconds: {type: integer, default: 30}}}
  stale:
  - account:{spec.account}
  - team:{metadata.labels.team}/{metadata.namespace}
  - tool:{spec.tools[].name}
  references:
  - {kind: Plugin, field: 'spec.plugins[]'}
`

const bot = `
apiVersion: example.dev/v1
kind: Chatbot
metadata: {name: helper, namespace: acme, labels: {team: a}}
spec:
  model: small
  account: acme
  plugins: [search, other/mail, search]
  tools: [{name: x}, {name: y, retries: 1, limits: {}}]
  env: {A: {}}
`

func TestAStoredKindFillsDefaultsAndTellsWhatAChangeMakesStale(t *testing.T) {
	t.Parallel()
	s := kindOf(t, botKind)
	if s.apiVersion != "example.dev/v1" || s.kind != "Chatbot" || s.plural != "chatbots" || s.family != "chatbot" || fmt.Sprint(s.shortNames) != "[bot]" {
		t.Errorf("%+v", s)
	}
	o, err := s.prepare(objectOf(t, bot))
	if err != nil {
		t.Fatal(err)
	}
	const spec = `{"account":"acme","env":{"A":{"value":"none"}},"model":"small","plugins":["search","other/mail","search"],"temperature":0.7,` +
		`"tools":[{"name":"x","retries":3},{"limits":{"seconds":30},"name":"y","retries":1}]}`
	if string(o.Spec) != spec {
		t.Errorf("stored as %s", o.Spec)
	}
	again, err := s.prepare(o)
	if err != nil || string(again.Spec) != spec {
		t.Errorf("what was prepared becomes %s, %v", again.Spec, err)
	}
	targets, err := s.stale(o)
	if got := tagsOf(targets); err != nil || got != "account:acme team:a/acme tool:x tool:y" {
		t.Errorf("stale: %s, %v", got, err)
	}
	references, err := s.references(o)
	if got := fmt.Sprint(references); err != nil || got != "[{Plugin acme search} {Plugin other mail}]" {
		t.Errorf("references: %s, %v", got, err)
	}
}

func TestAStoredKindRefusesByField(t *testing.T) {
	t.Parallel()
	s := kindOf(t, botKind)
	for _, c := range []struct {
		name, old, new string
		want           []string
	}{
		{"nothing", "", "", nil},
		{"unknown field", "model: small", "model: small\n  modell: large", []string{"spec.modell: is no field here; did you mean model?"}},
		{"unknown field in a list", "{name: x}", "{name: x, namee: y, b: 1}", []string{"spec.tools[0].namee: is no field here; did you mean name?", "spec.tools[0].b: is no field here; there are limits, name, retries"}},
		{"unknown field behind $ref", "limits: {}", "limits: {minutes: 1}", []string{"spec.tools[1].limits.minutes: is no field here; there are seconds"}},
		{"unknown field in a map", "{A: {}}", "{A: {v: x}}", []string{"spec.env.A.v: is no field here"}},
		{"wrong type", "account: acme", "account: 42", []string{"spec.account: is number, has to be string"}},
		{"no text where YAML has null", "account: acme", "account:", []string{"spec.account: is null, has to be string"}},
		{"missing", "account: acme\n", "\n", []string{"spec.account: is required"}},
		{"missing in a list", "{name: x}", "{}", []string{"spec.tools[0].name: is required"}},
		{"enum", "model: small", "model: medium", []string{"spec.model: value must be one of 'small', 'large'"}},
		{"range", "account: acme", "account: acme\n  temperature: 2.5", []string{"spec.temperature: maximum: got 2.5, want 2"}},
		{"format", "account: acme", "account: acme\n  home: 'a b'", []string{"spec.home: 'a b' is not valid uri-reference"}},
		{"several", "model: small\n  account: acme", "modell: 1", []string{"spec.account: is required", "spec.model: is required", "spec.modell: is no field here"}},
		{"apiVersion", "example.dev/v1", "example.dev/v2", []string{`apiVersion: is "example.dev/v2"; a Chatbot has example.dev/v1`}},
		{"kind", "kind: Chatbot", "kind: Plugin", []string{`kind: is "Plugin"; use Chatbot`}},
		{"a template's tag is illegal", "account: acme", `account: "a\u0007b"`, []string{"spec.account: makes no legal tag of account:{spec.account}: "}},
		{"a template's tag is too long", "account: acme", "account: " + strings.Repeat("x", 513), []string{"spec.account: makes no legal tag of account:{spec.account}: "}},
		{"a reference is no name", "other/mail", "Mail", []string{`spec.plugins[1]: "Mail": has to name a Plugin, as NAME or NAMESPACE/NAME`}},
		{"a reference has levels", "other/mail", "a/b/c", []string{`spec.plugins[1]: "a/b/c": has to name a Plugin`}},
		{"a free object is still an object", "account: acme", "account: acme\n  free: [1]", []string{"spec.free: is array, has to be object"}},
	} {
		if !strings.Contains(bot, c.old) {
			t.Fatalf("%s: %q is not in the manifest", c.name, c.old)
		}
		_, err := s.prepare(objectOf(t, strings.Replace(bot, c.old, c.new, 1)))
		wantRefusal(t, c.name, err, c.want...)
		for _, e := range Problems(err) {
			if e.Name != "helper" || e.Namespace != "acme" || e.Kind == "" {
				t.Errorf("%s: %+v does not name its object", c.name, e)
			}
		}
	}
}

func TestAFreeObjectKeepsWhatItIsGiven(t *testing.T) {
	t.Parallel()
	s := kindOf(t, strings.Replace(botKind, "free: {type: object}", "free: {type: object, properties: {a: {type: string}}, additionalProperties: true}", 1))
	o, err := s.prepare(objectOf(t, strings.Replace(bot, "account: acme", "account: acme\n  free: {b: 1}", 1)))
	if err != nil || !strings.Contains(string(o.Spec), `"free":{"b":1}`) {
		t.Errorf("%s, %v", o.Spec, err)
	}
}

func TestAKindIsRefusedByField(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, old, new string
		want           []string
	}{
		{"as it is", "", "", nil},
		{"unknown field", "  stale:", "  scope: x\n  stale:", []string{"spec.scope: is no field here; there are apiVersion, example, names, references, schema, stale"}},
		{"no schema", "schema:", "$schema:", []string{"spec.$schema: is no field here", "spec.schema: is required"}},
		{"schema of a list", "    type: object\n    required", "    type: array\n    required", []string{"spec.schema: has to be a JSON Schema with type: object"}},
		{"schema of anything", "    type: object\n    required", "    required", []string{"spec.schema: has to be a JSON Schema with type: object"}},
		{"type that is none", "account: {type: string}", "account: {type: text}", []string{"spec.schema.properties.account.type: is no JSON Schema: "}},
		{"required that is no list", "required: [account, model]", "required: account", []string{"spec.schema.required: is no JSON Schema: is string, has to be array"}},
		{"a pattern that is none", "account: {type: string}", "account: {type: string, pattern: '('}", []string{"spec.schema.properties.account.pattern: is no JSON Schema"}},
		{"a $ref to nowhere", "#/$defs/limits", "#/$defs/nothing", []string{`spec.schema: #/properties/tools/items/properties/limits refers to "#/$defs/nothing", which is not in it`}},
		{"a $ref to elsewhere", "'#/$defs/limits'", "https://example.dev/x.json", []string{"spec.schema: #/properties/tools/items/properties/limits refers to"}},
		{"a name that hides where it is", "limits: {type: object,", "limits: {$anchor: x, type: object,", []string{"spec.schema: #/$defs/limits has $anchor; put"}},
		{"a property called like a keyword", "account: {type: string}", "account: {type: string}\n      $ref: {type: string}\n      $id: {type: string, default: {$ref: x}}", []string{"spec.schema.properties.$id.default: is refused"}},
		{"a $ref to a file", "'#/$defs/limits'", "file:///etc/passwd", []string{"spec.schema: #/properties/tools/items/properties/limits refers to"}},
		{"a $ref to itself", "limits: {type: object,", "limits: {$ref: '#/$defs/limits', type: object,", []string{"spec.schema: #/$defs/limits refers to itself"}},
		{"another draft", "    type: object\n    required", "    $schema: http://json-schema.org/draft-04/schema#\n    type: object\n    required", []string{"spec.schema: $schema has to be https://json-schema.org/draft/2020-12/schema"}},
		{"a default its schema refuses", "default: 0.7", "default: 7", []string{"spec.schema.properties.temperature.default: is refused by its own schema"}},
		{"a default of another type", "default: 3", "default: three", []string{"spec.schema.properties.tools.items.properties.retries.default: is refused"}},
		{"bad kind", "kind: Chatbot", "kind: chatbot", []string{`spec.names.kind: "chatbot": use an upper-case letter`}},
		{"a kind that is taken", "name: chatbot}\nspec:\n  apiVersion: example.dev/v1\n  names: {kind: Chatbot", "name: list}\nspec:\n  apiVersion: example.dev/v1\n  names: {kind: List", []string{"spec.names.kind: List is taken", `spec.names.plural: "lists" is taken`}},
		{"the kind of kinds", "name: chatbot}\nspec:\n  apiVersion: example.dev/v1\n  names: {kind: Chatbot", "name: kind}\nspec:\n  apiVersion: example.dev/v1\n  names: {kind: Kind", []string{"spec.names.kind: Kind is taken"}},
		{"the kind of kinds, again", "name: chatbot}\nspec:\n  apiVersion: example.dev/v1\n  names: {kind: Chatbot", "name: kind}\nspec:\n  apiVersion: lethe.dev/v1\n  names: {kind: Kind", []string{"spec.names.kind: Kind is taken"}},
		{"another name", "name: chatbot", "name: bot", []string{`metadata.name: is "bot"; a kind goes by its name in lower case, "chatbot"`}},
		{"another namespace", "name: chatbot", "name: chatbot, namespace: acme", []string{`metadata.namespace: is "acme"; kinds are in "default"`}},
		{"bad plural", "kind: Chatbot,", "kind: Chatbot, plural: Chat Bots,", []string{`spec.names.plural: "Chat Bots": use a lower-case letter`}},
		{"bad short name", "[bot]", "[-b]", []string{`spec.names.shortNames[0]: "-b": use`}},
		{"short name is the plural", "[bot]", "[bot, chatbots]", []string{`spec.names.shortNames[1]: "chatbots" is spec.names.plural already`}},
		{"short name is the kind", "[bot]", "[chatbot]", []string{`spec.names.shortNames[0]: "chatbot" is spec.names.kind already`}},
		{"short name twice", "[bot]", "[bot, bot]", []string{`spec.names.shortNames[1]: "bot" is spec.names.shortNames[0] already`}},
		{"bad apiVersion", "  apiVersion: example.dev/v1\n  names", "  apiVersion: Example/v1/x\n  names", []string{`spec.apiVersion: "Example/v1/x": use a version`}},
		{"template is not closed", "account:{spec.account}", "account:{spec.account", []string{`spec.stale[0]: "account:{spec.account": the { at 9 is not closed`}},
		{"template without family", "account:{spec.account}", "'{spec.account}:x'", []string{`spec.stale[0]: "{spec.account}:x": begin with a family`}},
		{"template with a bad family", "account:{spec.account}", "Account:{spec.account}", []string{`spec.stale[0]: `}},
		{"template with another root", "account:{spec.account}", "account:{status.account}", []string{"spec.stale[0]: {status.account}: only metadata and spec can be used"}},
		{"template with other metadata", "account:{spec.account}", "account:{metadata.uid}", []string{"spec.stale[0]: {metadata.uid}: of metadata, only"}},
		{"template with a mistyped field", "account:{spec.account}", "account:{spec.acount}", []string{"spec.stale[0]: spec.acount is no field by the schema; did you mean account?"}},
		{"template of a list", "account:{spec.account}", "account:{spec.plugins}", []string{"spec.stale[0]: spec.plugins is no single value by the schema; put [] behind a list"}},
		{"template of no list", "account:{spec.account}", "'account:{spec.account[]}'", []string{"spec.stale[0]: spec.account is no list by the schema"}},
		{"template of one element", "account:{spec.account}", "'account:{spec.plugins[0]}'", []string{"spec.stale[0]: {spec.plugins[0]}: [] is every element of a list"}},
		{"template of an object", "account:{spec.account}", "account:{spec.free}", []string{"spec.stale[0]: spec.free is no single value by the schema; use one of its fields"}},
		{"template without placeholders that is no tag", "account:{spec.account}", "'account:'", nil},
		{"reference to a bad kind", "kind: Plugin", "kind: plugin", []string{`spec.references[0].kind: "plugin": use an upper-case`}},
		{"reference by a mistyped field", "spec.plugins[]", "spec.plugin[]", []string{`spec.references[0].field: "spec.plugin[]": spec.plugin is no field by the schema; did you mean plugins?`}},
		{"reference without a field", "'spec.plugins[]'", "''", []string{`spec.references[0].field: "": is empty`}},
		{"an example the schema refuses", "  stale:", "  example: {spec: {account: 1}}\n  stale:", []string{"spec.example.spec.account: is number, has to be string", "spec.example.spec.model: is required"}},
		{"an example with bad metadata", "  stale:", "  example: {metadata: {nam: x}, spec: {account: a, model: small}}\n  stale:", []string{"spec.example.metadata.nam: is no field here; did you mean name?"}},
		{"an example of another kind", "  stale:", "  example: {kind: Plugin, spec: {account: a, model: small}}\n  stale:", []string{`spec.example.kind: is "Plugin"; use Chatbot`}},
	} {
		if !strings.Contains(botKind, c.old) {
			t.Fatalf("%s: %q is not in the manifest", c.name, c.old)
		}
		_, err := kindKind().prepare(objectOf(t, strings.Replace(botKind, c.old, c.new, 1)))
		wantRefusal(t, c.name, err, c.want...)
	}
}

func TestTheKindOfKindsHasAValidExample(t *testing.T) {
	t.Parallel()
	s := kindKind()
	o, err := readObject(s.example)
	if err != nil {
		t.Fatal(err)
	}
	ready, err := s.prepare(o)
	if err != nil {
		t.Fatal(err)
	}
	made, err := stored(ready)
	if err != nil {
		t.Fatal(err)
	}
	example, err := readObject(made.example)
	if err != nil || example.Metadata.Name != "helper" {
		t.Fatalf("%s, %v", made.example, err)
	}
	if _, err := made.prepare(example); err != nil {
		t.Error(err)
	}
	if targets, err := s.stale(ready); len(targets) != 0 || err != nil {
		t.Errorf("a kind makes %v stale, %v", targets, err)
	}
}

func TestAKindIsFoundByAllItsNames(t *testing.T) {
	t.Parallel()
	s := kindOf(t, botKind)
	for name, want := range map[string]bool{"Chatbot": true, "chatbot": true, "CHATBOTS": true, "Bot": true, "bots": false, "": false, "chat": false} {
		if matchName(s, name) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
	for kind, want := range map[string]string{"Chatbot": "chatbots", "Policy": "policies", "Key": "keys", "Box": "boxes", "Class": "classes", "Batch": "batches", "Y": "ys"} {
		if got := plural(kind); got != want {
			t.Errorf("%s: %s, want %s", kind, got, want)
		}
	}
}

func TestAnExampleIsMadeFromTheSchema(t *testing.T) {
	t.Parallel()
	s := kindOf(t, botKind)
	o, err := readObject(s.example)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"account":"example","model":"small","plugins":[],"temperature":0.7}`; string(o.Spec) != want || o.Metadata.Annotations != nil {
		t.Errorf("%s", s.example)
	}
	if _, err := s.prepare(o); err != nil {
		t.Error(err)
	}
	s = kindOf(t, strings.Replace(botKind, "account: {type: string}", "account: {type: string, pattern: '^[0-9]{3}$'}", 1))
	o, err = readObject(s.example)
	if err != nil || !strings.Contains(o.Metadata.Annotations["lethe.dev/note"], "skeleton") {
		t.Errorf("%s, %v: a skeleton has to say that it is one", s.example, err)
	}
}
