package manifest

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// made is an example from the schema: what is required, and what its author gave examples or defaults for. When that is not
// valid, since nobody can guess what fits a pattern, it is a skeleton whose annotation says so.
func (s *shape) made(by *schema) (json.RawMessage, error) {
	o := Object{APIVersion: s.apiVersion, Kind: s.kind, Metadata: Metadata{Name: "example"}}
	spec, ok := (&inventor{root: by.root}).value(by.root, 0).(map[string]any)
	if !ok {
		spec = map[string]any{}
	}
	text, err := encoded("example", spec)
	if err != nil {
		return nil, err
	}
	o.Spec = text
	if _, err := s.prepare(o); err != nil {
		o.Metadata.Annotations = map[string]string{"lethe.dev/note": "a skeleton: fill in the spec until it fits the schema"}
	}
	return shownObject(o)
}

// shownObject is an object as people are shown it, without what is nobody's to write.
func shownObject(o Object) (json.RawMessage, error) {
	o.Metadata.UID, o.Metadata.ResourceVersion, o.Metadata.Generation = "", "", 0
	o.Metadata.Created, o.Status = Metadata{}.Created, nil
	text, err := json.Marshal(o)
	if err != nil {
		return nil, because("example", "has no JSON form", err)
	}
	return text, nil
}

// inventor thinks up values.
type inventor struct {
	root any
	made int
}

func (i *inventor) value(node any, depth int) any {
	n, ok := node.(map[string]any)
	i.made++
	if !ok || depth > 16 || i.made > 1_000 {
		return map[string]any{}
	}
	if all, ok := n["examples"].([]any); ok && len(all) > 0 {
		return copied(all[0])
	}
	for _, keyword := range []string{"const", "default"} {
		if v, given := n[keyword]; given {
			return copied(v)
		}
	}
	if all, ok := n["enum"].([]any); ok && len(all) > 0 {
		return copied(all[0])
	}
	if ref, ok := n["$ref"].(string); ok {
		if at, found := pointed(i.root, ref); found {
			return i.value(at, depth+1)
		}
	}
	for _, keyword := range []string{"oneOf", "anyOf", "allOf"} {
		if all, ok := n[keyword].([]any); ok && len(all) > 0 && n["type"] == nil {
			return i.value(all[0], depth+1)
		}
	}
	return i.ofType(n, depth)
}

func (i *inventor) ofType(n map[string]any, depth int) any {
	t, _ := n["type"].(string)
	if all, ok := n["type"].([]any); ok && len(all) > 0 {
		t, _ = all[0].(string)
	}
	switch t {
	case "string":
		return word(n)
	case "integer", "number":
		for _, keyword := range []string{"minimum", "maximum", "multipleOf"} {
			if v, ok := n[keyword].(json.Number); ok {
				return v
			}
		}
		return json.Number("1")
	case "boolean":
		return true
	case "null":
		return nil
	case "array":
		if least, ok := n["minItems"].(json.Number); !ok || least == "0" {
			return []any{}
		}
		return []any{i.value(n["items"], depth+1)}
	}
	v := map[string]any{}
	properties, _ := n["properties"].(map[string]any)
	required, _ := n["required"].([]any)
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		if slices.Contains(required, any(name)) || suggested(properties[name]) {
			v[name] = i.value(properties[name], depth+1)
		}
	}
	return v
}

// suggested says whether the author of a schema gave something to show.
func suggested(node any) bool {
	n, ok := node.(map[string]any)
	if !ok {
		return false
	}
	_, examples := n["examples"]
	_, byDefault := n["default"]
	return examples || byDefault
}

func word(n map[string]any) string {
	if text, known := wordOf(n["format"]); known {
		return text
	}
	text := "example"
	if least, ok := n["minLength"].(json.Number); ok {
		if m, err := least.Int64(); err == nil && m > int64(len(text)) && m <= 1_000 {
			text = strings.Repeat("x", int(m))
		}
	}
	if most, ok := n["maxLength"].(json.Number); ok {
		if m, err := most.Int64(); err == nil && m < int64(len(text)) && m >= 0 {
			text = text[:m]
		}
	}
	return text
}

// wordOf is an example of a format.
func wordOf(format any) (text string, known bool) {
	name, _ := format.(string)
	text, known = map[string]string{
		"date-time": "2026-01-31T12:00:00Z", "date": "2026-01-31", "time": "12:00:00Z", "duration": "PT5M", "period": "2026-01-31T12:00:00Z/PT5M",
		"email": "somebody@example.dev", "idn-email": "somebody@example.dev", "hostname": "example.dev", "ipv4": "192.0.2.1", "ipv6": "2001:db8::1",
		"uri": "https://example.dev/", "iri": "https://example.dev/", "uri-reference": "/example", "json-pointer": "/example", "relative-json-pointer": "0",
		"uuid": "00000000-0000-7000-8000-000000000000", "semver": "1.0.0", "byte": "ZXhhbXBsZQ==",
	}[name]
	return text, known
}
