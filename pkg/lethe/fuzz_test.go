package lethe

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"slices"
	"testing"

	"github.com/lethe-cache/lethe/internal/depend"
	"github.com/lethe-cache/lethe/pkg/event"
)

// FuzzParseEntry: bytes of the bulk tier are an entry that writes itself the same again, or none.
func FuzzParseEntry(f *testing.F) {
	for _, e := range []entry{
		newEntry(1, 2, 3, 4, nil),
		newEntry(7, -1, 1<<62, 9, []depend.Label{depend.Key("f", `["k"]`), depend.Function("f"), depend.Tag("user:42")}),
	} {
		f.Add(e.append(nil))
		f.Add(append(e.append(nil), "value"...))
	}
	short := make([]byte, headerSize)
	short[0] = entryFormat
	binary.LittleEndian.PutUint16(short[2:], 65535)
	f.Add(short)
	f.Fuzz(func(t *testing.T, b []byte) {
		e, raw, value, ok := parseEntry(b, nil)
		if !ok {
			if e.Labels != nil || raw != nil || value != nil {
				t.Errorf("%+v, %q, %q of no entry", e, raw, value)
			}
			return
		}
		hashes := e.Labels
		e.Labels = parseLabels(raw)
		labels := e.labels()
		if len(hashes) != len(labels)+1 || hashes[len(labels)] != allHash || !slices.Equal(hashes, e.Labels) {
			t.Errorf("%d hashes for %d labels and the one of all", len(hashes), len(labels))
		}
		for i, l := range labels {
			if hashes[i] != l.Hash {
				t.Errorf("hash %d is not that of its label", i)
			}
		}
		again := append(e.append(nil), value...)
		copy(again[4:8], b[4:8]) // not used
		if !bytes.Equal(again, b) {
			t.Errorf("%x is written %x", b, again)
		}
	})
}

// FuzzShape: arguments that are the function's are one key; whatever else is the whole function, so that nothing of a form that
// this node does not know forgets less than its publisher meant.
func FuzzShape(f *testing.F) {
	for _, s := range []string{`["a",1]`, `["a"]`, `[]`, `[1,"a"]`, `["a,\"]",-0.5e3]`, `[{"a":[1,"}"]},[]]`, `[null,true]`, `["a",1,2]`, `[[`, `,`} {
		f.Add([]byte(s))
	}
	shapes := [][]jsonKind{nil, {anyKind}, {anyKind, anyKind}}
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, s := range shapes {
			fits(s, raw) // whatever it is
		}
		var list []json.RawMessage
		if json.Unmarshal(raw, &list) != nil || list == nil {
			return
		}
		args := make([]any, len(list))
		for i, r := range list {
			args[i] = r
		}
		target := event.Key("f", args...)
		if target.Err() != nil {
			return
		}
		canonical := target.Args()
		exact := make([]jsonKind, 0, len(list))
		var parsed []json.RawMessage
		if err := json.Unmarshal(canonical, &parsed); err != nil {
			t.Fatal(err)
		}
		for _, p := range parsed {
			exact = append(exact, kindOfByte(p[0]))
		}
		if !fits(exact, canonical) {
			t.Errorf("%s does not fit its own shape %v", canonical, exact)
		}
		if fits(append(exact, anyKind), canonical) || len(exact) > 0 && fits(exact[1:], canonical) {
			t.Errorf("%s fits a function of another count", canonical)
		}
		for i, have := range exact {
			for _, r := range []string{`""`, `1`, `true`, `{}`, `[]`, `null`} {
				if k := kindOfByte(r[0]); k != have && k != anyKind {
					other := append(append(append([]jsonKind{}, exact[:i]...), k), exact[i+1:]...)
					if fits(other, canonical) {
						t.Errorf("%s fits %v", canonical, other)
					}
				}
			}
		}
	})
}
