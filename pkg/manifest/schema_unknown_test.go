package manifest

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// shapes are definitions that the schemas below refer to, some through others.
const shapes = `"$defs":{
  "disk":{"properties":{"size":{"type":"integer"},"label":{"type":"string"}},"required":["size"]},
  "disk2":{"$ref":"#/$defs/disk"},"disk3":{"$ref":"#/$defs/disk2"},
  "big":{"properties":{"size":{"minimum":100}},"required":["size"]},"big2":{"$ref":"#/$defs/big"},
  "net":{"properties":{"host":{"type":"string"}},"required":["host"]},"net2":{"$ref":"#/$defs/net"},
  "either":{"oneOf":[{"$ref":"#/$defs/disk2"},{"$ref":"#/$defs/net2"}]},
  "named":{"properties":{"name":{},"at":{"properties":{"x":{}}}}},
  "placed":{"properties":{"name":{},"at":{"properties":{"y":{}}}}},
  "tree":{"properties":{"kids":{"items":{"$ref":"#/$defs/tree2"}}}},"tree2":{"$ref":"#/$defs/tree"}}`

func TestComposedSchemasMeanWhatJSONSchemaSays(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, schema, spec, refused string }{
		{"ruled out through references", `"properties":{"size":{},"on":{}},"not":{"$ref":"#/$defs/big2"}`, `{"size":200,"on":1}`, "spec: has a form that is ruled out"},
		{"not what is ruled out", `"properties":{"size":{},"on":{}},"not":{"$ref":"#/$defs/big2"}`, `{"size":2,"on":1}`, ""},
		{"ruled out by a form", `"properties":{"size":{},"on":{}},"not":{"anyOf":[{"$ref":"#/$defs/big2"}]}`, `{"size":200,"on":1}`, "spec: has a form that is ruled out"},
		{"ruled out by all of it", `"properties":{"size":{},"on":{}},"not":{"allOf":[{"allOf":[{"$ref":"#/$defs/big"}]}]}`, `{"size":200,"on":1}`, "spec: has a form that is ruled out"},
		{"ruled out in a member", `"properties":{"d":{"not":{"properties":{"e":{"$ref":"#/$defs/big2"}},"required":["e"]}}}`, `{"d":{"e":{"size":200,"more":1}}}`, "spec.d: has a form that is ruled out"},
		{"if, through references", `"properties":{"size":{},"on":{},"why":{}},"if":{"$ref":"#/$defs/big2"},"then":{"required":["why"]}`, `{"size":200,"on":1}`, "spec.why: is required"},
		{"if a form", `"properties":{"size":{},"on":{},"why":{}},"if":{"anyOf":[{"$ref":"#/$defs/big2"}]},"then":{"required":["why"]}`, `{"size":200,"on":1}`, "spec.why: is required"},
		{"else", `"properties":{"size":{},"on":{},"why":{}},"if":{"$ref":"#/$defs/big2"},"else":{"required":["why"]}`, `{"size":200,"on":1}`, ""},
		{"then describes", `"properties":{"on":{}},"if":{"required":["on"]},"then":{"$ref":"#/$defs/net2"}`, `{"on":1,"host":"a"}`, ""},
		{"one of two that both fit", `"properties":{"d":{"oneOf":[{"$ref":"#/$defs/disk2"},{"required":["label"]}]}}`, `{"d":{"size":1,"label":"a"}}`, "spec.d: fits forms 1 and 2, has to fit one alone"},
		{"one that is contained", `"properties":{"l":{"contains":{"$ref":"#/$defs/big2"}}}`, `{"l":[{"size":200,"more":1}]}`, ""},
		{"all of what is referred to", `"allOf":[{"$ref":"#/$defs/disk3"}],"properties":{"on":{}}`, `{"size":1,"on":1}`, ""},
		{"all of two", `"allOf":[{"$ref":"#/$defs/disk3"},{"$ref":"#/$defs/net2"}]`, `{"size":1,"host":"a"}`, ""},
		{"laid on references", `"$ref":"#/$defs/disk3","properties":{"on":{}}`, `{"size":1,"on":1}`, ""},
		{"forms in all of it", `"allOf":[{"$ref":"#/$defs/named"},{"$ref":"#/$defs/either"}]`, `{"name":"a","host":"b"}`, ""},
		{"forms in all of it, beside fields", `"properties":{"on":{}},"allOf":[{"oneOf":[{"$ref":"#/$defs/disk2"},{"required":["host"]}]}]`, `{"on":1,"size":1}`, ""},
		{"dependent schemas", `"properties":{"on":{}},"dependentSchemas":{"on":{"$ref":"#/$defs/net2"}}`, `{"on":1,"host":"a"}`, ""},
		{"a member that two describe", `"allOf":[{"$ref":"#/$defs/named"},{"$ref":"#/$defs/placed"}]`, `{"at":{"x":1,"y":1}}`, ""},
		{"and a field of it that none does", `"allOf":[{"$ref":"#/$defs/named"},{"$ref":"#/$defs/placed"}]`, `{"at":{"x":1,"z":1}}`, "spec.at.z: is no field here; there are x, y"},
		{"a typed form and a free one", `"properties":{"d":{"anyOf":[{"$ref":"#/$defs/disk2"},{"type":"object"}]}}`, `{"d":{"size":1,"more":1}}`, ""},
		{"constraints are no free form", `"properties":{"d":{"$ref":"#/$defs/disk2","anyOf":[{"required":["size"]},{"required":["label"]}]}}`, `{"d":{"size":1,"more":1}}`, "spec.d.more: is no field here; there are label, size"},
		{"a map beside a form", `"properties":{"d":{"anyOf":[{"$ref":"#/$defs/disk2"},{"additionalProperties":{"type":"integer"}}]}}`, `{"d":{"size":1,"more":1}}`, ""},

		{"a pattern in a form", `"properties":{"d":{"anyOf":[{"properties":{"a":{"pattern":"^x"}}},{"$ref":"#/$defs/net"}]}}`, `{"d":{"a":"xy"}}`, ""},
		{"a pattern in a condition", `"properties":{"a":{},"on":{}},"if":{"properties":{"a":{"pattern":"^x"}},"required":["a"]},"then":{"required":["on"]}`, `{"a":"xy"}`, "spec.on: is required"},
		{"closed through references", `"properties":{"d":{"$ref":"#/$defs/disk3"}}`, `{"d":{"size":1,"lable":"a"}}`, "spec.d.lable: is no field here; did you mean label?"},
		{"closed in a form", `"properties":{"d":{"$ref":"#/$defs/either"}}`, `{"d":{"size":1,"hots":"a"}}`, "spec.d.hots: is no field here; there are label, size"},
		{"closed in the other form", `"properties":{"d":{"$ref":"#/$defs/either"}}`, `{"d":{"host":"a","label":"b"}}`, "spec.d.label: is no field here; there are host"},
		{"a form as it should be", `"properties":{"d":{"$ref":"#/$defs/either"}}`, `{"d":{"host":"a"}}`, ""},
		{"closed here, though laid upon there", `"properties":{"d":{"$ref":"#/$defs/disk"},"e":{"allOf":[{"$ref":"#/$defs/disk"}]}}`, `{"d":{"size":1,"more":1},"e":{"size":1,"more":1}}`, "spec.d.more: is no field here"},
		{"open where it is laid upon", `"properties":{"e":{"allOf":[{"$ref":"#/$defs/disk2"}]}}`, `{"e":{"size":1,"more":1}}`, ""},
		{"closed far down", `"properties":{"t":{"$ref":"#/$defs/tree2"}}`, `{"t":{"kids":[{"kids":[]},{"kids":[{"kid":1}]}]}}`, "spec.t.kids[1].kids[0].kid: is no field here; did you mean kids?"},
		{"closed in a map", `"additionalProperties":{"$ref":"#/$defs/disk2"}`, `{"a":{"size":1,"more":1}}`, "spec.a.more: is no field here"},
		{"closed below a pattern", `"patternProperties":{"^a":{"$ref":"#/$defs/disk2"}}`, `{"a":{"size":1,"more":1},"b":{"more":1}}`, "spec.a.more: is no field here"},
		{"closed in the first of a list", `"properties":{"l":{"prefixItems":[{"$ref":"#/$defs/disk2"}],"items":{"$ref":"#/$defs/net"}}}`, `{"l":[{"size":1},{"host":"a","size":1}]}`, "spec.l[1].size: is no field here; there are host"},
		{"what is wrong comes with what is unknown", `"properties":{"d":{"$ref":"#/$defs/disk3"}}`, `{"d":{"size":"x","more":1}}`, "spec.d.size: is string, has to be integer|spec.d.more: is no field here"},
	} {
		_, err := takes(t, schemaOf(t, `{"type":"object",`+c.schema+`,`+shapes+`}`), c.spec)
		if c.refused == "" {
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		for want := range strings.SplitSeq(c.refused, "|") {
			if err == nil || !strings.Contains(err.Error(), "manifest: "+want) {
				t.Errorf("%s: %v; want %s", c.name, err, want)
			}
		}
	}
}

func TestTheSchemaThatIsShownSaysNoMoreThanTheKindDoes(t *testing.T) {
	t.Parallel()
	s := schemaOf(t, `{"type":"object","properties":{"a":{"properties":{"b":{}}},"d":{"$ref":"#/$defs/disk2"},"not":{"properties":{"x":{}}}},"not":{"$ref":"#/$defs/big2"},`+shapes+`}`)
	for _, c := range []struct {
		ptr    string
		closed bool
	}{
		{"#/properties/a", true}, {"#/properties/not", true}, {"#/$defs/tree", true}, {"#", false}, {"#/$defs/disk", false}, {"#/$defs/big", false}, {"#/$defs/named/properties/at", true},
	} {
		at, found := pointed(s.root, c.ptr)
		n, ok := at.(map[string]any)
		if closed := n["additionalProperties"] == false; !found || !ok || closed != c.closed {
			t.Errorf("%s: %v", c.ptr, at)
		}
	}
}

func TestADefaultWithAnUnknownFieldIsRefused(t *testing.T) {
	t.Parallel()
	s := schemaOf(t, `{"type":"object","properties":{"d":{"$ref":"#/$defs/disk2","default":{"size":1,"more":2}},"n":{"$ref":"#/$defs/either","default":{"host":"a"}}},`+shapes+`}`)
	err := s.checkDefaults("schema")
	var e *Error
	if !errors.As(err, &e) || e.Field != "schema.properties.d.default" || !strings.Contains(e.Reason, "it.more: is no field here; there are label, size") || len(Problems(err)) != 1 {
		t.Error(err)
	}
}

// TestUnknownFieldsAreFoundInBoundedWork: a form is asked whether a value fits, and asks what is below again.
func TestUnknownFieldsAreFoundInBoundedWork(t *testing.T) {
	t.Parallel()
	var defs, spec strings.Builder
	const deep = 30
	for i := range deep {
		fmt.Fprintf(&defs, `"d%d":{"oneOf":[{"$ref":"#/$defs/o%d"},{"type":"string"}]},"o%d":{"properties":{"x":{"$ref":"#/$defs/d%d"}}},`, i, i, i, i+1)
		spec.WriteString(`{"x":`)
	}
	s := schemaOf(t, `{"type":"object","properties":{"x":{"$ref":"#/$defs/d0"}},"$defs":{`+defs.String()+`"d30":{"type":"integer"}}}`)
	if _, err := takes(t, s, `{"x":`+spec.String()+`1`+strings.Repeat("}", deep+1)); err != nil {
		t.Error(err)
	}
	value := map[string]any{"x": map[string]any{"x": map[string]any{"y": "z"}}}
	var bad problems
	if s.closing.unknown(s.compiled, "spec", value, 5, &bad) {
		t.Error("five steps suffice for three levels of forms")
	}
	if !s.closing.unknown(s.compiled, "spec", value, 1_000, &bad) || bad.err() == nil || !strings.Contains(bad.err().Error(), "spec.x.x.y: is no field here") {
		t.Error(bad.err())
	}
}
