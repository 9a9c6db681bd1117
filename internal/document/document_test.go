package document_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/lethe-cache/lethe/internal/document"
)

func jsons(docs []document.Document) string {
	var all []string
	for _, d := range docs {
		all = append(all, string(d.JSON))
	}
	return strings.Join(all, " ")
}

func TestDocumentsAreReadByTheLetter(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"yaml":                         {"a: 1\nb: {c: [x, 'y']}\n", `{"a":1,"b":{"c":["x","y"]}}`},
		"json":                         {` {"a" : [1, 2.50, -0, 1E5, {}], "b":"\u00e9\n"}`, `{"a":[1,2.50,-0,1E5,{}],"b":"é\n"}`},
		"several":                      {"a: 1\n---\n{\"b\":2}\n---   # why\nc: 3\n...\n---\n", `{"a":1} {"b":2} {"c":3}`},
		"nothing between":              {"---\n\n---\n# only words\n---\n~\n---\na: 1\n--- \n", `{"a":1}`},
		"what begins like a separator": {"a: |\n  x\n  ---\n  ...\nb: ---x\n", `{"a":"x\n---\n...\n","b":"---x"}`},
		"windows":                      {"a: 1\r\n---\r\nb: 2\r\n", `{"a":1} {"b":2}`},
		"byte order mark":              {"\ufeffa: 1", `{"a":1}`},
		"on the line of the separator": {"--- {\"a\":1}\n--- # x\nb: 1", `{"a":1} {"b":1}`},
		"text stays text":              {"a: [no, on, Yes, y, 12:30, 2026-11-22, 1_000, 1.2.3, 0x, 1e, ., +, -, ' 1', 0b1, .5x]", `{"a":["no","on","Yes","y","12:30","2026-11-22","1_000","1.2.3","0x","1e",".","+","-"," 1","0b1",".5x"]}`},
		"numbers keep their digits":    {"a: [9007199254740993, 123456789012345678901234567890, 1.10, 1e400, -0, +7, .5, -.5, 5., 5.e3, 0, 0.0, 0e0]", `{"a":[9007199254740993,123456789012345678901234567890,1.10,1e400,-0,7,0.5,-0.5,5.0,5.0e3,0,0.0,0e0]}`},
		"words":                        {"a: [true, False, NULL, ~, , tRUE]\nb:\n", ""},
		"words of YAML":                {"a: [true, False, NULL, ~, tRUE]\nb:\n", `{"a":[true,false,null,null,"tRUE"],"b":null}`},
		"tags of JSON's types":         {"a: [!!str 1, !!int 1, !!float 1, !!bool true, !!null ~, !!str , !!map {}, !!seq []]", `{"a":["1",1,1,true,null,"",{},[]]}`},
		"keys are text":                {"1: a\ntrue: b\n1.0: c\n'': d\n'<<': e\n2026-11-22: f\n!!str null: g", `{"1":"a","true":"b","1.0":"c","":"d","<<":"e","2026-11-22":"f","null":"g"}`},
		"anchors":                      {"a: &x {k: [1]}\nb: *x\nc: [*x, &y z, *y]\n*y : 1", `{"a":{"k":[1]},"b":{"k":[1]},"c":[{"k":[1]},"z","z"],"z":1}`},
		"blocks":                       {"a: >-\n  x\n  y\nb: |+\n  z\n\n", `{"a":"x y","b":"z\n\n"}`},
		"a list":                       {"apiVersion: v1\nkind: List\nmetadata: {}\nitems:\n- {kind: A}\n- kind: B\n---\nkind: C", `{"kind":"A"} {"kind":"B"} {"kind":"C"}`},
		"a list in JSON":               {`{"kind":"List","items":[{"kind":"A"}]}`, `{"kind":"A"}`},
		"html":                         {"a: \"<b>&amp;\u2028\"", `{"a":"<b>&amp;\u2028"}`},
	} {
		got, err := document.Read([]byte(c.text))
		if c.want == "" {
			if err == nil {
				t.Errorf("%s: is taken as %s", name, jsons(got))
			}
			continue
		}
		if err != nil || jsons(got) != c.want {
			t.Errorf("%s:\n%s, %v\nwant\n%s", name, jsons(got), err, c.want)
		}
	}
}

func TestWhatIsNoDocumentIsRefusedWithItsPlace(t *testing.T) {
	t.Parallel()
	var lines strings.Builder
	for i := range document.MaxDocuments + 1 {
		fmt.Fprintf(&lines, "a: %d\n---\n", i)
	}
	for name, c := range map[string]struct{ text, want string }{
		"nothing":                      {"", "document 1: the text has no document; "},
		"only words":                   {"# a\n---\n# b\n", "document 1: the text has no document; "},
		"not UTF-8":                    {"a: 1\nb: \xff", "document 1, line 2: the text is not UTF-8"},
		"a list":                       {"---\n- a\n", "document 1, line 2: a document has to be an object with apiVersion, kind, metadata and spec; this one is a list"},
		"a list in JSON":               {"[1]", "document 1, line 1: a document has to be an object"},
		"text":                         {"a: 1\n---\nhello\n", "document 2, line 3: a document has to be an object with apiVersion, kind, metadata and spec; this one is text"},
		"a number":                     {"42", "document 1, line 1: a document has to be an object with apiVersion, kind, metadata and spec; this one is a number"},
		"twice in YAML":                {"a:\n  b:\n  - c: 1\n    d: 2\n    c: 3\n", "document 1, line 5: a.b[0].c: is given twice"},
		"twice by an escape":           {"a: 1\n\"\\x61\": 2\n", "document 1, line 2: a: is given twice"},
		"twice in JSON":                {"{\"a\": [{\"b\": 1,\n \"\\u0062\": 2}]}", "document 1, line 2: a[0].b: is given twice"},
		"twice with a dot":             {"a: {b.c: 1, b.c: 2}", `document 1, line 1: a["b.c"]: is given twice`},
		"merge":                        {"a: &x {b: 1}\nc:\n  <<: *x\n", "document 1, line 3: c: merge keys (<<) are not supported"},
		"a key that is a list":         {"? [a]\n: b", "document 1, line 1: has a key that is a list or a mapping"},
		"a key that is null":           {"a:\n  ~: 1\n", "document 1, line 2: a: has a key that is null"},
		"a key with a tag":             {"!!int 1: a", "document 1, line 1: has a key with the tag !!int"},
		"binary":                       {"a: !!binary YQ==", "document 1, line 1: a: has the tag !!binary, which JSON does not know"},
		"timestamp":                    {"a: !!timestamp 2026-11-22", "document 1, line 1: a: has the tag !!timestamp"},
		"a tag of one's own":           {"a: !mine {b: 1}", "document 1, line 1: a: has the tag !mine"},
		"a set":                        {"a: !!set {b, c}", "document 1, line 1: a: has the tag !!set"},
		"a tag that does not fit":      {"a: !!int x", `document 1, line 1: a: has the tag !!int, which "x" does not fit`},
		"infinite":                     {"a: [1, -.inf]", "document 1, line 1: a[1]: -.inf can't be said in JSON"},
		"no number":                    {"a: .NaN", "document 1, line 1: a: .NaN can't be said in JSON"},
		"leading zero":                 {"a: 0123", "document 1, line 1: a: 0123: some readers take a number with a leading zero for octal"},
		"hexadecimal":                  {"a: 0xFF", "document 1, line 1: a: 0xFF: write a number in decimal digits"},
		"octal":                        {"a: 0o17", "document 1, line 1: a: 0o17: write a number in decimal digits"},
		"directive":                    {"%YAML 1.2\n---\na: 1", `document 1, line 1: a directive ("%YAML 1.2") is not supported`},
		"two by a lone return":         {"a: 1\r---\rb: 2", "document 1, line 1: is more than one document"},
		"bad YAML":                     {"a: 1\n---\nb:\n\t- x\n", "document 2, line 4: is no YAML: found character that cannot start any token"},
		"an unknown alias":             {"a: *x", "document 1, line 1: is no YAML: unknown anchor 'x' referenced"},
		"bad JSON":                     {"a: 1\n---\n{\"b\": 1,\n \"c\": }\n", "document 2, line 4: is no JSON: invalid character '}' looking for beginning of value"},
		"JSON with a comma too much":   {"{\"a\": [1,]}", "document 1, line 1: is no JSON: invalid character ']'"},
		"JSON that ends":               {"{\"a\": 1,\n", "document 1, line 1: is no JSON: unexpected end of JSON input"},
		"two in JSON":                  {"{\"a\":1}\n{\"b\":1}", "document 1, line 2: is no JSON: invalid character '{' after top-level value; put a line with --- between two documents"},
		"YAML that looks like JSON":    {"{a: 1}", "document 1, line 1: is no JSON: invalid character 'a'"},
		"half a pair":                  {"{\"a\":\"x\\ud800\"}", "document 1, line 1: a: has half a surrogate pair"},
		"half a pair in a name":        {"{\"\\udc00\":1}", "document 1, line 1: [\"\ufffd\"]: has half a surrogate pair"},
		"a list in a list":             {"kind: List\nitems:\n- kind: List\n", "document 1, line 3: items[0]: is a List in a List"},
		"a list without items":         {"kind: List\n", "document 1, line 1: items: a List needs items"},
		"a list of text":               {"kind: List\nitems:\n- {}\n- x\n", "document 1, line 4: items[1]: has to be a manifest; it is text"},
		"a list with more":             {"kind: List\nitems: []\nspec: {}\n", "document 1, line 3: spec: is no field of a List"},
		"too many documents":           {lines.String(), "document 257, line 513: the text has more than 256 documents"},
		"too many items":               {"kind: List\nitems: [" + strings.Repeat("{},", 257) + "]", "document 1, line 2: items: has 257 items, at most 256"},
		"too large":                    {strings.Repeat(" ", document.MaxBytes+1), "document 1: the text has 8388609 bytes, at most 8388608"},
		"too deep in JSON":             {strings.Repeat(`{"a":`, 66) + "1" + strings.Repeat("}", 66), "document 1, line 1: a.a.a."},
		"too deep in YAML":             {"a: " + strings.Repeat("[", 65) + strings.Repeat("]", 65), "document 1, line 1: a[0][0]"},
		"far too deep in YAML":         {"a: " + strings.Repeat("[", 100_000), "document 1, line 1: is no YAML: exceeded max depth"},
		"far too deep in JSON":         {strings.Repeat(`{"a":`, 100_000), "document 1, line 1: is no JSON: invalid character '{' exceeded max depth"},
		"too many values in JSON":      {`{"a":[` + strings.Repeat("1,", 100_000) + "1]}", "document 1, line 1: the text has more than 100000 values"},
		"too many values in documents": {strings.Repeat("a: ["+strings.Repeat("1,", 999)+"]\n---\n", 101), "document 100, line 199: the text has more than 100000 values"},
		"a list of ever more brackets": {"a: [" + strings.Repeat("[],", 130_000) + "]", "document 1, line 1: has over 250000 lines, commas, colons and brackets"},
		"an alias in itself":           {"a: &x [*x]", "document 1, line 1: a[0][0][0]"},
		"an alias in itself, twice":    {"a: &x [*x, *x]", "document 1, line 1: a[0][0][0]"},
		"ever more laughs":             {laughs(5), "document 1, line 1: the text has more than 100000 values"},
		"long text a thousand times":   {"a: &x " + strings.Repeat("x", 1<<20) + "\nb: [" + strings.Repeat("*x,", 1000) + "]", "document 1, line 2: the text becomes more than 8388608 bytes of JSON"},
	} {
		docs, err := document.Read([]byte(c.text))
		var e *document.Error
		if !errors.As(err, &e) || docs != nil {
			t.Errorf("%s: %v, %v", name, jsons(docs), err)
			continue
		}
		if !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: %s\nwant %s", name, err, c.want)
		}
		if len(err.Error()) > 300 {
			t.Errorf("%s: an error of %d bytes", name, len(err.Error()))
		}
	}
}

// laughs is the bomb of ten to the n.
func laughs(n int) string {
	var b strings.Builder
	b.WriteString("a0: &a0 [" + strings.Repeat("lol,", 10) + "]\n")
	for i := range n {
		alias := fmt.Sprintf("*a%d", i)
		fmt.Fprintf(&b, "a%d: &a%d [%s]\n", i+1, i+1, strings.Join(strings.Split(strings.Repeat(alias+" ", 10)[:10*(len(alias)+1)-1], " "), ", "))
	}
	return b.String()
}

func TestABombIsDefusedInLittleMemory(t *testing.T) {
	for name, text := range map[string]string{
		"laughs":          laughs(12),
		"aliases of text": "a: &x " + strings.Repeat("x", 1<<20) + "\nb: &y [" + strings.Repeat("*x,", 1000) + "]\nc: [" + strings.Repeat("*y,", 1000) + "]",
		"brackets":        "a: [" + strings.Repeat("[],", 2_000_000) + "]",
		"commas in JSON":  `{"a":[` + strings.Repeat("1,", 4_000_000) + `1]}`,
		"names in JSON":   `{` + strings.Repeat(`"`+strings.Repeat("k", 100)+`":{`, 60) + strings.Repeat("}", 60) + `}`,
	} {
		data := []byte(text)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := document.Read(data)
		runtime.ReadMemStats(&after)
		if (err == nil) != (name == "names in JSON") {
			t.Errorf("%s: %v", name, err)
		}
		if got, most := after.TotalAlloc-before.TotalAlloc, uint64(160<<20); got > most {
			t.Errorf("%s: %d bytes allocated, at most %d wanted", name, got, most)
		} else {
			t.Logf("%s: %d bytes of text, %d allocated", name, len(text), got)
		}
	}
}

func TestAFieldIsFoundWhereItStands(t *testing.T) {
	t.Parallel()
	docs, err := document.Read([]byte(`# a comment
kind: A
spec:
  model: small
  tools:
  - name: x
  - name: y
    a.b: &deep
      c: 1
    again: *deep
---
{"kind": "B",
 "spec": {"tools":
   [{"name": "x"},
    {"name": "y",
     "a.b": {"c":
       1}}]}}
---
kind: List
items:
- kind: C
  spec:
    model: large
`))
	if err != nil || len(docs) != 3 {
		t.Fatal(docs, err)
	}
	for _, c := range []struct {
		document int
		field    string
		line     int
	}{
		{0, "", 2},
		{0, "kind", 2},
		{0, "spec", 3},
		{0, "spec.model", 4},
		{0, "spec.tools", 5},
		{0, "spec.tools[0]", 6},
		{0, "spec.tools[1].name", 7},
		{0, `spec.tools[1]["a.b"]`, 8},
		{0, `spec.tools[1]["a.b"].c`, 9},
		{0, "spec.tools[1].again", 10},
		{0, "spec.tools[1].again.c", 9},
		{0, "spec.account", 3},
		{0, "spec.tools[2]", 5},
		{0, "spec.model.x", 4},
		{0, "spec.tools.x", 5},
		{0, "spec[0]", 3},
		{0, "metadata.name", 2},
		{0, "spec.tools[x", 5},
		{0, "..", 2},
		{1, "", 12},
		{1, "kind", 12},
		{1, "spec.tools", 13},
		{1, "spec.tools[0]", 14},
		{1, "spec.tools[1].name", 15},
		{1, `spec.tools[1]["a.b"].c`, 16},
		{1, `spec.tools[1]["a.b"].d`, 16},
		{2, "", 21},
		{2, "kind", 21},
		{2, "spec.model", 23},
		{2, "spec.account", 22},
	} {
		if got := docs[c.document].Line(c.field); got != c.line {
			t.Errorf("document %d: %s stands on line %d, not %d", c.document, c.field, c.line, got)
		}
	}
	if (&document.Document{}).Line("a") != 0 || (*document.Document)(nil).Line("a") != 0 {
		t.Error("a document from nowhere has lines")
	}
	if docs[2].Index != 2 {
		t.Error(docs[2].Index)
	}
}

func TestAPathIsQuotedWhereItHasToBe(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ path, name, want string }{
		{"", "a", "a"}, {"a", "b_c-9$", "a.b_c-9$"}, {"a", "b.c", `a["b.c"]`}, {"a", "", `a[""]`}, {"", "a/b", `["a/b"]`}, {"a", `"<`, `a["\"<"]`},
	} {
		if got := document.Member(c.path, c.name); got != c.want {
			t.Errorf("%s, %s: %s, want %s", c.path, c.name, got, c.want)
		}
	}
	if got := document.Item("a.b", 12); got != "a.b[12]" {
		t.Error(got)
	}
}

func TestLinesAreThoseOfAnEditor(t *testing.T) {
	t.Parallel()
	docs, err := document.Read([]byte("a: \"x\u2028y\u0085z\"\nb: 1\r\nc:\rd: 1\ne: 1\n"))
	if err != nil {
		t.Fatal(err)
	}
	for field, line := range map[string]int{"a": 1, "b": 2, "c": 3, "d": 3, "e": 4} {
		if got := docs[0].Line(field); got != line {
			t.Errorf("%s stands on line %d, not %d", field, got, line)
		}
	}
	if _, err := document.Read([]byte("a: \"x\u2028y\"\nb: 1\nb: 2")); err == nil || err.Error() != "document 1, line 3: b: is given twice" {
		t.Error(err)
	}
}
