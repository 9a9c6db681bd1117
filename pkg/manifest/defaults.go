package manifest

import (
	"fmt"
	"maps"
	"slices"

	"github.com/lethe-cache/lethe/internal/document"
)

// maxFilled bounds how many places are looked at for defaults: a default may bring members that have defaults.
const maxFilled = 1_000_000

// fill puts the defaults of the schema into a value, in place: into objects that lack a member whose schema has one, at any
// depth, in elements of lists and in what a default itself brought. Schemas that hold for a value in any case are followed
// ($ref, allOf), alternatives are not. The error names what does not end.
func (s *schema) fill(field string, value any) error {
	f := filling{root: s.root, left: maxFilled}
	f.value(s.root, value, 0)
	if f.left < 0 || f.deep {
		return &Error{Field: field, Reason: "the defaults of its schema bring ever more defaults"}
	}
	return nil
}

type filling struct {
	root any
	left int
	deep bool
}

// value fills one value by one schema.
func (f *filling) value(node, value any, depth int) {
	n, ok := node.(map[string]any)
	f.left--
	if !ok || f.left < 0 || f.deep {
		return
	}
	if depth > 4*document.MaxDepth {
		f.deep = true
		return
	}
	switch v := value.(type) {
	case map[string]any:
		f.object(n, v, depth)
	case []any:
		first, _ := n["prefixItems"].([]any)
		for i, element := range v {
			if i < len(first) {
				f.value(first[i], element, depth+1)
			} else {
				f.value(n["items"], element, depth+1)
			}
		}
	default:
		return // nothing in it to fill
	}
	if ref, ok := n["$ref"].(string); ok {
		if at, found := pointed(f.root, ref); found {
			f.value(at, value, depth+1)
		}
	}
	if all, ok := n["allOf"].([]any); ok {
		for _, below := range all {
			f.value(below, value, depth+1)
		}
	}
}

func (f *filling) object(n, v map[string]any, depth int) {
	properties, _ := n["properties"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		if _, given := v[name]; !given {
			if d, found := f.byDefault(properties[name], 0); found {
				v[name] = copied(d)
			}
		}
		if below, given := v[name]; given {
			f.value(properties[name], below, depth+1)
		}
	}
	if rest, ok := n["additionalProperties"].(map[string]any); ok {
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if _, described := properties[name]; !described {
				f.value(rest, v[name], depth+1)
			}
		}
	}
}

// byDefault is the default of a schema, or of the one it refers to.
func (f *filling) byDefault(node any, hops int) (any, bool) {
	n, ok := node.(map[string]any)
	if !ok || hops > 16 {
		return nil, false
	}
	if d, given := n["default"]; given {
		return d, true
	}
	if ref, ok := n["$ref"].(string); ok {
		if at, found := pointed(f.root, ref); found {
			return f.byDefault(at, hops+1)
		}
	}
	return nil, false
}

// copied is a value that shares nothing with v.
func copied(v any) any {
	switch v := v.(type) {
	case map[string]any:
		c := make(map[string]any, len(v))
		for name, below := range v {
			c[name] = copied(below)
		}
		return c
	case []any:
		c := make([]any, len(v))
		for i, below := range v {
			c[i] = copied(below)
		}
		return c
	}
	return v
}

// conform makes a spec what is stored of it, as far as its schema goes: canonical, defaults filled, checked.
func (s *schema) conform(spec any) error { return s.conformAs("spec", spec) }

// conformAs is conform of a spec or a status; the error names it by field.
func (s *schema) conformAs(field string, value any) error {
	if err := s.fill(field, value); err != nil {
		return err
	}
	return s.check(field, value)
}

// opened is a spec as values; one that is missing is empty.
func opened(o Object) (any, error) {
	if len(o.Spec) == 0 || string(o.Spec) == "null" {
		return map[string]any{}, nil
	}
	text, err := canonicalField("spec", o.Spec)
	if err != nil {
		return nil, err
	}
	if text[0] != '{' {
		return nil, &Error{Field: "spec", Reason: fmt.Sprintf("%s; has to be an object", shown(text))}
	}
	return decoded(text)
}
