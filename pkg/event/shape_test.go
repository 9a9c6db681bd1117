package event_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/lethe-cache/lethe/pkg/event"
)

// The digests are contract: a publisher in another language has to make the same of a shape.
func TestTheShapeOfAHashedKeyIsAsTheContractHasIt(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		args        []any
		shape, want string
	}{
		{[]any{}, `[]`, "4f53cda1"},
		{[]any{"sku-42"}, `[s]`, "2829d5b4"},
		{[]any{"a", "b"}, `[s,s]`, "4e4195cb"},
		{[]any{-1.5, true, nil}, `[n,b,z]`, "b61afccb"},
		{[]any{map[string]any{"sku": "a\"b:{", "page": 2, "in": []any{"x", false}}}, `[{"in":[s,b],"page":n,"sku":s}]`, "c995760c"},
	} {
		m, err := event.Encode("shop", event.Event{Source: "/x", Targets: []event.Target{event.Key("f", tc.args...).Hashed()}})
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Header["ce-lethekeyshape"]; len(got) != 1 || got[0] != tc.want {
			t.Errorf("%s: %q, want %q", tc.shape, got, tc.want)
		}
	}
}

func TestHashedKeysOfOneShapeLookAlike(t *testing.T) {
	t.Parallel()
	of := func(args ...any) event.Target { return event.Key("f", args...).Hashed() }
	type old struct{ SKU string }
	type renamed struct{ Article string }
	for _, tc := range []struct {
		a, b event.Target
		same bool
	}{
		{of("a"), of("b"), true},
		{of("a"), of(`"`), true},
		{of("a"), of("a", "b"), false},
		{of("a"), of(1), false},
		{of(1), of(-2.5e300), true},
		{of(true), of(false), true},
		{of(true), of(nil), false},
		{of(old{"a"}), of(old{"b"}), true},
		{of(old{"a"}), of(renamed{"a"}), false},
		{of([]int{1}), of([]int{1, 2}), false},
		{of("a"), event.Key("f", 1, 2), true}, // not hashed: it says all
	} {
		if tc.a.SameShape(tc.b) != tc.same || tc.b.SameShape(tc.a) != tc.same {
			t.Errorf("%v and %v look alike: %v", tc.a, tc.b, !tc.same)
		}
	}
}

func TestTheShapeSurvivesTheWireAndStructuredMode(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a := event.Key("f", drawJSON(t, "a", 2)).Hashed()
		e := event.Event{Source: "/x", Targets: []event.Target{a}}
		mixed := rapid.Bool().Draw(t, "mixed")
		if mixed {
			e.Targets = append(e.Targets, event.Key("f", drawJSON(t, "b", 2), 1).Hashed())
		}
		m, err := event.Encode("shop", e)
		if err != nil {
			t.Fatal(err)
		}
		r := event.Decode("shop", m.Subject, m.Header, m.Data)
		text, err := r.CloudEvent().MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		for mode, r := range map[string]event.Received{"binary": r, "structured": event.Decode("shop", m.Subject, nil, text)} {
			if r.Widened != "" || len(r.Targets) != len(e.Targets) || len(r.Extensions) != 0 {
				t.Fatalf("%s: %+v", mode, r)
			}
			for i, target := range r.Targets {
				if same := target.SameShape(e.Targets[i]); same == mixed {
					t.Fatalf("%s: %v looks as it did: %v, of several shapes: %v", mode, target, same, mixed)
				}
			}
		}
	})
}

// FuzzKeyShape: whatever an event says of its keys' shape, it is that of no function but one that has it, and is said again the same.
func FuzzKeyShape(f *testing.F) {
	for _, s := range []string{"", "2829d5b4", "2829D5B4", "00000000", "00000001", "mixed", "2829d5b", "2829d5b43", "+829d5b4", "0x12"} {
		f.Add(s, `["a"]`)
	}
	f.Fuzz(func(t *testing.T, text, key string) {
		mine := event.FromCanonical("f", key).Hashed() // of any text, canonical or not
		if mine.Err() != nil {
			return // too long
		}
		header := map[string][]string{
			"ce-specversion": {"1.0"}, "ce-id": {"1"}, "ce-source": {"/x"}, "ce-type": {event.TypeInvalidated}, "ce-lethekeyshape": {text},
		}
		data := []byte(`{"targets":[{"function":"f","argsHash":"` + event.HashKey(key) + `"}]}`)
		r := event.Decode("shop", root+"fn.f", header, data)
		if r.Widened != "" || len(r.Targets) != 1 || r.Targets[0].ArgsHash() != mine.ArgsHash() {
			t.Fatalf("%+v", r)
		}
		r.Source, r.ID = "/x", ""
		m, err := event.Encode("shop", r.Event)
		if err != nil {
			t.Fatal(err)
		}
		said := strings.Join(m.Header["ce-lethekeyshape"], "")
		if text != "" && said == "" || said != "" && said != "mixed" && len(said) != 8 {
			t.Fatalf("%q is said again as %q", text, said)
		}
		own, err := event.Encode("shop", event.Event{Source: "/x", Targets: []event.Target{mine}})
		if err != nil {
			t.Fatal(err)
		}
		if same := said == "" || said == own.Header["ce-lethekeyshape"][0]; r.Targets[0].SameShape(mine) != same {
			t.Fatalf("%q is the shape of %q: %v", text, key, !same)
		}
	})
}
