package document_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/lethe-cache/lethe/internal/document"
)

// FuzzRead: whatever the text, nothing panics, a refusal has a reason, what is taken is bounded and JSON, what encoding/json
// makes of JSON is what Read makes of it, and what is written as YAML is read as what it was.
func FuzzRead(f *testing.F) {
	for _, s := range []string{
		"a: 1\nb: {c: [x, 'y', no, 012]}\n", "---\na: &x [1]\nb: *x\n...\n---\n{\"a\":1}", `{"a":[1,2.50,{"b":"\u00e9"}],"c":null}`,
		"kind: List\nitems:\n- {kind: A}\n", "a: |\n  x\n  ---\n", "? [a]\n: b", "%YAML 1.2\n---\na: 1", "a: !!binary x", "<<: 1", "a: &x [*x]",
		`{"a":"\ud800"}`, `{"a":1,"a":2}`, laughs(3), "\ufeffa: 1\r\n---\r\n", "a: 0x1f\nb: .5\nc: +1e5", "{a: 1}", "a: \"\\x61\\u2028\"", "a:\n\t- b",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		docs, err := document.Read(data)
		if err != nil {
			var e *document.Error
			if !errors.As(err, &e) || e.Reason == "" || docs != nil || e.Line > 1+bytes.Count(data, []byte("\n")) {
				t.Fatalf("%+v", err)
			}
		}
		lines := 1 + bytes.Count(data, []byte("\n"))
		for i := range docs {
			d := &docs[i]
			var v map[string]any
			if err := json.Unmarshal(d.JSON, &v); err != nil {
				if !strings.Contains(err.Error(), "cannot unmarshal number") { // beyond a double
					t.Fatalf("%s: %v", d.JSON, err)
				}
				continue
			}
			for name := range v {
				if line := d.Line(document.Member("", name)); line < 1 || line > lines {
					t.Fatalf("%q stands on line %d of %d", name, line, lines)
				}
			}
			sameAsYAML(t, d.JSON)
		}
		var want any
		if trimmed := bytes.TrimSpace(data); err == nil && len(docs) == 1 && len(trimmed) > 0 && trimmed[0] == '{' && strings.Count(string(data), "\n-") == 0 && json.Unmarshal(data, &want) == nil {
			var got any
			if err := json.Unmarshal(docs[0].JSON, &got); err != nil || !reflect.DeepEqual(got, want) {
				if m, ok := want.(map[string]any); !ok || m["kind"] != "List" {
					t.Fatalf("%s became %s (%v)", data, docs[0].JSON, err)
				}
			}
		}
	})
}

// sameAsYAML writes JSON as YAML and reads it again. A List would be taken apart, and {} is JSON as it is.
func sameAsYAML(t interface{ Fatalf(string, ...any) }, data []byte) {
	if len(data) > 1<<20 || string(data) == "{}" || bytes.Contains(data, []byte(`"List"`)) {
		return
	}
	text, err := document.YAML(data)
	if err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	again, err := document.Read(text)
	if err != nil || len(again) != 1 || string(again[0].JSON) != string(data) {
		t.Fatalf("%q became\n%s\nwhich is read as %q, %v", data, text, jsons(again), err)
	}
}

func TestYAMLIsReadAsWhatItWasWrittenFrom(t *testing.T) {
	t.Parallel()
	text, err := document.YAML([]byte(`{"a":{"no":"on","n":"1.5","e":"","z":"0123","d":"2026-11-22","t":"12:30:00","c":"a: b","h":"# x","l":"x\ny\n","m":"x\n y","s":" x","u":"ü","nul":"\u0000"},"list":[1,2.50,9007199254740993,true,null,{},[],{"k":[[]]}]}`))
	const want = `a:
  "no": "on"
  "n": "1.5"
  e: ""
  z: "0123"
  d: "2026-11-22"
  t: "12:30:00"
  c: "a: b"
  h: "# x"
  l: |
    x
    y
  m: |-
    x
     y
  s: " x"
  u: "ü"
  nul: "\0"
list:
  - 1
  - 2.50
  - 9007199254740993
  - true
  - null
  - {}
  - []
  - k:
      - []
`
	if err != nil || string(text) != want {
		t.Errorf("%s%v", text, err)
	}
	for _, bad := range []string{"", "{", `{"a"}`, "]"} {
		if text, err := document.YAML([]byte(bad)); err == nil {
			t.Errorf("%q is written as %q", bad, text)
		}
	}
	pieces := rapid.SampledFrom([]string{"a", "B", "1", "0", ".", "-", ":", " ", "\n", "#", "'", `"`, `\`, "no", "null", "~", "e", "+", "{", "[", "&", "*", "!", "|", ">", "%", "@", "`", "?", ",", "\t", "\r", "ü", "\u0085", "\u2028", "\ufeff", "😀", "\u0001", "\u007f", "---", "..."})
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.Custom(func(t *rapid.T) string { return strings.Join(rapid.SliceOfN(pieces, 0, 6).Draw(t, "pieces"), "") })
		v := map[string]any{
			"x":               word.Draw(t, "x"),
			word.Draw(t, "k"): []any{word.Draw(t, "y"), map[string]any{word.Draw(t, "z"): word.Draw(t, "w")}},
		}
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if err := e.Encode(v); err != nil {
			t.Fatal(err)
		}
		docs, err := document.Read(b.Bytes())
		if err != nil {
			t.Fatalf("%s: %v", b.Bytes(), err)
		}
		sameAsYAML(t, docs[0].JSON)
	})
}
