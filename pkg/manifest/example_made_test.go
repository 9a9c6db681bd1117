package manifest

import (
	"encoding/json"
	"testing"
)

func TestWhatIsInventedForAnExampleFitsItsSchema(t *testing.T) {
	t.Parallel()
	for _, member := range []string{
		`{"type":"string"}`, `{"type":"string","minLength":12}`, `{"type":"string","maxLength":3}`, `{"type":"string","examples":["x"],"pattern":"^x$"}`,
		`{"type":"string","format":"date-time"}`, `{"type":"string","format":"date"}`, `{"type":"string","format":"time"}`, `{"type":"string","format":"duration"}`,
		`{"type":"string","format":"email"}`, `{"type":"string","format":"hostname"}`, `{"type":"string","format":"ipv4"}`, `{"type":"string","format":"ipv6"}`,
		`{"type":"string","format":"uri"}`, `{"type":"string","format":"uri-reference"}`, `{"type":"string","format":"json-pointer"}`, `{"type":"string","format":"uuid"}`,
		`{"type":"integer"}`, `{"type":"number","minimum":2.5}`, `{"type":"integer","maximum":-7}`, `{"type":"integer","multipleOf":4}`, `{"type":"boolean"}`, `{"type":"null"}`,
		`{"type":["string","null"]}`, `{"enum":["a",1]}`, `{"const":{"a":1}}`, `{"anyOf":[{"type":"integer"},{"type":"string"}]}`,
		`{"type":"array","items":{"type":"string"}}`, `{"type":"array","minItems":1,"items":{"type":"object","required":["n"],"properties":{"n":{"type":"integer"},"o":{}}}}`,
		`{"$ref":"#/$defs/d"}`, `{"type":"object"}`,
	} {
		s := &shape{apiVersion: "v1", kind: "K", family: "k"}
		by := schemaOf(t, `{"type":"object","required":["x"],"properties":{"x":`+member+`},"$defs":{"d":{"type":"string","minLength":1}}}`)
		s.spec = (&storedKind{schema: by}).prepare
		text, err := s.made(by)
		if err != nil {
			t.Fatal(err)
		}
		o, err := readObject(text)
		if err != nil || o.Metadata.Annotations != nil {
			t.Errorf("%s: %s, %v", member, text, err)
		}
	}
}

func TestFieldsOfEveryTypeComeBackAsTheyWere(t *testing.T) {
	t.Parallel()
	type spec struct {
		Bytes  []byte           `json:"bytes"`
		Quoted int              `json:"quoted,string"`
		Raw    json.RawMessage  `json:"raw,omitempty"`
		Number json.Number      `json:"number,omitempty"`
		Lists  [][]string       `json:"lists"`
		Counts map[int]*float64 `json:"counts,omitempty"`
		Flag   *bool            `json:"flag,omitempty"`
	}
	s := typedOf(t, Kind[spec]{APIVersion: "v1", Name: "All"})
	prepare := func(text string) string {
		t.Helper()
		o, err := s.prepare(Object{APIVersion: "v1", Kind: "All", Metadata: Metadata{Name: "x"}, Spec: json.RawMessage(text)})
		if err != nil {
			t.Error(err)
		}
		return string(o.Spec)
	}
	const all = `{"bytes":"AAEC","counts":{"7":1.5},"flag":false,"lists":[["a"],[]],"number":12345678901234567890,"quoted":"7","raw":{"a":[1,null]}}`
	if got := prepare(all); got != all {
		t.Error(got)
	}
	if got := prepare(`{"bytes":null,"quoted":"0","lists":[null]}`); got != `{"bytes":"","lists":[[]],"quoted":"0"}` {
		t.Error(got)
	}
	if got := prepare(string(rawOf(t, spec{}))); got != `{"bytes":"","lists":[],"quoted":"0"}` {
		t.Error(got)
	}
}
