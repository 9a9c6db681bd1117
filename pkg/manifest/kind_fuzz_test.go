package manifest

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/lethe-cache/lethe/internal/document"
)

// FuzzStoredKind makes a kind of one text and applies another to it: whatever they hold, nothing panics, every refusal names
// what is wrong, and what was taken once is taken again and stays what it is.
func FuzzStoredKind(f *testing.F) {
	f.Add(botKind, bot)
	f.Add(kindManifest, `{"apiVersion":"example.dev/v1","kind":"Chatbot","metadata":{"name":"x"},"spec":{"account":"a","model":"b","plugins":["c"]}}`)
	f.Add(`{"apiVersion":"lethe.dev/v1","kind":"Kind","metadata":{"name":"k"},"spec":{"apiVersion":"v1","names":{"kind":"K"},"schema":{"type":"object","properties":{"a":{"default":{},"$ref":"#"}}},"stale":["a:{spec.a}"]}}`, `{"apiVersion":"v1","kind":"K","metadata":{"name":"x"}}`)
	f.Add(`{"kind":"Kind","metadata":null,"spec":null}`, `{}`)
	all := kindKind()
	f.Fuzz(func(t *testing.T, kind, object string) {
		o, ok := fuzzed(t, kind)
		if !ok {
			return
		}
		prepared, err := all.prepare(o)
		if err != nil {
			fuzzRefused(t, err)
			return
		}
		s, err := stored(prepared)
		if err != nil {
			t.Fatalf("a kind that was taken is refused: %v", err)
		}
		if o, ok = fuzzed(t, object); !ok {
			return
		}
		o.APIVersion, o.Kind = s.apiVersion, s.kind
		ready, err := s.prepare(o)
		if err != nil {
			fuzzRefused(t, err)
			return
		}
		again, err := s.prepare(ready)
		if err != nil || string(again.Spec) != string(ready.Spec) {
			t.Fatalf("%s becomes %s, %v", ready.Spec, again.Spec, err)
		}
		if _, err := s.stale(ready); err != nil {
			t.Fatalf("what was prepared can't tell what it makes stale: %v", err)
		}
		if _, err := s.references(ready); err != nil {
			t.Fatalf("what was prepared can't tell what it refers to: %v", err)
		}
		if diff := diffText(ready, again); diff != "" {
			t.Fatal(diff)
		}
	})
}

func fuzzed(t *testing.T, text string) (Object, bool) {
	docs, err := document.Read([]byte(text))
	if err != nil || len(docs) != 1 {
		return Object{}, false
	}
	if !json.Valid(docs[0].JSON) {
		t.Fatalf("%q became %s", text, docs[0].JSON)
	}
	o, err := readObject(docs[0].JSON)
	if err != nil {
		fuzzRefused(t, err)
		return Object{}, false
	}
	return o, true
}

func fuzzRefused(t *testing.T, err error) {
	if !errors.Is(err, ErrInvalid) || len(Problems(err)) == 0 || len(Problems(err)) > 2*maxProblems {
		t.Fatalf("%v", err)
	}
	for _, e := range Problems(err) {
		if e.Reason == "" {
			t.Fatalf("%+v gives no reason", e)
		}
	}
}
