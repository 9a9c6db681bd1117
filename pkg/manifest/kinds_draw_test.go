package manifest

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/lethe-cache/lethe/internal/document"
	"github.com/lethe-cache/lethe/pkg/event"
)

// objectOf reads one manifest from YAML, as a store does.
func objectOf(t testing.TB, yaml string) Object {
	t.Helper()
	docs, err := document.Read([]byte(yaml))
	if err != nil {
		t.Fatal(err)
	}
	o, err := readObject(docs[0].JSON)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// kindOf makes a stored kind from YAML, by way of the kind Kind, as a store does.
func kindOf(t testing.TB, yaml string) *shape {
	t.Helper()
	o, err := kindKind().prepare(objectOf(t, yaml))
	if err != nil {
		t.Fatal(err)
	}
	s, err := stored(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// refusal checks that every problem of err is an Error that ErrInvalid stands for, and returns them as "field: reason".
func refusalOf(t testing.TB, err error) []string {
	t.Helper()
	if err == nil {
		return nil
	}
	if !errors.Is(err, ErrInvalid) || errors.Is(err, ErrConflict) || errors.Is(err, ErrNotFound) {
		t.Errorf("%v: errors.Is(err, ErrInvalid) has to hold, and nothing else", err)
	}
	all := Problems(err)
	if len(all) == 0 {
		t.Fatalf("%v is no Error", err)
	}
	texts := make([]string, len(all))
	for i, e := range all {
		texts[i] = e.Field + ": " + e.Reason
	}
	return texts
}

// wantRefusal compares the problems of err with prefixes of what they should be, in any order.
func wantRefusal(t testing.TB, what string, err error, want ...string) {
	t.Helper()
	got := refusalOf(t, err)
	if len(got) != len(want) {
		t.Errorf("%s: %d problems, want %d:\n%s", what, len(got), len(want), strings.Join(got, "\n"))
		return
	}
	for _, w := range want {
		found := false
		for _, g := range got {
			found = found || strings.HasPrefix(g, w)
		}
		if !found {
			t.Errorf("%s: no problem begins with\n%s\namong\n%s", what, w, strings.Join(got, "\n"))
		}
	}
}

func tagsOf(targets []event.Target) string {
	all := make([]string, len(targets))
	for i, t := range targets {
		all[i] = strings.TrimPrefix(t.String(), "tag/")
	}
	return strings.Join(all, " ")
}

func rawOf(t testing.TB, v any) json.RawMessage {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
