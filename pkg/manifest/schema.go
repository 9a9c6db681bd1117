package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// schemaURL is where a kind's schema stands for the compiler; nothing is ever loaded from there, or from anywhere.
const (
	schemaURL = "https://schema.lethe.invalid/spec"
	draft     = "https://json-schema.org/draft/2020-12/schema"
)

// schema is the JSON Schema of a spec, checked. Values are checked against it as it was written; unknown fields are refused besides.
type schema struct {
	compiled *jsonschema.Schema
	written  any // as it was compiled
	closing  *closing
	programs *programs
	root     any             // with additionalProperties: false wherever that says the same
	text     json.RawMessage // the same, canonical: it is shown
}

// newSchema makes a schema of a spec. It has to be one of an object, of draft 2020-12, and complete in itself. Field says
// where it stands, for errors.
func newSchema(field string, data json.RawMessage) (*schema, error) {
	text, err := canonical(field, data)
	if err != nil {
		return nil, err
	}
	root, err := decoded(text)
	if err != nil {
		return nil, because(field, "is no JSON", err)
	}
	top, ok := root.(map[string]any)
	if !ok || top["type"] != "object" {
		return nil, &Error{Field: field, Reason: "has to be a JSON Schema with type: object, since what it describes is an object"}
	}
	if s, given := top["$schema"]; given && s != draft {
		return nil, &Error{Field: field, Reason: fmt.Sprintf("$schema has to be %s, or left out", draft)}
	}
	if err := inPlace(field, top); err != nil {
		return nil, err
	}
	if err := tooDeep(field, top); err != nil {
		return nil, err
	}
	written := copied(root)
	patterns := newPrograms(written) // before the compiler makes them
	if err := patterns.err(field); err != nil {
		return nil, err
	}
	closed := closeObjects(top)
	c := newCompiler()
	if err := c.AddResource(schemaURL, written); err != nil {
		return nil, &Error{Field: field, Reason: "is no JSON Schema: " + err.Error()}
	}
	compiled, err := c.Compile(schemaURL)
	if err != nil {
		return nil, badSchema(field, err)
	}
	finds := newClosing(written, patterns, closed)
	finds.look(compiled)
	shown, err := json.Marshal(root)
	if err != nil {
		return nil, because(field, "is no JSON Schema", err)
	}
	shown, err = canonical(field, shown)
	return &schema{compiled: compiled, written: written, closing: finds, programs: patterns, root: root, text: shown}, err
}

func newCompiler() *jsonschema.Compiler {
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	for name, check := range formats() {
		if check != nil {
			c.RegisterFormat(&jsonschema.Format{Name: name, Validate: check})
		}
	}
	c.UseLoader(noLoader{})
	return c
}

// badSchema says what the compiler found, with the place in the schema where it says one.
func badSchema(field string, err error) error {
	invalid := (*jsonschema.SchemaValidationError)(nil)
	if errors.As(err, &invalid) {
		meta := (*jsonschema.ValidationError)(nil)
		if errors.As(invalid.Err, &meta) {
			var bad problems
			for _, e := range leaves(meta) {
				bad.add(below(field, e.InstanceLocation, nil), "is no JSON Schema: %s", reason(e))
			}
			return bad.err()
		}
	}
	return &Error{Field: field, Reason: "is no JSON Schema: " + strings.ReplaceAll(err.Error(), schemaURL, "")}
}

// noLoader refuses every other document.
type noLoader struct{}

func (noLoader) Load(at string) (any, error) {
	return nil, fmt.Errorf("$ref to %s: a schema has to be complete in itself; put what it refers to below $defs", clip(at))
}

// check validates a value.
func (s *schema) check(field string, value any) error {
	most := bound(value)
	if s.tooMuch(value, most) {
		return longCheck(field, most)
	}
	var bad problems
	if !s.closing.unknown(s.compiled, field, value, most, &bad) {
		return longCheck(field, most)
	}
	if err := s.compiled.Validate(value); err != nil {
		invalid := (*jsonschema.ValidationError)(nil)
		if !errors.As(err, &invalid) {
			return &Error{Field: field, Reason: "can't be checked: " + err.Error()}
		}
		bad.put(s.problems(field, value, invalid))
	}
	return bad.err()
}

// decoded is JSON with its numbers as they are written.
func decoded(data json.RawMessage) (any, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var v any
	err := d.Decode(&v)
	return v, err
}

// encoded is canonical JSON of what decoded gave.
func encoded(field string, v any) (json.RawMessage, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, because(field, "has no JSON form", err)
	}
	return canonical(field, text)
}
