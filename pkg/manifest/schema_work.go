package manifest

import (
	"encoding/json"
	"fmt"
	"regexp/syntax"
)

// Bounds on what it may take to check one spec, in steps: a schema that is asked about a value is one, a comparison of small
// values a quarter. Without them a list of 30,000 values that may be, and as many values to hold against it, takes minutes, in
// which nobody else writes. A spec that is longer may take more, so that a thousand short ones may not take a thousand times as
// much; 250 country codes to choose from are 10 steps a byte.
const (
	baseWork    = 200_000
	workPerByte = 50
)

// tooMuch says whether a value would take too long to check. It makes the steps of the check without what makes them expensive,
// as if nothing could be left out, and gives up at the bound.
func (s *schema) tooMuch(value any, most int) bool {
	w := newWork(s.root, most)
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

	programs map[string]int // of patterns
}

func newWork(root any, steps int) work {
	return work{root: root, left: steps, refs: map[string]any{}, programs: map[string]int{}}
}

// value makes the steps that one schema takes for one value.
func (w *work) value(node, v any) {
	n, ok := node.(map[string]any)
	w.left--
	if !ok || w.left < 0 {
		return
	}
	if all, ok := n["enum"].([]any); ok {
		w.left -= 1 + len(all)*compared(v)/4
	}
	if c, ok := n["const"]; ok {
		w.left -= 1 + compared(c)/4
	}
	switch v := v.(type) {
	case map[string]any:
		w.object(n, v)
	case []any:
		w.list(n, v)
	case json.Number:
		for _, keyword := range []string{"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"} {
			if _, ok := n[keyword]; ok {
				w.left -= compared(v)
			}
		}
	case string:
		if pattern, ok := n["pattern"].(string); ok {
			w.left -= w.matched(pattern, v)
		}
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

func (w *work) object(n, v map[string]any) {
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
			w.left -= w.matched(pattern, name)
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
		w.left -= weight(v)
	}
	first, _ := n["prefixItems"].([]any)
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

// compared is what it takes to compare a value with another, in quarters of a step: at most all of it is looked at.
func compared(v any) int { return (weight(v) + 31) / 32 }

// matched is what it takes to match a text: the engine takes time in proportion to the text and to the program that it makes of the
// pattern, of which .{1000} has a thousand steps.
func (w *work) matched(pattern, text string) int {
	program, known := w.programs[pattern]
	if !known {
		program = programOf(pattern)
		w.programs[pattern] = program
	}
	return 1 + max(len(pattern)*len(text)/32, program*len(text)/128)
}

func programOf(pattern string) int {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return len(pattern)
	}
	program, err := syntax.Compile(re.Simplify())
	if err != nil {
		return len(pattern)
	}
	return len(program.Inst)
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
