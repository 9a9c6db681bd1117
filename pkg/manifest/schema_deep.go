package manifest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lethe-cache/lethe/internal/document"
)

// maxDeep bounds how many schemas one path into a value is checked against, from the top to the deepest value. Without it each of
// thirty definitions could ask the next one twice about one member, and a value that is thirty members deep would take hours.
const maxDeep = 50_000

// tooDeep refuses a schema in which that could happen. inPlace has passed it: what holds for one value is bounded and no cycle.
//
// For each schema and depth it counts what a value of that depth costs: what holds for the value itself, and the dearest of its
// members, which all the schemas that hold for the value may describe. Members beside each other are not counted: their number
// is that of the value, not of the schema.
func tooDeep(field string, root map[string]any) error {
	d := deep{root: root, members: map[string]map[string][]string{}, cost: map[string]int{"": 1}}
	for range document.MaxDepth {
		d.next = map[string]int{}
		worst := d.of("", 0)
		if worst > maxDeep {
			return &Error{Field: field, Reason: fmt.Sprintf("a value would be checked against more than %d schemas on the way to its deepest member: "+
				"anyOf, oneOf or allOf ask several times about the same member", maxDeep)}
		}
		d.cost = d.next
	}
	return nil
}

// anyMember has what holds for members whatever they are called.
const anyMember = ""

type deep struct {
	root    map[string]any
	members map[string]map[string][]string // by schema: the schemas of each member, of all that hold for the value
	cost    map[string]int                 // of a value one less deep
	next    map[string]int
}

// of is what a value costs at the schema ptr; it also works out what its members will cost in the next round.
func (d *deep) of(ptr string, depth int) int {
	if known, ok := d.next[ptr]; ok || depth > 4*document.MaxDepth {
		return known
	}
	d.next[ptr] = 1 // for a schema that contains itself
	here, known := d.members[ptr]
	if !known {
		here = map[string][]string{}
		d.gather(ptr, here, 0)
		d.members[ptr] = here
	}
	dearest := 0
	for member, below := range here {
		if member != anyMember {
			below = slices.Concat(below, here[anyMember])
		}
		sum := 0
		for _, p := range below {
			sum += max(d.cost[p], 1)
			d.of(p, depth+1)
		}
		dearest = max(dearest, sum)
	}
	d.next[ptr] = min(1+dearest, 2*maxDeep)
	return d.next[ptr]
}

// gather notes, by member, the schemas that hold for it where the schema at ptr holds for the value.
func (d *deep) gather(ptr string, into map[string][]string, depth int) {
	at, found := pointed(d.root, "#"+ptr)
	n, ok := at.(map[string]any)
	if !found || !ok || depth > 2*document.MaxDepth {
		return
	}
	if all, ok := n["properties"].(map[string]any); ok {
		for name := range all {
			into["."+name] = append(into["."+name], ptr+"/properties/"+escaped(name))
		}
	}
	if all, ok := n["patternProperties"].(map[string]any); ok {
		for name := range all {
			into[anyMember] = append(into[anyMember], ptr+"/patternProperties/"+escaped(name))
		}
	}
	for _, keyword := range []string{"items", "additionalProperties", "unevaluatedProperties", "unevaluatedItems", "contains", "propertyNames"} {
		if _, ok := n[keyword].(map[string]any); ok { // of any member
			into[anyMember] = append(into[anyMember], ptr+"/"+keyword)
		}
	}
	if all, ok := n["prefixItems"].([]any); ok {
		for i := range all {
			item := fmt.Sprintf("[%d]", i)
			into[item] = append(into[item], fmt.Sprintf("%s/prefixItems/%d", ptr, i))
		}
	}
	for _, keyword := range []string{"allOf", "anyOf", "oneOf"} {
		if all, ok := n[keyword].([]any); ok {
			for i := range all {
				d.gather(fmt.Sprintf("%s/%s/%d", ptr, keyword, i), into, depth+1)
			}
		}
	}
	for _, keyword := range []string{"not", "if", "then", "else"} {
		if _, ok := n[keyword]; ok {
			d.gather(ptr+"/"+keyword, into, depth+1)
		}
	}
	if all, ok := n["dependentSchemas"].(map[string]any); ok {
		for name := range all {
			d.gather(ptr+"/dependentSchemas/"+escaped(name), into, depth+1)
		}
	}
	if ref, ok := n["$ref"].(string); ok {
		d.gather(strings.TrimPrefix(ref, "#"), into, depth+1)
	}
}
