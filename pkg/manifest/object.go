package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/lethe-cache/lethe/internal/document"
)

// readObject reads a manifest from JSON and refuses every field it does not know; names are taken by the letter. What is in
// spec and status is not looked at. What could be read comes with the error as well.
func readObject(data []byte) (Object, error) {
	var (
		o   Object
		bad problems
	)
	readers := map[string]func(json.RawMessage) error{
		"apiVersion": text(&o.APIVersion),
		"kind":       text(&o.Kind),
		"metadata":   func(v json.RawMessage) error { return o.Metadata.read(v) },
		"spec":       func(v json.RawMessage) error { o.Spec = v; return nil },
		"status":     func(v json.RawMessage) error { o.Status = v; return nil },
	}
	bad.put(members("", data, readers))
	return o, of(o, bad.err())
}

func (m *Metadata) read(data json.RawMessage) error {
	return members("metadata", data, map[string]func(json.RawMessage) error{
		"namespace":         text(&m.Namespace),
		"name":              text(&m.Name),
		"uid":               text(&m.UID),
		"resourceVersion":   text(&m.ResourceVersion),
		"generation":        whole(&m.Generation),
		"creationTimestamp": moment(&m.Created),
		"labels":            texts("metadata.labels", func(all map[string]string) { m.Labels = all }),
		"annotations":       texts("metadata.annotations", func(all map[string]string) { m.Annotations = all }),
	})
}

// members reads the members of an object by their names; an unknown one is a problem.
func members(field string, data json.RawMessage, readers map[string]func(json.RawMessage) error) error {
	names, values, err := object(data)
	if err != nil {
		return &Error{Field: field, Reason: "has to be an object"}
	}
	var bad problems
	for _, name := range names {
		at := document.Member(field, name)
		read, known := readers[name]
		if !known {
			bad.add(at, "is no field here; %s", choice(name, slices.Collect(maps.Keys(readers)))+instead(field, name, readers))
			continue
		}
		if err := read(values[name]); err != nil {
			if found := Problems(err); found != nil {
				bad.put(err)
			} else {
				bad.add(at, "%v", err)
			}
		}
	}
	return bad.err()
}

// instead says where a field belongs that is none of metadata or of a manifest, unless it is one mistyped.
func instead(field, name string, readers map[string]func(json.RawMessage) error) string {
	for known := range readers {
		if near(name, known) {
			return ""
		}
	}
	if field == "metadata" {
		return "; what the kind describes belongs in spec, any other text in metadata.annotations"
	}
	return "; what the kind describes belongs in spec"
}

// object takes an object's members apart, in their order; a name that is given twice is an error.
func object(data json.RawMessage) (names []string, values map[string]json.RawMessage, err error) {
	if len(data) == 0 || bytes.TrimLeft(data, " \t\r\n")[0] != '{' {
		return nil, nil, errors.New("has to be an object")
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	if _, err := dec.Token(); err != nil {
		return nil, nil, err
	}
	values = map[string]json.RawMessage{}
	for dec.More() {
		tok, err := dec.Token()
		if err != nil {
			return nil, nil, err
		}
		name, ok := tok.(string)
		if !ok {
			return nil, nil, errors.New("has a name that is no text")
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, nil, err
		}
		if _, taken := values[name]; taken {
			return nil, nil, fmt.Errorf("has %q twice", clip(name))
		}
		names, values[name] = append(names, name), value
	}
	_, err = dec.Token()
	return names, values, err
}

func text(to *string) func(json.RawMessage) error {
	return func(v json.RawMessage) error {
		if len(v) == 0 || v[0] != '"' {
			return fmt.Errorf("%s; has to be text, write it in quotes", shown(v))
		}
		return json.Unmarshal(v, to)
	}
}

func whole(to *int64) func(json.RawMessage) error {
	return func(v json.RawMessage) error {
		if string(v) == "null" || json.Unmarshal(v, to) != nil {
			return fmt.Errorf("%s; has to be a whole number", shown(v))
		}
		return nil
	}
}

// moment takes null as well, which is how Kubernetes' tools write a time that was not given.
func moment(to *time.Time) func(json.RawMessage) error {
	return func(v json.RawMessage) error {
		if json.Unmarshal(v, to) != nil {
			return fmt.Errorf("%s; has to be a time like 2026-11-22T18:00:00Z", shown(v))
		}
		return nil
	}
}

// texts reads labels and annotations; null is none, and so is an empty list, which is how some languages write an empty map.
func texts(field string, to func(map[string]string)) func(json.RawMessage) error {
	return func(v json.RawMessage) error {
		if string(v) == "null" || len(v) > 1 && v[0] == '[' && len(bytes.TrimSpace(v[1:len(v)-1])) == 0 {
			return nil
		}
		names, values, err := object(v)
		if err != nil {
			return err
		}
		var bad problems
		m := make(map[string]string, len(names))
		for _, name := range names {
			var s string
			if err := text(&s)(values[name]); err != nil {
				bad.add(document.Member(field, name), "%v", err)
			}
			m[name] = s
		}
		to(m)
		return bad.err()
	}
}

// shown is a value as an error quotes it.
func shown(v json.RawMessage) string { return "it is " + clip(string(v)) }

// choice names what there is, the likeliest first: for somebody who mistyped a name.
func choice(name string, have []string) string {
	if len(have) == 0 {
		return "there are none"
	}
	slices.Sort(have)
	for _, h := range have {
		if near(name, h) {
			return fmt.Sprintf("did you mean %s?", h)
		}
	}
	const most = 12
	if len(have) > most {
		return fmt.Sprintf("there are %s and %d more", strings.Join(have[:most], ", "), len(have)-most)
	}
	return "there are " + strings.Join(have, ", ")
}

// near says whether two names differ by case, or by one letter that is more, less or another, or two that changed places.
func near(a, b string) bool {
	a, b = strings.ToLower(a), strings.ToLower(b)
	if a == b {
		return true
	}
	if len(a) > len(b) {
		a, b = b, a
	}
	if len(b)-len(a) > 1 || len(b) < 3 {
		return false
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	if len(a) < len(b) {
		return a[i:] == b[i+1:]
	}
	if a[i+1:] == b[i+1:] {
		return true
	}
	return i+1 < len(a) && a[i] == b[i+1] && a[i+1] == b[i] && a[i+2:] == b[i+2:]
}
