package event_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"net/url"
	"path"
	"slices"
	"strings"
	"testing"

	reflected "github.com/invopop/jsonschema"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/schemas"
)

// compiled is a schema of schemas/, with formats asserted and uri-reference taken by the letter: the library's own lets
// spaces pass.
func compiled(t testing.TB, name string) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	c.RegisterFormat(&jsonschema.Format{Name: "uri-reference", Validate: func(v any) error {
		s, ok := v.(string)
		if !ok {
			return nil
		}
		if strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("\"<>\\^`{|}", r) }) {
			return errors.New("a character no URI has")
		}
		_, err := url.Parse(s)
		return err
	}})
	files, err := fs.Glob(schemas.FS, "*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if err := c.AddResource(schemas.Base()+file, parsed(t, read(t, file))); err != nil {
			t.Fatal(err)
		}
	}
	s, err := c.Compile(schemas.Base() + name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func read(t testing.TB, file string) []byte {
	t.Helper()
	text, err := schemas.FS.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

func parsed(t failer, text []byte) any {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return doc
}

func TestWhatIsWrittenIsValidBySchema(t *testing.T) {
	t.Parallel()
	whole, data := compiled(t, "event.v1.json"), map[string]*jsonschema.Schema{}
	for _, name := range []string{"invalidated.v1.json", "manifest.v1.json", "tick.v1.json"} {
		data[schemas.Base()+name] = compiled(t, name)
	}
	rapid.Check(t, func(t *rapid.T) {
		e := drawEvent(t)
		m, err := event.Encode("shop", e)
		if err != nil {
			t.Fatal(err)
		}
		schema := data[m.Header["ce-dataschema"][0]]
		if schema == nil {
			t.Fatalf("dataschema is %s", m.Header["ce-dataschema"])
		}
		if err := schema.Validate(parsed(t, m.Data)); err != nil {
			t.Fatalf("%s: %v", m.Data, err)
		}
		text, err := e.CloudEvent().MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		if err := whole.Validate(parsed(t, text)); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	})
	tick := event.EncodeSys("shop", event.SysTick, "/lethe/shop/n1", "n1", "1", noon)
	if err := data[tick.Header["ce-dataschema"][0]].Validate(parsed(t, tick.Data)); err != nil {
		t.Error(err)
	}
	token := compiled(t, "token.v1.json")
	for _, tok := range []event.Token{{}, event.NewToken("shop-2", "E_1-x", 0), event.NewToken("a", "E", 1<<64-1)} {
		if err := token.Validate(tok.String()); err != nil {
			t.Error(err)
		}
	}
}

// TestEveryExampleIsValidAndUnderstood: the file's name is the subject it goes on.
func TestEveryExampleIsValidAndUnderstood(t *testing.T) {
	t.Parallel()
	whole := compiled(t, "event.v1.json")
	files, err := fs.Glob(schemas.FS, "examples/*.json")
	if err != nil || len(files) < 8 {
		t.Fatalf("examples are %v (%v)", files, err)
	}
	for _, file := range files {
		text := read(t, file)
		if err := whole.Validate(parsed(t, text)); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		subject := strings.TrimSuffix(path.Base(file), ".json")
		r := event.Decode("shop", root+subject, nil, text)
		if r.Widened+r.Rejected+r.Detail != "" || (len(r.Targets) == 0) == (r.Sys == "") || r.ID == "" || r.Source == "" {
			t.Errorf("%s: %+v", file, r)
		}
	}
}

func TestSchemasRefuseWhatThePackageRefuses(t *testing.T) {
	t.Parallel()
	invalidated, manifest := compiled(t, "invalidated.v1.json"), compiled(t, "manifest.v1.json")
	for _, bad := range badTargets() {
		if strings.Contains(bad.wire, `\ud`) || strings.Contains(bad.wire, `{"a":1,"a":2}`) || strings.Contains(bad.wire, "1e999") || bad.wire == `{"tag":"user:42","tag":"user:43"}` || strings.Contains(bad.wire, "[[[") {
			continue // no data model: half characters, doubled names, numbers beyond a double
		}
		if err := invalidated.Validate(parsed(t, []byte(`{"targets":[`+bad.wire+`]}`))); err == nil {
			t.Errorf("%s is valid", bad.wire)
		}
	}
	const object = `{"kind":"Chatbot","namespace":"acme","name":"helper","action":"created","targets":`
	if err := manifest.Validate(parsed(t, []byte(object+`[{"tagPrefix":"chatbot:acme/"}]}`))); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{object + `[]}`, object + `[{"all":true}]}`, object + `[{"function":"f"}]}`, strings.Replace(object, "helper", "*", 1) + `[{"tag":"chatbot:x"}]}`} {
		if err := manifest.Validate(parsed(t, []byte(bad))); err == nil {
			t.Errorf("%s is valid", bad)
		}
	}
	const class = `{"kind":"Chatbot","action":"invalidated","targets":[{"tagPrefix":"chatbot:"}]`
	for text, want := range map[string]bool{
		class + `}`: true, class + `,"namespace":"acme"}`: true, class + `,"name":"helper"}`: false,
		strings.Replace(class, "invalidated", "deleted", 1) + `}`: false, strings.Replace(class, "invalidated", "created", 1) + `,"namespace":"acme"}`: false,
	} {
		if err := manifest.Validate(parsed(t, []byte(text))); (err == nil) != want {
			t.Errorf("%s: %v", text, err)
		}
	}
	whole := compiled(t, "event.v1.json")
	good := string(read(t, "examples/tag.user.json"))
	for from, to := range map[string]string{`"/cli"`: `"/a b"`, `"1.0"`: `"0.3"`, `"1",`: `"",`, `{"tag": "user:42"}`: `{"tag": "user"}`, `"id"`: `"trace-id"`, `.invalidated.`: `.manifest.applied.`} {
		bad := strings.Replace(good, from, to, 1)
		if err := whole.Validate(parsed(t, []byte(bad))); err == nil || bad == good {
			t.Errorf("%s is valid", bad)
		}
	}
}

// TestSchemaAndGoTypeHaveTheSameFields of a manifest; whoever adds one to either is told here.
func TestSchemaAndGoTypeHaveTheSameFields(t *testing.T) {
	t.Parallel()
	var file struct {
		Properties map[string]struct{ Type string }
		Required   []string
	}
	if err := json.Unmarshal(read(t, "manifest.v1.json"), &file); err != nil {
		t.Fatal(err)
	}
	delete(file.Properties, "targets") // of the event, not of the object
	delete(file.Properties, "reason")
	r := reflected.Reflector{Anonymous: true, DoNotReference: true}
	var got []string
	for pair := r.Reflect(event.Manifest{}).Properties.Oldest(); pair != nil; pair = pair.Next() {
		got = append(got, pair.Key)
		if want := file.Properties[pair.Key].Type; want != "" && want != pair.Value.Type {
			t.Errorf("%s is %s in Go and %s in the schema", pair.Key, pair.Value.Type, want)
		}
	}
	slices.Sort(got)
	if want := slices.Sorted(maps.Keys(file.Properties)); !slices.Equal(got, want) {
		t.Errorf("Go has %v, the schema %v", got, want)
	}
	// What the Go type holds is what is written: every field set, every property there.
	e := event.Event{Source: "/x", Targets: list(event.Tag("chatbot:x")), Reason: "r", Manifest: &event.Manifest{
		APIVersion: "v", Kind: "Chatbot", Namespace: "n", Name: "n", UID: "u", Generation: 1, ResourceVersion: "1", Action: "created", Labels: map[string]string{"a": "b"},
	}}
	m, err := event.Encode("shop", e)
	if err != nil {
		t.Fatal(err)
	}
	written := map[string]any{}
	if err := json.Unmarshal(m.Data, &written); err != nil || len(written) != len(got)+2 {
		t.Errorf("%s has not %v and targets and reason (%v)", m.Data, got, err)
	}
}
