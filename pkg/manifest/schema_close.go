package manifest

import (
	"fmt"
	"strings"

	"github.com/lethe-cache/lethe/internal/document"
)

// closeObjects gives plain objects of a schema additionalProperties: false, for those who read it, and returns the places of all plain
// objects. Plain is one with properties that has none of the keywords by which a schema describes its members in another way.
// Where a reference leads to it from a place at which other schemas hold for the same value, or at which a value need not fit,
// additionalProperties would say something else: such objects stay as they are, and unknown closes them.
func closeObjects(root map[string]any) map[string]bool {
	c := closer{root: root, composed: map[string]bool{}, plain: map[string]bool{}}
	c.references(root, false, 0)
	c.below("", root, true, 0)
	return c.plain
}

type closer struct {
	root     map[string]any
	composed map[string]bool // by pointer: what is referred to, through however many references, where something else holds too
	plain    map[string]bool
}

// below closes what is plain in the schema at ptr; shown is false below what is composed.
func (c *closer) below(ptr string, node any, shown bool, depth int) {
	n, ok := node.(map[string]any)
	if !ok || depth > document.MaxDepth {
		return
	}
	shown = shown && !c.composed[ptr]
	if _, described := n["properties"]; described && plainObject(n) {
		if c.plain[ptr] = true; shown {
			n["additionalProperties"] = false
		}
	}
	for _, keyword := range []string{"properties", "$defs"} {
		if all, ok := n[keyword].(map[string]any); ok {
			for name, below := range all {
				c.below(ptr+"/"+keyword+"/"+escaped(name), below, shown, depth+1)
			}
		}
	}
	for _, keyword := range []string{"items", "additionalProperties"} {
		c.below(ptr+"/"+keyword, n[keyword], shown, depth+1)
	}
	if all, ok := n["prefixItems"].([]any); ok {
		for i, below := range all {
			c.below(fmt.Sprintf("%s/prefixItems/%d", ptr, i), below, shown, depth+1)
		}
	}
}

// references notes what is referred to from composed schemas, and from what those refer to.
func (c *closer) references(node any, composed bool, depth int) {
	if depth > 2*document.MaxDepth {
		return
	}
	switch n := node.(type) {
	case []any:
		for _, below := range n {
			c.references(below, composed, depth+1)
		}
	case map[string]any:
		_, described := n["properties"]
		if ref, ok := n["$ref"].(string); ok && (composed || described) {
			ptr := strings.TrimPrefix(ref, "#")
			if at, found := pointed(c.root, ref); found && !c.composed[ptr] {
				c.composed[ptr] = true
				c.references(at, true, 0)
			}
		}
		for keyword, below := range n {
			switch keyword {
			case "properties", "patternProperties", "$defs":
				all, _ := below.(map[string]any)
				for _, one := range all { // whatever their names are
					c.references(one, composed, depth+1)
				}
			case "allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas", "contains", "propertyNames":
				c.references(below, true, depth+1)
			case "default", "examples", "const", "enum": // values
			default:
				c.references(below, composed, depth+1)
			}
		}
	}
}

func plainObject(n map[string]any) bool {
	for _, keyword := range []string{
		"additionalProperties", "patternProperties", "unevaluatedProperties",
		"allOf", "anyOf", "oneOf", "not", "if", "dependentSchemas", "$ref", "$dynamicRef",
	} {
		if _, given := n[keyword]; given {
			return false
		}
	}
	return true
}

// maxInPlace bounds how many schemas one value is checked against. Without it a short schema, in which each of thirty
// definitions has anyOf the next one twice, takes hours.
const maxInPlace = 5_000

// inPlace refuses a schema in which a value would be checked against too many schemas, or which refers to itself for the
// same value and so never ends.
func inPlace(field string, root map[string]any) error {
	c := places{root: root, cost: map[string]int{}}
	c.all("", root, 0)
	switch {
	case c.bad != "":
		return &Error{Field: field, Reason: c.bad}
	case c.cycle != "":
		return &Error{Field: field, Reason: fmt.Sprintf("%s refers to itself for the same value, so checking it never ends", c.cycle)}
	case c.most > maxInPlace:
		return &Error{Field: field, Reason: fmt.Sprintf("a value would be checked against %d schemas (allOf, anyOf, oneOf, $ref …), at most %d are allowed", c.most, maxInPlace)}
	}
	return nil
}

// places counts, for every schema in a schema, those that apply to the same value.
type places struct {
	root  map[string]any
	cost  map[string]int // by pointer; -1 while it is being counted
	most  int
	cycle string
	bad   string
}

// all counts the schema at ptr and every one below it.
func (c *places) all(ptr string, node any, depth int) {
	if depth > 2*document.MaxDepth {
		return
	}
	switch n := node.(type) {
	case map[string]any:
		c.plain(ptr, n)
		c.most = max(c.most, c.count(ptr, n, 0))
		for name, below := range n {
			switch name {
			case "default", "examples", "const", "enum": // values
			default:
				c.all(ptr+"/"+escaped(name), below, depth+1)
			}
		}
	case []any:
		for i, below := range n {
			c.all(fmt.Sprintf("%s/%d", ptr, i), below, depth+1)
		}
	}
}

// plain refuses names and references that only a compiler of schemas could follow. Members of the same names, below
// properties, are schemas and no text.
func (c *places) plain(ptr string, n map[string]any) {
	for _, keyword := range []string{"$id", "$anchor", "$dynamicAnchor", "$dynamicRef"} {
		if _, given := n[keyword].(string); given {
			c.bad = fmt.Sprintf("#%s has %s; put what is used twice below $defs and refer to it by $ref: '#/$defs/NAME'", ptr, keyword)
		}
	}
	if ref, given := n["$ref"].(string); given {
		if _, found := pointed(c.root, ref); !found || strings.Contains(ref, "%") {
			c.bad = fmt.Sprintf("#%s refers to %s, which is not in it; a schema is complete in itself, refer to what is below $defs by '#/$defs/NAME'", ptr, quote(ref))
		}
	}
}

func (c *places) count(ptr string, node any, depth int) int {
	n, ok := node.(map[string]any)
	if !ok {
		return 1
	}
	switch known := c.cost[ptr]; {
	case known > 0:
		return known
	case known < 0:
		c.cycle = "#" + ptr
		return 1
	}
	c.cost[ptr] = -1
	sum := 1
	for _, keyword := range []string{"allOf", "anyOf", "oneOf"} {
		if all, ok := n[keyword].([]any); ok {
			for i, below := range all {
				sum += c.count(fmt.Sprintf("%s/%s/%d", ptr, keyword, i), below, depth+1)
			}
		}
	}
	for _, keyword := range []string{"not", "if", "then", "else"} {
		if below, ok := n[keyword]; ok {
			sum += c.count(ptr+"/"+keyword, below, depth+1)
		}
	}
	if all, ok := n["dependentSchemas"].(map[string]any); ok {
		for name, below := range all {
			sum += c.count(ptr+"/dependentSchemas/"+escaped(name), below, depth+1)
		}
	}
	for _, keyword := range []string{"$ref", "$dynamicRef"} {
		if ref, ok := n[keyword].(string); ok {
			if at, found := pointed(c.root, ref); found {
				sum += c.count(strings.TrimPrefix(ref, "#"), at, depth+1)
			}
		}
	}
	sum = min(sum, maxInPlace*100)
	c.cost[ptr] = sum
	return sum
}

// pointed is what a $ref like #/$defs/tool refers to.
func pointed(root any, ref string) (any, bool) {
	path, local := strings.CutPrefix(ref, "#")
	if !local || path != "" && path[0] != '/' {
		return nil, false
	}
	at := root
	for path != "" {
		var step string
		step, path, _ = strings.Cut(path[1:], "/")
		if path != "" {
			path = "/" + path
		}
		step = strings.NewReplacer("~1", "/", "~0", "~").Replace(step)
		switch n := at.(type) {
		case map[string]any:
			below, found := n[step]
			if !found {
				return nil, false
			}
			at = below
		case []any:
			i := 0
			if _, err := fmt.Sscanf(step, "%d", &i); err != nil || i < 0 || i >= len(n) {
				return nil, false
			}
			at = n[i]
		default:
			return nil, false
		}
	}
	return at, true
}

func escaped(name string) string { return strings.NewReplacer("~", "~0", "/", "~1").Replace(name) }
