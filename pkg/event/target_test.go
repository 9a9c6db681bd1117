package event_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/lethe-cache/lethe/pkg/event"
)

func TestTargetsTellWhatTheyAre(t *testing.T) {
	t.Parallel()
	hash := event.HashKey(`["sku-42"]`)
	for _, c := range []struct {
		target           event.Target
		scope            event.Scope
		name, args, hash string
		text, wire       string
	}{
		{event.Key("catalog.price", "sku-42"), event.ScopeKey, "catalog.price", `["sku-42"]`, "", `catalog.price["sku-42"]`, `{"function":"catalog.price","args":["sku-42"]}`},
		{event.Key("catalog.price", "sku-42").Hashed().Hashed(), event.ScopeKey, "catalog.price", "", hash, "catalog.price#" + hash, `{"function":"catalog.price","argsHash":"` + hash + `"}`},
		{event.Key("f"), event.ScopeKey, "f", `[]`, "", `f[]`, `{"function":"f","args":[]}`},
		{event.Function("catalog.price").Hashed(), event.ScopeFunction, "catalog.price", "", "", "catalog.price", `{"function":"catalog.price"}`},
		{event.Tag("user:42").Soft(), event.ScopeTag, "user:42", "", "", "~tag/user:42", `{"tag":"user:42","soft":true}`},
		{event.TagPrefix(`chatbot:a"b/`), event.ScopePrefix, `chatbot:a"b/`, "", "", `prefix/chatbot:a"b/`, `{"tagPrefix":"chatbot:a\"b/"}`},
		{event.All().Soft(), event.ScopeAll, "", "", "", "~*", `{"all":true,"soft":true}`},
		{event.FromCanonical("f", `[1]`), event.ScopeKey, "f", `[1]`, "", `f[1]`, `{"function":"f","args":[1]}`},
	} {
		wire, err := c.target.MarshalJSON()
		if err != nil || string(wire) != c.wire {
			t.Errorf("%v: wire form %s, %v; want %s", c.target, wire, err, c.wire)
		}
		got := c.target
		if got.Err() != nil || got.Scope() != c.scope || got.Name() != c.name || string(got.Args()) != c.args || got.Canonical() != c.args ||
			got.ArgsHash() != c.hash || got.String() != c.text || got.IsSoft() != strings.Contains(c.wire, "soft") {
			t.Errorf("%+v is not %+v", got, c)
		}
		if (got.Args() == nil) != (c.args == "") {
			t.Errorf("%v: Args is %v", got, got.Args())
		}
	}
}

func TestATargetThatCannotBeBuiltCarriesItsError(t *testing.T) {
	t.Parallel()
	for field, target := range map[string]event.Target{
		"function":  event.Function("no such thing"),
		"tag":       event.Tag("user:").Soft(),
		"tagPrefix": event.TagPrefix("user:4").Hashed(),
		"args[0]":   event.Key("f", make(chan int)),
		"args":      event.Name[string]("f").Key("\xff"),
		"target":    {},
	} {
		var e *event.Error
		if err := target.Err(); !errors.Is(err, event.ErrInvalid) || !errors.As(err, &e) || e.Field != field {
			t.Errorf("%s: %v", field, err)
		}
		if _, err := json.Marshal(target); !errors.Is(err, event.ErrInvalid) {
			t.Errorf("%s: marshals with %v", field, err)
		}
		if !strings.HasPrefix(target.String(), "!(event: ") || target.Scope() != "" || target.Subject() != "" {
			t.Errorf("%s: reads %s", field, target)
		}
	}
	for _, target := range []event.Target{event.Key("9", 1), event.Name2[int, int]("9").Key(1, 2), event.Name3[int, int, int]("").All(), event.FromCanonical("a b", "[]")} {
		if target.Err() == nil {
			t.Errorf("%v has an illegal name", target)
		}
	}
}

func TestTargetsSurviveTheWireAndKnowTheirSize(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := drawTarget(t)
		wire, err := want.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		if want.Size() != len(wire)+1 {
			t.Fatalf("%s takes %d bytes, Size says %d", wire, len(wire)+1, want.Size())
		}
		var got event.Target
		if want.ArgsHash() != "" { // a target by itself does not tell a hashed key's shape: its event does
			if err := json.Unmarshal(wire, &want); err != nil {
				t.Fatal(err)
			}
		}
		if err := json.Unmarshal(wire, &got); err != nil || got != want {
			t.Fatalf("%s is %v, not %v (%v)", wire, got, want, err)
		}
		if text, err := json.Marshal(want); err != nil {
			t.Fatal(err)
		} else if err := json.Unmarshal(text, &got); err != nil || got != want {
			t.Fatalf("%s is %v, not %v (%v)", text, got, want, err)
		}
	})
}

// badTargets are forms that no version of this package writes; the wire and the command line refuse them and name the
// field, a receiver widens.
func badTargets() []struct{ field, wire string } {
	return []struct{ field, wire string }{
		{"", `{}`},
		{"recursive", `{"tag":"user:42","recursive":true}`},
		{"Tag", `{"Tag":"user:42"}`},
		{"tag", `{"tag":"user:42","tag":"user:43"}`},
		{"soft", `{"tag":"user:42","soft":1}`},
		{"soft", `{"tag":"user:42","soft":null}`},
		{"", `{"tag":"user:42","all":true}`},
		{"", `{"tag":"user:42","args":[]}`},
		{"", `{"args":[1]}`},
		{"", `{"soft":true}`},
		{"", `{"function":"user","args":[],"argsHash":"BkrKn5IOmy7DaQ4PdOXBVg"}`},
		{"all", `{"all":false}`},
		{"all", `{"all":"true"}`},
		{"tag", `{"tag":"user"}`},
		{"tag", `{"tag":"user:"}`},
		{"tag", `{"tag":"user:\u0007"}`},
		{"tag", `{"tag":"user:\ud800"}`},
		{"tag", `{"tag":42}`},
		{"tag", `{"tag":null}`},
		{"tagPrefix", `{"tagPrefix":"user"}`},
		{"tagPrefix", `{"tagPrefix":""}`},
		{"function", `{"function":"9x"}`},
		{"function", `{"function":["user"]}`},
		{"args", `{"function":"user","args":{"a":1}}`},
		{"args", `{"function":"user","args":"[]"}`},
		{"args", `{"function":"user","args":null}`},
		{"args", `{"function":"user","args":[{"a":1,"a":2}]}`},
		{"args", `{"function":"user","args":[1e999]}`},
		{"args", `{"function":"user","args":["\udfff"]}`},
		{"args", `{"function":"user","args":` + strings.Repeat("[", 120) + strings.Repeat("]", 120) + `,"args":[]}`},
		{"argsHash", `{"function":"user","argsHash":"BkrKn5IOmy7DaQ4PdOXBV"}`},
		{"argsHash", `{"function":"user","argsHash":"BkrKn5IOmy7DaQ4PdOXBVh"}`},
		{"argsHash", `{"function":"user","argsHash":"BkrKn5IOmy7DaQ4PdOXB+g"}`},
		{"argsHash", `{"function":"user","argsHash":"BkrKn5IOmy7DaQ4PdOXBVg=="}`},
		{"argsHash", `{"function":"user","argsHash":"BkrKn5IOmy7DaQ4Pd\nXBVg"}`},
		{"", `["user:42"]`},
		{"", `"user:42"`},
		{"", `null`},
	}
}

func TestTargetsThatAreNotUnderstoodAreRefusedByField(t *testing.T) {
	t.Parallel()
	for _, bad := range badTargets() {
		var target event.Target
		err := json.Unmarshal([]byte(bad.wire), &target)
		want := strings.TrimSuffix("target."+bad.field, ".")
		var e *event.Error
		if !errors.As(err, &e) || e.Field != want || !errors.Is(err, event.ErrInvalid) || target != (event.Target{}) {
			t.Errorf("%s: %v, %v; want an error of field %q", bad.wire, target, err, want)
		}
		_, _, err = event.ParseInvalidation([]byte(`{"targets":[{"all":true},` + bad.wire + `]}`))
		want = strings.TrimSuffix("targets[1]."+bad.field, ".")
		if e = nil; !errors.As(err, &e) || e.Field != want {
			t.Errorf("%s: %v; want an error of field %q", bad.wire, err, want)
		}
	}
}

func TestABodyIsParsedStrictly(t *testing.T) {
	t.Parallel()
	targets, reason, err := event.ParseInvalidation([]byte(` {"reason":"price list of November","targets":[{"function":"catalog.price","args":["sku-42"]},{"tagPrefix":"chatbot:acme/","soft":true}]} `))
	if err != nil || reason != "price list of November" || len(targets) != 2 || targets[0] != price.Key("sku-42") || targets[1] != event.TagPrefix("chatbot:acme/").Soft() {
		t.Errorf("got %v, %q, %v", targets, reason, err)
	}
	for body, field := range map[string]string{
		``:                              "body",
		`null`:                          "body",
		`[]`:                            "body",
		`{`:                             "body",
		`{"targets":[{"all":true}]} {}`: "body",
		`{"targets":[{"all":true}],}`:   "body",
		`{}`:                            "targets",
		`{"targets":[]}`:                "targets",
		`{"targets":{}}`:                "targets",
		`{"targets":null}`:              "targets",
		`{"targets":[{"all":true}`:      "targets",
		`{"targets":[{"all":true}],"targets":[]}`:                                 "targets",
		`{"Targets":[{"all":true}]}`:                                              "Targets",
		`{"targets":[{"all":true}],"reasn":"x"}`:                                  "reasn",
		`{"targets":[{"all":true}],"reason":1}`:                                   "reason",
		`{"targets":[{"all":true}],"reason":"` + strings.Repeat("x", 1025) + `"}`: "reason",
		`{"targets":[{"tagPrefix":"user:4"}]}`:                                    "targets[0].tagPrefix",
	} {
		targets, _, err := event.ParseInvalidation([]byte(body))
		var e *event.Error
		if !errors.As(err, &e) || e.Field != field || !errors.Is(err, event.ErrInvalid) || targets != nil {
			t.Errorf("%s: %v, %v; want an error of field %q", body, targets, err, field)
		}
	}
}

func FuzzTarget(f *testing.F) {
	for _, bad := range badTargets() {
		f.Add([]byte(bad.wire))
	}
	f.Add([]byte(`{"function":"catalog.price","args":["sku-42",1.0,{"b":1,"a":2}],"soft":true}`))
	f.Add([]byte(`{"function":"f","argsHash":"BkrKn5IOmy7DaQ4PdOXBVg"}`))
	f.Add([]byte(`{"tag":"user:42/ü"}`))
	f.Add([]byte(`{"tagPrefix":"user:"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var target event.Target
		if err := target.UnmarshalJSON(data); err != nil {
			if !errors.Is(err, event.ErrInvalid) {
				t.Fatal(err)
			}
			return
		}
		wire, err := target.MarshalJSON()
		if err != nil || target.Err() != nil || target.Subject() == "" || target.Size() != len(wire)+1 {
			t.Fatalf("%q: %v, %s, %v", data, target, wire, err)
		}
		var again event.Target
		if err := again.UnmarshalJSON(wire); err != nil || again != target {
			t.Fatalf("%s is %v, not %v (%v)", wire, again, target, err)
		}
	})
}
