package manifest

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Bounds on what it may take to check one spec, in steps: a schema that is asked about a value is one, about 0.4 µs on two shared
// cores of 2.5 GHz, and all else is counted in proportion. Without them a list of 30,000 values that may be, and as many values to
// hold against it, takes minutes. A spec that is longer may take more, so that a thousand short ones may not take a thousand times
// as much, up to mostWork: a check takes seconds at most, whatever the spec and its schema.
const (
	baseWork    = 200_000
	workPerByte = 50
	mostWork    = 5_000_000
)

// bound is how many steps a value may take.
func bound(value any) int { return min(baseWork+workPerByte*weight(value), mostWork) }

// tooMuch says whether a value would take too long to check. It makes the steps of the check without what makes them expensive,
// as if nothing could be left out, and gives up at the bound.
func (s *schema) tooMuch(value any, most int) bool {
	w := newWork(s.root, s.programs, most)
	w.value(s.root, value)
	return w.left < 0
}

func longCheck(field string, most int) error {
	return &Error{Field: field, Reason: fmt.Sprintf("would take more than %d steps to check against the schema of its kind: "+
		"shorten its lists, or the schema's enum, anyOf, oneOf and pattern; or put what is in long lists into objects of their own", most)}
}

// work is what is left of the steps.
type work struct {
	root any
	left int
	refs map[string]any

	programs *programs
}

func newWork(root any, p *programs, steps int) work {
	return work{root: root, left: steps, refs: map[string]any{}, programs: p}
}

// value makes the steps that one schema takes for one value.
func (w *work) value(node, v any) {
	n, ok := node.(map[string]any)
	w.left--
	if !ok || w.left < 0 {
		return
	}
	if all, ok := n["enum"].([]any); ok {
		w.left -= 1 + len(all)*compared(v)/parts
	}
	if c, ok := n["const"]; ok {
		w.left -= 1 + compared(c)/parts
	}
	switch v := v.(type) {
	case map[string]any:
		w.object(n, v)
	case []any:
		w.list(n, v)
	case json.Number:
		if given(n, "type") { // a number without a fraction is an integer, however it is written
			w.left -= compared(v) / parts
		}
		for _, keyword := range []string{"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"} {
			if given(n, keyword) {
				w.left -= compared(v) / parts
			}
		}
	case string:
		w.text(n, v)
	}
	for _, keyword := range []string{"allOf", "anyOf", "oneOf"} {
		if all, ok := n[keyword].([]any); ok {
			for _, one := range all {
				w.value(one, v)
			}
		}
	}
	for _, keyword := range []string{"not", "if", "then", "else"} {
		if one, ok := n[keyword]; ok {
			w.value(one, v)
		}
	}
	if ref, ok := n["$ref"].(string); ok {
		w.value(w.pointed(ref), v)
	}
}

func given(n map[string]any, keyword string) bool { _, ok := n[keyword]; return ok }

func (w *work) text(n map[string]any, v string) {
	if given(n, "minLength") || given(n, "maxLength") { // characters are counted
		w.left -= 1 + len(v)/64
	}
	if pattern, ok := n["pattern"].(string); ok {
		w.left -= w.programs.matched(pattern, v)
	}
	if format, ok := n["format"].(string); ok {
		w.left -= 1 + len(v)*formatted(format)/4
	}
}

// formatted is what it takes to check a format, in quarters of a step for each byte.
func formatted(format string) int {
	switch format {
	case "regex": // is compiled: .{1000} has a thousand steps in seven bytes
		return 128
	case "duration", "date-time", "time", "uri-template", "date": // by patterns
		return 2
	}
	return 1
}

func (w *work) object(n, v map[string]any) {
	w.left -= w.each(len(v))
	for _, keyword := range []string{"required", "dependentRequired", "dependentSchemas"} {
		w.left -= lookups(n[keyword])
	}
	properties, _ := n["properties"].(map[string]any)
	patterns, _ := n["patternProperties"].(map[string]any)
	for name, member := range v {
		if w.left < 0 {
			return
		}
		if one, ok := properties[name]; ok {
			w.value(one, member)
		}
		for pattern, one := range patterns {
			w.left -= w.programs.matched(pattern, name)
			w.value(one, member)
		}
		for _, keyword := range []string{"additionalProperties", "unevaluatedProperties"} {
			if one, ok := n[keyword]; ok {
				w.value(one, member)
			}
		}
		if one, ok := n["propertyNames"]; ok {
			w.value(one, name)
		}
	}
	if all, ok := n["dependentSchemas"].(map[string]any); ok {
		for name, one := range all {
			if _, given := v[name]; given {
				w.value(one, v)
			}
		}
	}
}

func (w *work) list(n map[string]any, v []any) {
	if n["uniqueItems"] == true {
		w.left -= 1 + unique(v)/parts
	}
	if w.programs.unevaluated {
		w.left -= w.each(len(v))
	}
	first, _ := n["prefixItems"].([]any)
	if first == nil && !given(n, "items") && !given(n, "contains") && !given(n, "unevaluatedItems") {
		return
	}
	for i, item := range v {
		if w.left < 0 {
			return
		}
		if i < len(first) {
			w.value(first[i], item)
		} else if one, ok := n["items"]; ok {
			w.value(one, item)
		}
		for _, keyword := range []string{"contains", "unevaluatedItems"} {
			if one, ok := n[keyword]; ok {
				w.value(one, item)
			}
		}
	}
}

// pointed is what a $ref names, found once.
func (w *work) pointed(ref string) any {
	at, known := w.refs[ref]
	if !known {
		at, _ = pointed(w.root, ref)
		w.refs[ref] = at
	}
	return at
}

// lookups is how many names a keyword has looked up in an object.
func lookups(keyword any) (names int) {
	switch k := keyword.(type) {
	case []any:
		return len(k)
	case map[string]any:
		for _, below := range k {
			names += 1 + lookups(below)
		}
	}
	return names
}

// each is what it takes to go through so many members or elements; where a schema has unevaluatedProperties or unevaluatedItems the
// engine keeps a list of them for each schema that it asks.
func (w *work) each(n int) int {
	if w.programs.unevaluated {
		return n
	}
	return (n + 7) / 8
}

// parts is how many parts a step has for comparisons: that of two short texts takes one.
const parts = 32

// compared is what it takes to compare a value with another, in parts of a step: at most all of it is looked at. Numbers are
// fractions of big integers to the engine.
func compared(v any) int {
	switch v := v.(type) {
	case map[string]any:
		sum := 2
		for name, below := range v {
			sum += 2 + len(name)/256 + compared(below)
		}
		return sum
	case []any:
		sum := 1
		for _, below := range v {
			sum += compared(below)
		}
		return sum
	case string:
		return 1 + len(v)/256
	case json.Number:
		cost := 2*parts + len(v)
		if strings.ContainsAny(string(v), "eE") { // has as many digits as its exponent says
			cost += 16 * parts
		}
		return cost
	}
	return 1
}

// unique is what it takes to find two equal elements, in parts of a step: the engine compares up to 20 with each other, and takes a
// hash of more.
func unique(v []any) int {
	const pairs = 20
	cost := compared(v) + weight(v)
	if len(v) <= pairs {
		return cost * max(1, len(v)/2)
	}
	return cost
}

// weight is about how many bytes a value has in JSON.
func weight(v any) int {
	switch v := v.(type) {
	case map[string]any:
		sum := 2
		for name, below := range v {
			sum += len(name) + 4 + weight(below)
		}
		return sum
	case []any:
		sum := 2
		for _, below := range v {
			sum += 1 + weight(below)
		}
		return sum
	case string:
		return 2 + len(v)
	case json.Number:
		return max(4, len(v))
	}
	return 4
}
