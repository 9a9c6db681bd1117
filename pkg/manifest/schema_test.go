package manifest

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func schemaOf(t testing.TB, text string) *schema {
	t.Helper()
	s, err := newSchema("schema", json.RawMessage(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// takes says whether a schema accepts a spec, defaults filled.
func takes(t testing.TB, s *schema, spec string) (filled string, err error) {
	t.Helper()
	value, err := opened(Object{Spec: json.RawMessage(spec)})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.conform(value); err != nil {
		return "", err
	}
	text, err := encoded("spec", value)
	return string(text), err
}

func TestPlainObjectsAreClosedAndComposedOnesAreNot(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, schema, spec, refused string }{
		{"plain", `{"type":"object","properties":{"a":{}}}`, `{"b":1}`, "spec.b"},
		{"without properties", `{"type":"object"}`, `{"b":1}`, ""},
		{"says otherwise", `{"type":"object","properties":{"a":{}},"additionalProperties":true}`, `{"b":1}`, ""},
		{"patterns", `{"type":"object","properties":{"a":{}},"patternProperties":{"^x":{}}}`, `{"b":1}`, ""},
		{"in a list", `{"type":"object","properties":{"a":{"items":{"properties":{"x":{}}}}}}`, `{"a":[{"y":1}]}`, "spec.a[0].y"},
		{"in the first of a list", `{"type":"object","properties":{"a":{"prefixItems":[{"properties":{"x":{}}}]}}}`, `{"a":[{"y":1}]}`, "spec.a[0].y"},
		{"in a map", `{"type":"object","additionalProperties":{"properties":{"x":{}}}}`, `{"k":{"y":1}}`, "spec.k.y"},
		{"in $defs", `{"type":"object","properties":{"a":{"$ref":"#/$defs/d"}},"$defs":{"d":{"properties":{"x":{}}}}}`, `{"a":{"y":1}}`, "spec.a.y"},
		{"in a form of several", `{"type":"object","properties":{"a":{"oneOf":[{"$ref":"#/$defs/d"},{"type":"string"}]}},"$defs":{"d":{"type":"object","properties":{"x":{}}}}}`, `{"a":{"y":1}}`, "spec.a"},
		{"composed", `{"type":"object","allOf":[{"$ref":"#/$defs/d"}],"properties":{"b":{}},"$defs":{"d":{"properties":{"x":{}}}}}`, `{"b":1,"x":1}`, ""},
		{"laid on top", `{"type":"object","$ref":"#/$defs/d","properties":{"b":{}},"$defs":{"d":{"properties":{"x":{}}}}}`, `{"b":1,"x":1}`, ""},
		{"composed and closed by hand", `{"type":"object","allOf":[{"$ref":"#/$defs/d"}],"properties":{"b":{}},"unevaluatedProperties":false,"$defs":{"d":{"properties":{"x":{}}}}}`, `{"b":1,"x":1,"c":1}`, "spec"},
	} {
		_, err := takes(t, schemaOf(t, c.schema), c.spec)
		if (err != nil) != (c.refused != "") {
			t.Errorf("%s: %v", c.name, err)
		} else if err != nil && !strings.HasPrefix(Problems(err)[0].Field, c.refused) {
			t.Errorf("%s: %v; want field %s", c.name, err, c.refused)
		}
	}
}

func TestDefaultsAreFilledAtAnyDepth(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, schema, spec, want string }{
		{"given stays", `{"type":"object","properties":{"a":{"default":1}}}`, `{"a":2}`, `{"a":2}`},
		{"null is given", `{"type":"object","properties":{"a":{"default":1}}}`, `{"a":null}`, `{"a":null}`},
		{"a default that has defaults", `{"type":"object","properties":{"a":{"default":{},"type":"object","properties":{"b":{"default":[]}}}}}`, `{}`, `{"a":{"b":[]}}`},
		{"lists", `{"type":"object","properties":{"a":{"items":{"properties":{"b":{"default":1}}}}}}`, `{"a":[{},{"b":2}]}`, `{"a":[{"b":1},{"b":2}]}`},
		{"the first of a list", `{"type":"object","properties":{"a":{"prefixItems":[{"properties":{"b":{"default":1}}}],"items":{"properties":{"b":{"default":3}}}}}}`, `{"a":[{},{}]}`, `{"a":[{"b":1},{"b":3}]}`},
		{"maps", `{"type":"object","properties":{"x":{"type":"string"}},"additionalProperties":{"properties":{"b":{"default":1}}}}`, `{"k":{},"x":"y"}`, `{"k":{"b":1},"x":"y"}`},
		{"$ref", `{"type":"object","properties":{"a":{"$ref":"#/$defs/d"}},"$defs":{"d":{"default":{},"properties":{"b":{"default":1}}}}}`, `{}`, `{"a":{"b":1}}`},
		{"allOf", `{"type":"object","allOf":[{"properties":{"a":{"default":1}}}]}`, `{}`, `{"a":1}`},
		{"not of alternatives", `{"type":"object","anyOf":[{"properties":{"a":{"default":1}}}]}`, `{}`, `{}`},
	} {
		got, err := takes(t, schemaOf(t, c.schema), c.spec)
		if err != nil || got != c.want {
			t.Errorf("%s: %s, %v; want %s", c.name, got, err, c.want)
		}
	}
}

func TestSchemasThatCostTooMuchAreRefused(t *testing.T) {
	t.Parallel()
	var doubles strings.Builder
	for i := range 40 {
		fmt.Fprintf(&doubles, `"d%d":{"anyOf":[{"$ref":"#/$defs/d%d"},{"$ref":"#/$defs/d%d"}]},`, i, i+1, i+1)
	}
	for name, text := range map[string]string{
		"against ever more schemas": `{"type":"object","properties":{"a":{"$ref":"#/$defs/d0"}},"$defs":{` + doubles.String() + `"d40":{"type":"string"}}}`,
		"itself":                    `{"type":"object","properties":{"a":{"$ref":"#/$defs/d"}},"$defs":{"d":{"anyOf":[{"$ref":"#/$defs/d"}]}}}`,
		"a number beyond all":       `{"type":"object","properties":{"a":{"minimum":1e999999999}}}`,
	} {
		if _, err := newSchema("schema", json.RawMessage(text)); err == nil || Problems(err)[0].Field != "schema" {
			t.Errorf("%s: %v", name, err)
		}
	}
	s := schemaOf(t, `{"type":"object","properties":{"a":{"$ref":"#"},"b":{"$ref":"#"}}}`) // a tree is no cycle
	if _, err := takes(t, s, `{"a":{"b":{}},"b":{"a":{"a":{}}}}`); err != nil {
		t.Error(err)
	}
	s = schemaOf(t, `{"type":"object","$ref":"#/$defs/d","$defs":{"d":{"properties":{"a":{"$ref":"#/$defs/d","default":{}},"b":{"$ref":"#/$defs/d","default":{}}}}}}`)
	if _, err := takes(t, s, `{}`); err == nil || !strings.Contains(err.Error(), "ever more defaults") {
		t.Errorf("defaults that never end: %v", err)
	}
}

func TestAProblemSaysWhatFormsThereAre(t *testing.T) {
	t.Parallel()
	s := schemaOf(t, `{"type":"object","properties":{
	  "a":{"anyOf":[{"type":"string"},{"type":"object","required":["x"]}]},
	  "b":{"oneOf":[{"minimum":1},{"minimum":2}]},
	  "c":{"not":{"type":"string"}},
	  "d":{"propertyNames":{"pattern":"^[a-z]$"}},
	  "e.f/g~h":{"type":"string"},
	  "i":false,
	  "j":{"dependentRequired":{"x":["y"]}}}}`)
	for spec, want := range map[string]string{
		`{"a":1}`:               "spec.a: fits none of the forms it may have: is number, has to be string; or is number, has to be object",
		`{"a":{}}`:              "spec.a: fits none of the forms it may have: is object, has to be string; or lacks x",
		`{"b":3}`:               "spec.b: fits forms 1 and 2, has to fit one alone",
		`{"c":"x"}`:             "spec.c: has a form that is ruled out (not)",
		`{"d":{"AB":1}}`:        `spec.d: the name "AB" is not allowed`,
		`{"e.f/g~h":1}`:         `spec["e.f/g~h"]: is number, has to be string`,
		`{"i":1}`:               "spec.i: is not allowed here",
		`{"j":{"x":1}}`:         "spec.j: with x it needs y too",
		`{"j":1,"i":1,"z":"x"}`: "spec.z: is no field here; there are a, b, c, d, e.f/g~h, i, j",
	} {
		_, err := takes(t, s, spec)
		found := false
		for _, text := range refusalOf(t, err) {
			found = found || strings.HasPrefix(text, want)
		}
		if !found {
			t.Errorf("%s: %v; want %s", spec, err, want)
		}
	}
}

func TestNoMoreThanTenProblemsAreNamed(t *testing.T) {
	t.Parallel()
	s := schemaOf(t, `{"type":"object","properties":{"a":{}}}`)
	_, err := takes(t, s, `{"k":1,"l":1,"m":1,"n":1,"o":1,"p":1,"q":1,"r":1,"s":1,"t":1,"u":1,"v":1}`)
	all := Problems(err)
	if len(all) != 11 || all[0].Field != "spec.k" || all[10].Reason != "and 2 more problems" {
		t.Errorf("%v", err)
	}
}

func TestADefaultIsNotSharedByManifests(t *testing.T) {
	t.Parallel()
	s := schemaOf(t, `{"type":"object","properties":{"a":{"default":{},"properties":{"b":{"default":1}}},"c":{"default":[{}],"items":{"properties":{"d":{"default":2}}}}}}`)
	for range 2 {
		if got, err := takes(t, s, `{}`); err != nil || got != `{"a":{"b":1},"c":[{"d":2}]}` {
			t.Errorf("%s, %v", got, err)
		}
	}
	if text, err := encoded("schema", s.root); err != nil || string(text) != string(s.text) {
		t.Errorf("filling defaults changed the schema:\n%s\n%s", text, s.text)
	}
}
