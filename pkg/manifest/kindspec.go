package manifest

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/lethe-cache/lethe/internal/document"
	"github.com/lethe-cache/lethe/pkg/event"
)

// Kinds are kept as manifests of this kind.
const (
	kindOfKinds = "Kind"
	kindVersion = "lethe.dev/v1"
)

// kindSpec is the spec of a manifest of kind Kind.
type kindSpec struct {
	APIVersion string          `json:"apiVersion"`
	Names      kindNames       `json:"names"`
	Schema     json.RawMessage `json:"schema"`
	Status     json.RawMessage `json:"statusSchema"`
	Stale      []string        `json:"stale"`
	References []kindReference `json:"references"`
	Example    *kindExample    `json:"example"`
}

type kindNames struct {
	Kind       string   `json:"kind"`
	Plural     string   `json:"plural"`
	ShortNames []string `json:"shortNames"`
}

type kindReference struct {
	Kind  string `json:"kind"`
	Field string `json:"field"`
}

// kindExample is a manifest of which the kind and most of the metadata may be left out.
type kindExample struct {
	APIVersion string          `json:"apiVersion"`
	Kind       string          `json:"kind"`
	Metadata   json.RawMessage `json:"metadata"`
	Spec       json.RawMessage `json:"spec"`
}

// kindSchema is the schema of kindSpec. What can be said in words of schemas is said here, the rest by stored.
const kindSchema = `{
  "type": "object",
  "description": "A kind of manifests: its names, the schema of its specs, and what a change of one makes stale.",
  "required": ["apiVersion", "names", "schema"],
  "properties": {
    "apiVersion": {"type": "string", "description": "That of its manifests, like example.dev/v1."},
    "names": {
      "type": "object",
      "required": ["kind"],
      "properties": {
        "kind": {"type": "string", "description": "Like Chatbot. In lower case it is the name of this manifest and the family of its tags."},
        "plural": {"type": "string", "description": "Like chatbots; made from kind when left out."},
        "shortNames": {"type": "array", "items": {"type": "string"}, "maxItems": 8, "description": "Like bot."}
      }
    },
    "schema": {"type": "object", "description": "JSON Schema (2020-12) of spec. Fields that it does not name are refused.", "additionalProperties": true},
    "statusSchema": {"type": "object", "description": "JSON Schema (2020-12) of status, by the same rules. Left out, a status is any object.", "additionalProperties": true},
    "stale": {
      "type": "array", "maxItems": 64, "items": {"type": "string"},
      "description": "Tags, and prefixes, that a change of a manifest makes stale besides itself, like account:{spec.account} or plugin:{metadata.namespace}/{spec.plugins[]}."
    },
    "references": {
      "type": "array", "maxItems": 64,
      "description": "Fields that name other manifests; a change of one of those makes this one stale.",
      "items": {
        "type": "object",
        "required": ["kind", "field"],
        "properties": {
          "kind": {"type": "string", "description": "Of the manifests that are named; it need not exist yet."},
          "field": {"type": "string", "description": "Like spec.plugins[]; its text is NAME or NAMESPACE/NAME."}
        }
      }
    },
    "example": {
      "type": "object",
      "required": ["spec"],
      "description": "A manifest of this kind that people can begin with; made from the schema when left out.",
      "properties": {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"type": "object", "additionalProperties": true},
        "spec": {"type": "object", "additionalProperties": true}
      }
    }
  }
}`

// kindManifest is the example of a kind.
const kindManifest = `{
  "apiVersion": "lethe.dev/v1",
  "kind": "Kind",
  "metadata": {"name": "chatbot"},
  "spec": {
    "apiVersion": "example.dev/v1",
    "names": {"kind": "Chatbot", "plural": "chatbots", "shortNames": ["bot"]},
    "schema": {
      "type": "object",
      "required": ["account", "model"],
      "properties": {
        "account": {"type": "string"},
        "model": {"type": "string", "examples": ["small"]},
        "temperature": {"type": "number", "minimum": 0, "maximum": 2, "default": 0.7},
        "plugins": {"type": "array", "items": {"type": "string"}, "default": []}
      }
    },
    "stale": ["account:{spec.account}", "team:{metadata.labels.team}"],
    "references": [{"kind": "Plugin", "field": "spec.plugins[]"}],
    "example": {"metadata": {"name": "helper"}, "spec": {"account": "acme", "model": "small", "plugins": ["search"]}}
  }
}`

// kindKind is the shape of the kind Kind itself.
func kindKind() *shape {
	s := &shape{
		apiVersion: kindVersion, kind: kindOfKinds, plural: "kinds",
		family:  strings.ToLower(kindOfKinds),
		example: json.RawMessage(kindManifest),
	}
	checked, err := newSchema("schema", json.RawMessage(kindSchema))
	if err != nil {
		panic(fmt.Sprintf("manifest: the schema of Kind: %v", err)) // a constant, compiled by a test
	}
	s.schema = checked.text
	s.reports = func(any) error {
		return &Error{Field: "status", Reason: "kinds have none: what is reported belongs into the status of the objects"}
	}
	s.spec = func(o Object) (json.RawMessage, error) {
		value, err := opened(o)
		if err != nil {
			return nil, err
		}
		wrong := checked.conform(value)
		if o.Spec, err = encoded("spec", value); err != nil {
			return nil, err
		}
		if o.Metadata.Name == "" { // said by the check of metadata
			return o.Spec, wrong
		}
		var bad problems
		_, err = stored(o)
		bad.put(besides(wrong, err))
		if spec, ok := value.(map[string]any); ok {
			unknownFormats("spec.schema", spec["schema"], 0, &bad)
			unknownFormats("spec.statusSchema", spec["statusSchema"], 0, &bad)
		}
		return o.Spec, bad.err()
	}
	return s
}

// stored makes the shape of a manifest of kind Kind, whose spec it checks whole.
func stored(o Object) (*shape, error) {
	s, err := storedShape(o)
	return s, of(o, err)
}

func storedShape(o Object) (*shape, error) {
	var spec kindSpec
	if err := json.Unmarshal(o.Spec, &spec); err != nil {
		return nil, because("spec", "can't be read", err)
	}
	s := &shape{
		apiVersion: spec.APIVersion, kind: spec.Names.Kind, plural: spec.Names.Plural,
		shortNames: spec.Names.ShortNames,
		family:     strings.ToLower(spec.Names.Kind),
		version:    o.Metadata.ResourceVersion,
	}
	if s.plural == "" {
		s.plural = plural(s.kind)
	}
	var bad problems
	bad.put(checkAPIVersion("spec.apiVersion", s.apiVersion))
	bad.put(s.checkNames("spec.names."))
	if s.kind != "" && o.Metadata.Name != s.family {
		bad.add("metadata.name", "is %s; a kind goes by its name in lower case, %s", quote(o.Metadata.Name), quote(s.family))
	}
	if n := o.Metadata.Namespace; n != "" && n != DefaultNamespace {
		bad.add("metadata.namespace", "is %s; kinds are in %s, and hold for all namespaces", quote(n), quote(DefaultNamespace))
	}
	checked, err := newSchema("spec.schema", spec.Schema)
	bad.put(err)
	var k storedKind
	if err == nil {
		bad.put(checked.checkDefaults("spec.schema"))
		k = storedKind{schema: checked}
		bad.put(k.parse(spec))
	}
	var status *schema
	if len(spec.Status) > 0 {
		if status, err = newSchema("spec.statusSchema", spec.Status); err == nil {
			s.statusSchema, err = status.text, status.checkDefaults("spec.statusSchema")
		}
		bad.put(err)
	}
	if err := bad.err(); err != nil {
		return nil, err
	}
	s.schema, s.secrets, s.spec, s.reports = checked.text, secretsIn(checked.written), k.prepare, status.reports
	if len(k.stale) > 0 {
		s.makes = k.targets
	}
	if len(k.references) > 0 {
		s.mentions = k.mentioned
	}
	s.example, err = k.example(s, spec.Example)
	return s, err
}

// storedKind is a kind that stands in the store.
type storedKind struct {
	schema     *schema
	stale      []*template
	references []storedReference
}

type storedReference struct {
	kind string
	at   path
}

func (k *storedKind) parse(spec kindSpec) error {
	var bad problems
	for i, source := range spec.Stale {
		field := document.Item("spec.stale", i)
		t, err := parseTemplate(source)
		if err != nil {
			bad.add(field, "%v", strings.TrimPrefix(err.Error(), "manifest: "))
			continue
		}
		for _, part := range t.parts {
			if part.at != nil {
				if err := part.at.described(k.schema); err != nil {
					bad.add(field, "%v", err)
				}
			}
		}
		k.stale = append(k.stale, t)
	}
	for i, r := range spec.References {
		field := document.Item("spec.references", i)
		if err := event.CheckKind(r.Kind); err != nil {
			bad.put(refused(field+".kind", err))
		}
		at, err := parsePath(r.Field)
		if err == nil {
			err = at.described(k.schema)
		}
		if err != nil {
			bad.add(field+".field", "%s: %v", quote(r.Field), err)
		}
		k.references = append(k.references, storedReference{r.Kind, at})
	}
	return bad.err()
}

func (k *storedKind) prepare(o Object) (json.RawMessage, error) {
	value, err := opened(o)
	if err != nil {
		return nil, err
	}
	if err := k.schema.conform(value); err != nil {
		return nil, err
	}
	return encoded("spec", value)
}

func (k *storedKind) targets(o Object) ([]event.Target, error) {
	values, err := asValues(o)
	if err != nil {
		return nil, err
	}
	var (
		all []event.Target
		bad problems
	)
	for _, t := range k.stale {
		targets, err := t.targets(values)
		bad.put(err)
		all = append(all, targets...)
	}
	return all, bad.err()
}

func (k *storedKind) mentioned(o Object) ([]Reference, error) {
	values, err := asValues(o)
	if err != nil {
		return nil, err
	}
	var (
		all []Reference
		bad problems
	)
	for _, r := range k.references {
		t := template{}
		t.loop(r.at)
		bad.put(expand(t.loops, values, func(at bindings) error {
			text, given, err := at.text(r.at)
			if err != nil || !given {
				return err
			}
			namespace, name, both := strings.Cut(text, "/")
			if !both {
				namespace, name = "", text
			}
			if both && objectName("", namespace) != nil || objectName("", name) != nil {
				return &Error{Field: at.field(r.at), Reason: fmt.Sprintf("%s: has to name a %s, as NAME or NAMESPACE/NAME", quote(text), r.kind)}
			}
			all = append(all, Reference{Kind: r.kind, Namespace: namespace, Name: name})
			return nil
		}))
	}
	return all, bad.err()
}

// example is the one the kind came with, which has to be valid, or one made from the schema.
func (k *storedKind) example(s *shape, given *kindExample) (json.RawMessage, error) {
	if given == nil {
		return s.made(k.schema)
	}
	o := Object{APIVersion: given.APIVersion, Kind: given.Kind, Spec: given.Spec}
	if o.APIVersion == "" {
		o.APIVersion = s.apiVersion
	}
	if o.Kind == "" {
		o.Kind = s.kind
	}
	if len(given.Metadata) > 0 {
		if err := o.Metadata.read(given.Metadata); err != nil {
			return nil, inExample(err)
		}
	}
	if o.Metadata.Name == "" {
		o.Metadata.Name = "example"
	}
	ready, err := s.prepare(o)
	if err != nil {
		return nil, inExample(err)
	}
	return shownObject(ready)
}

func inExample(err error) error {
	return each(err, func(e *Error) {
		e.Field = strings.TrimSuffix("spec.example."+e.Field, ".")
		e.Kind, e.Namespace, e.Name = "", "", ""
	})
}
