package manifest

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/lethe-cache/lethe/internal/document"
)

func TestAManifestIsReadStrictly(t *testing.T) {
	t.Parallel()
	o, err := readObject([]byte(`{"apiVersion":"v1","kind":"K","metadata":{"name":"x","namespace":"y","uid":"u","resourceVersion":"7","generation":3,` +
		`"creationTimestamp":"2026-11-22T18:00:00Z","labels":{"a":"b"},"annotations":{"c":"d"}},"spec":{"n":1.50},"status":{"x":1}}`))
	if err != nil {
		t.Fatal(err)
	}
	m := o.Metadata
	if m.Name != "x" || m.Namespace != "y" || m.UID != "u" || m.ResourceVersion != "7" || m.Generation != 3 || m.Created.IsZero() || m.Labels["a"] != "b" || m.Annotations["c"] != "d" ||
		string(o.Spec) != `{"n":1.50}` || string(o.Status) != `{"x":1}` {
		t.Errorf("%+v", o)
	}
	if _, err := readObject([]byte(`{"metadata":{"creationTimestamp":null,"labels":null,"annotations":[ ]}}`)); err != nil {
		t.Error(err)
	}
	for _, c := range []struct{ text, want string }{
		{`[]`, ": has to be an object"},
		{`{"specs":{}}`, "specs: is no field here; did you mean spec?"},
		{`{"Kind":"K"}`, "Kind: is no field here; did you mean kind?"},
		{`{"data":{}}`, "data: is no field here; there are apiVersion, kind, metadata, spec, status"},
		{`{"kind":1}`, "kind: it is 1; has to be text"},
		{`{"kind":null}`, "kind: it is null; has to be text"},
		{`{"metadata":[]}`, "metadata: has to be an object"},
		{`{"metadata":{"lables":{}}}`, "metadata.lables: is no field here; did you mean labels?"},
		{`{"metadata":{"finalizers":[]}}`, "metadata.finalizers: is no field here; there are annotations, creationTimestamp, generation"},
		{`{"metadata":{"labels":{"a/b":true}}}`, `metadata.labels["a/b"]: it is true; has to be text, write it in quotes`},
		{`{"metadata":{"labels":[1]}}`, "metadata.labels: has to be an object"},
		{`{"metadata":{"labels":""}}`, "metadata.labels: has to be an object"},
		{`{"metadata":{"description":"x"}}`, "metadata.description: is no field here; there are annotations, creationTimestamp, generation, labels, name, namespace, resourceVersion, uid; what the kind describes belongs in spec, any other text in metadata.annotations"},
		{`{"model":"x"}`, "model: is no field here; there are apiVersion, kind, metadata, spec, status; what the kind describes belongs in spec"},
		{`{"metadata":{"generation":"3"}}`, `metadata.generation: it is "3"; has to be a whole number`},
		{`{"metadata":{"generation":null}}`, `metadata.generation: it is null; has to be a whole number`},
		{`{"metadata":{"creationTimestamp":"now"}}`, `metadata.creationTimestamp: it is "now"; has to be a time`},
		{`{"metadata":{"resourceVersion":7}}`, `metadata.resourceVersion: it is 7; has to be text`},
	} {
		_, err := readObject([]byte(c.text))
		wantRefusal(t, c.text, err, c.want)
	}
}

func TestMetadataIsRefusedByField(t *testing.T) {
	t.Parallel()
	s := kindOf(t, botKind)
	long := strings.Repeat("x", 64)
	many := map[string]string{}
	for i := range 60 {
		many[fmt.Sprintf("key-%d.example.dev/%s", i, long[:60])] = long[:60]
	}
	for _, c := range []struct {
		name string
		m    Metadata
		want []string
	}{
		{"legal", Metadata{Name: "bots.acme", Namespace: "a-1", Labels: map[string]string{"a": "", "x.dev/A_b.c": "1.2-3_x"}, Annotations: map[string]string{"x.dev/note": "any\ntext ü"}}, nil},
		{"snake case", Metadata{Name: "my_bot.v_1", Namespace: "acme_corp", Labels: map[string]string{"a": "b"}}, nil},
		{"underscores at the ends", Metadata{Name: "_bot", Namespace: "acme_"}, []string{`metadata.name: "_bot": use lower-case letters, digits, and - and _ between them`, `metadata.namespace: "acme_": use`}},
		{"an underscore at the end of a label", Metadata{Name: "a_.b"}, []string{`metadata.name: "a_.b": use`}},
		{"no name", Metadata{}, []string{"metadata.name: is missing"}},
		{"a star", Metadata{Name: "*", Namespace: "*"}, []string{`metadata.name: "*": use`, `metadata.namespace: "*": use`}},
		{"a slash", Metadata{Name: "a/b", Namespace: "a/b"}, []string{`metadata.name: "a/b": use`, `metadata.namespace: "a/b": use`}},
		{"capitals", Metadata{Name: "Helper"}, []string{`metadata.name: "Helper"`}},
		{"hyphen first", Metadata{Name: "-a"}, []string{`metadata.name: "-a"`}},
		{"empty label", Metadata{Name: "a..b"}, []string{`metadata.name: "a..b"`}},
		{"a label of 64", Metadata{Name: long}, []string{`metadata.name: "` + long}},
		{"254 bytes", Metadata{Name: strings.Repeat("a.", 127)}, []string{`metadata.name: "a.a.`}},
		{"label keys", Metadata{Name: "x", Labels: map[string]string{"": "a", "a b": "c", "-a": "b", "A.dev/x": "y", "a_b/x": "y", "a/b/c": "d", long: "x", "/x": "y"}}, []string{
			`metadata.labels[""]: use a name`, `metadata.labels["a b"]: use`, `metadata.labels.-a: use`, `metadata.labels["A.dev/x"]`, `metadata.labels["a/b/c"]`, `metadata.labels["a_b/x"]`, "metadata.labels." + long, `metadata.labels["/x"]`,
		}},
		{"label values", Metadata{Name: "x", Labels: map[string]string{"a": "x y", "b": long, "c": "-"}}, []string{`metadata.labels.a: "x y": use`, "metadata.labels.b: ", `metadata.labels.c: "-"`}},
		{"annotation keys", Metadata{Name: "x", Annotations: map[string]string{"a b": "c"}}, []string{`metadata.annotations["a b"]: use`}},
		{"large annotations", Metadata{Name: "x", Annotations: map[string]string{"a": strings.Repeat("x", MaxAnnotations)}}, []string{"metadata.annotations: have 65537 bytes, at most 65536"}},
		{"large labels", Metadata{Name: "x", Labels: many}, []string{"metadata.labels: have"}},
	} {
		o := Object{APIVersion: "example.dev/v1", Kind: "Chatbot", Metadata: c.m, Spec: json.RawMessage(`{"account":"a","model":"small"}`)}
		ready, err := s.prepare(o)
		wantRefusal(t, c.name, err, c.want...)
		if err == nil && (ready.Metadata.Namespace == "" || ready.Metadata.Name != c.m.Name) {
			t.Errorf("%s: %+v", c.name, ready.Metadata)
		}
	}
}

func TestAManifestThatIsTooLargeIsRefused(t *testing.T) {
	t.Parallel()
	s := kindOf(t, strings.Replace(botKind, "free: {type: object}", "free: {}", 1))
	o := Object{APIVersion: "example.dev/v1", Kind: "Chatbot", Metadata: Metadata{Name: "x"}}
	o.Spec = rawOf(t, map[string]any{"account": "a", "model": "small", "free": strings.Repeat("x", MaxSize)})
	_, err := s.prepare(o)
	wantRefusal(t, "too large", err, "spec: the manifest has 10486")
	o.Spec = json.RawMessage(`{"account":"a","model":"small"` + strings.Repeat(" ", MaxSize) + `}`)
	if _, err := s.prepare(o); err != nil {
		t.Errorf("white space counts: %v", err)
	}
	o.Spec = json.RawMessage(`{"account":"a","model":"small"` + strings.Repeat(" ", 4*MaxSize) + `}`)
	_, err = s.prepare(o)
	wantRefusal(t, "far too large", err, "spec: has 41943")
}

func TestWhatAStoreJudgesIsLeftToIt(t *testing.T) {
	t.Parallel()
	o := objectOf(t, strings.Replace(bot, "name: helper,", `name: helper, uid: u, resourceVersion: "7", generation: 3, creationTimestamp: "2026-11-22T18:00:00Z",`, 1)+"status: {x: 1}\n")
	ready, err := kindOf(t, botKind).prepare(o)
	if err != nil || ready.Metadata.UID != "u" || ready.Metadata.ResourceVersion != "7" || ready.Metadata.Generation != 3 || ready.Metadata.Created.IsZero() || string(ready.Status) != `{"x":1}` {
		t.Errorf("%+v, %v", ready, err)
	}
}

func TestErrorsSayWhereInTheirTextTheyAre(t *testing.T) {
	t.Parallel()
	text := "# first\n---" + bot + "---\n" + strings.NewReplacer("{name: y, retries: 1, limits: {}}]", "\n    {name: y,\n     retriez: 1}]", "  model: small\n", "").Replace(bot)
	docs, err := document.Read([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	s := kindOf(t, botKind)
	o, err := readObject(docs[1].JSON)
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.prepare(o)
	err = inDocument(&docs[1], err)
	want := "manifest: document 2, line 22: Chatbot acme/helper: spec.tools[1].retriez: is no field here; did you mean retries?\n" +
		"manifest: document 2, line 17: Chatbot acme/helper: spec.model: is required"
	if err == nil || err.Error() != want {
		t.Errorf("%v\nwant\n%s", err, want)
	}
	shown, err := json.Marshal(Problems(err)[0])
	if want := `{"kind":"Chatbot","namespace":"acme","name":"helper","document":2,"line":22,"field":"spec.tools[1].retriez","error":"is no field here; did you mean retries?"}`; err != nil || string(shown) != want {
		t.Errorf("%s, %v", shown, err)
	}
	_, err = document.Read([]byte("a: 1\n---\nb: {c: 1, c: 2}\n"))
	if got := unread(err); got.Error() != "manifest: document 2, line 3: b.c: is given twice" || !errors.Is(got, ErrInvalid) {
		t.Error(got)
	}
}

// A number that would come back as another is refused where it stands; the others keep their value, whole ones all their digits.
func TestANumberThatWouldComeBackAsAnotherIsRefusedWhereItStands(t *testing.T) {
	t.Parallel()
	s := kindOf(t, botKind)
	for number, want := range map[string]string{
		"9007199254740993.25":       "9007199254740994",
		"0.12345678901234567890123": "0.12345678901234568",
		"1e-400":                    "0",
		"1e400":                     "beyond a double",
		"9007199254740993":          "",
		"0.30000000000000004":       "",
		"1.10":                      "",
		"1.00000000000000006e-01":   "",
	} {
		docs, err := document.Read([]byte(bot + "  free:\n    first: 1\n    list:\n    - {x: 1}\n    - x: " + number + "\n"))
		if err != nil {
			t.Fatal(err)
		}
		o, err := readObject(docs[0].JSON)
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.prepare(o)
		switch err = inDocument(&docs[0], err); {
		case want == "" && err != nil:
			t.Errorf("%s: %v", number, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), "line 15: Chatbot acme/helper: spec.free.list[1].x: ") || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v", number, err)
		}
	}
}

func TestErrorsAreWhatTheyWrap(t *testing.T) {
	t.Parallel()
	cause := errors.New("the disk is full")
	for _, c := range []struct {
		e                           *Error
		text                        string
		invalid, conflict, notFound bool
	}{
		{&Error{Reason: "x"}, "manifest: x", true, false, false},
		{&Error{Kind: "K", Err: ErrNotFound}, "manifest: K: not found", false, false, true},
		{&Error{Kind: "K", Name: "n", Reason: "is 7, not 6", Err: ErrConflict}, "manifest: K n: is 7, not 6", false, true, false},
		{&Error{Reason: "can't be written", Err: cause}, "manifest: can't be written: the disk is full", true, false, false},
		{because("spec", "can't be written", cause), "manifest: spec: can't be written: the disk is full", true, false, false},
	} {
		var err error = c.e
		if err.Error() != c.text || errors.Is(err, ErrInvalid) != c.invalid || errors.Is(err, ErrConflict) != c.conflict || errors.Is(err, ErrNotFound) != c.notFound ||
			strings.Contains(c.text, "disk") != errors.Is(err, cause) {
			t.Errorf("%v is not %+v", err, c)
		}
	}
	joined := fmt.Errorf("apply: %w", errors.Join(&Error{Field: "a"}, fmt.Errorf("b: %w", &Error{Field: "b"}), cause))
	if all := Problems(joined); len(all) != 2 || all[0].Field != "a" || all[1].Field != "b" || Problems(cause) != nil || Problems(nil) != nil {
		t.Errorf("%v", all)
	}
}

// Specs that mean the same are stored as the same bytes, however they are spelled.
func TestSpellingIsNoChange(t *testing.T) {
	t.Parallel()
	s := schemaOf(t, `{"type":"object"}`)
	k := &storedKind{schema: s}
	rapid.Check(t, func(t *rapid.T) {
		value := drawValue(t, 3)
		spell := func(name string) json.RawMessage {
			var b strings.Builder
			b.WriteString(`{"v":`)
			spelled(t, name, &b, value)
			b.WriteString("}")
			return json.RawMessage(b.String())
		}
		one, other := spell("one"), spell("other")
		a, err := k.prepare(Object{Spec: one})
		if err != nil {
			t.Fatalf("%s: %v", one, err)
		}
		b, err := k.prepare(Object{Spec: other})
		if err != nil || string(a) != string(b) {
			t.Fatalf("%s is %s, %s is %s, %v", one, a, other, b, err)
		}
		again, err := k.prepare(Object{Spec: a})
		if err != nil || string(again) != string(a) {
			t.Fatalf("%s becomes %s, %v", a, again, err)
		}
	})
}

func drawValue(t *rapid.T, depth int) any {
	kinds := 4
	if depth > 0 {
		kinds = 6
	}
	switch rapid.IntRange(0, kinds-1).Draw(t, "kind") {
	case 0:
		return rapid.Int64().Draw(t, "number")
	case 1:
		return rapid.Float64Range(-1e300, 1e300).Draw(t, "double")
	case 2:
		return rapid.String().Draw(t, "text")
	case 3:
		return rapid.SampledFrom([]any{nil, true, false}).Draw(t, "word")
	case 4:
		all := make([]any, rapid.IntRange(0, 3).Draw(t, "length"))
		for i := range all {
			all[i] = drawValue(t, depth-1)
		}
		return all
	}
	all := map[string]any{}
	for range rapid.IntRange(0, 4).Draw(t, "members") {
		all[rapid.StringMatching(`[a-zé]{0,3}`).Draw(t, "name")] = drawValue(t, depth-1)
	}
	return all
}

// spelled writes a value in one of the many ways JSON has.
func spelled(t *rapid.T, name string, b *strings.Builder, v any) {
	space := rapid.SampledFrom([]string{"", " ", "\n\t"})
	b.WriteString(space.Draw(t, name))
	switch v := v.(type) {
	case float64:
		format := rapid.SampledFrom([]string{"%.17e", "%.17E"}).Draw(t, name)
		fmt.Fprintf(b, format, v)
	case string:
		for i, c := range v {
			if i == 0 {
				b.WriteByte('"')
			}
			if c < 0x10000 && rapid.Bool().Draw(t, name) {
				fmt.Fprintf(b, `\u%04X`, c)
			} else {
				text, err := json.Marshal(string(c))
				if err != nil {
					t.Fatal(err)
				}
				b.Write(text[1 : len(text)-1])
			}
		}
		if v == "" {
			b.WriteByte('"')
		}
		b.WriteByte('"')
	case []any:
		b.WriteByte('[')
		for i, below := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			spelled(t, name, b, below)
		}
		b.WriteByte(']')
	case map[string]any:
		names := make([]string, 0, len(v))
		for name := range sorted(v) {
			names = append(names, name)
		}
		b.WriteByte('{')
		for i, key := range rapid.Permutation(names).Draw(t, name) {
			if i > 0 {
				b.WriteByte(',')
			}
			spelled(t, name, b, key)
			b.WriteByte(':')
			spelled(t, name, b, v[key])
		}
		b.WriteByte('}')
	default:
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(text)
	}
	b.WriteString(space.Draw(t, name))
}
