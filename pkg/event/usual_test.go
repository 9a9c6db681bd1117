package event

import (
	"slices"
	"strings"
	"testing"
)

// FuzzUsual: the short way to read a target finds what the long way finds, or leaves it to it.
func FuzzUsual(f *testing.F) {
	for _, target := range usualTargets() {
		f.Add(`{"targets":[` + target + `]}`)
		f.Add(`{"targets":[{"function":"a.b","args":["x"]},` + target + `,{"function":"a.b","args":[1]}],"reason":"r"}`)
	}
	f.Fuzz(func(t *testing.T, data string) {
		short := scanner{data: []byte(data), known: "a.b", function: "a.b"}
		long := scanner{data: []byte(data), known: "a.b"}
		got, err := short.body(false)
		want, wrong := long.body(false)
		if (err == nil) != (wrong == nil) || err != nil && err.Error() != wrong.Error() {
			t.Fatalf("error %v, want %v", err, wrong)
		}
		if err == nil && (!slices.Equal(got.targets, want.targets) || got.unknown != want.unknown || got.reason != want.reason) {
			t.Fatalf("read\n%+v, want\n%+v", got, want)
		}
		for _, target := range got.targets {
			if key := target.Canonical(); key != "" {
				again := scanner{data: []byte(key)}
				if text, err := again.canonical(nil); err != nil || string(text) != key {
					t.Fatalf("%q is not canonical: %q, %v", key, text, err)
				}
			}
		}
	})
}

func usualTargets() []string {
	targets := []string{
		`{"tag":"a:b"}`, `{"function":"a.b"}`, `{"function":"a.c","args":["x"]}`, `{"function":"a.bc","args":["x"]}`, `{"function":"a","args":["x"]}`,
		`{"args":["x"],"function":"a.b"}`, `{"function":"a.b","args":["x"],"args":["y"]}`, `{"function":"a.b","args":["x"],"later":1}`,
		`{"function":"a.b","args":["x"],"soft":true}`, `{"function":"a.b","args":["x"],"soft":false}`, `{"function":"a.b","args":["x"],"soft":true,"soft":true}`,
		`{"function":"a.b","args":["x"]`, `{"function":"a.b","args":["x"`, `{"function":"a.b","args":[`, `{"function":"a.b","args":`, `{"function":"a.b","args":[]}`,
		"\n" + `{"function":"a.b","args":["x"]}` + " ", `{"function":"a.b","args":["x"]},`, `{"function":"a.b","argsHash":"AAAAAAAAAAAAAAAAAAAAAA"}`,
	}
	for _, args := range []string{
		`"x" `, ` "x"`, `"x","y"`, `"x",`, `,"x"`, `"é"`, "\"\xff\"", "\"\x1f\"", "\"\x7f\"", `"\u0061"`, `"\""`, `"\\"`, `"]"`, `"},{"`, `""`, `"`, `"\`,
		`0`, `-0`, `-1`, `00`, `01`, `-01`, `10`, `1.0`, `1.5`, `1e2`, `1E2`, `-`, `+1`, `9007199254740993`, `1,"x",2`, `1 `, `1x`, `1]`,
		`true`, `null`, `[]`, `["x"]`, `{}`, `{"b":1,"a":2}`, `{"a":1,"b":2}`, `[1.0]`, `"x":"y"`, strings.Repeat("[", 200),
	} {
		targets = append(targets, `{"function":"a.b","args":[`+args+`]}`)
	}
	return targets
}

// What Encode writes for plain keys is what the short way reads.
func TestWhatIsWrittenIsUsual(t *testing.T) {
	t.Parallel()
	for _, target := range []Target{
		Key("a.b"), Key("a.b", "x"), Key("a.b", "é", -12, uint8(0)), Key("a.b", "x").Soft(), Key("a.b", 9007199254740993),
	} {
		s := scanner{data: target.appendJSON(nil), function: "a.b"}
		if got, ok := s.usual(); !ok || got != target || s.pos != len(s.data) {
			t.Errorf("%v: read %v (%v) up to %d of %s", target, got, ok, s.pos, s.data)
		}
	}
}

// The keys of an event are parts of one copy of its data; what came in stays the caller's.
func TestKeysDoNotChangeWithTheBytesTheyCameIn(t *testing.T) {
	t.Parallel()
	m, err := Encode("shop", Event{Source: "/x", Targets: []Target{Key("a.b", "x"), Key("a.b", map[string]int{"k": 1})}})
	if err != nil {
		t.Fatal(err)
	}
	r := Decode("shop", m.Subject, m.Header, m.Data)
	for i := range m.Data {
		m.Data[i] = '!'
	}
	if len(r.Targets) != 2 || r.Targets[0].Canonical() != `["x"]` || r.Targets[1].Canonical() != `[{"k":1}]` {
		t.Errorf("%v", r.Targets)
	}
}
