package manifest

import (
	"encoding/json"
	"reflect"
	"regexp"

	"github.com/lethe-cache/lethe/internal/document"
)

// secretKeyword marks a field in the schema of a kind: {"type": "string", "x-secret": true}. The journal never has its value. Whatever
// is not false marks it.
const secretKeyword = "x-secret"

// secrets are schemas of a spec in which a field is marked; none where nothing is.
type secrets []any

// secretsIn is a schema, if anything in it is marked.
func secretsIn(root any) secrets {
	if !marked(root, root, map[uintptr]bool{}) {
		return nil
	}
	return secrets{root}
}

// secretsOf is secretsIn for the schema in the spec of a manifest of kind Kind.
func secretsOf(spec json.RawMessage) secrets {
	value, err := decoded(spec)
	if err != nil {
		return nil
	}
	m, _ := value.(map[string]any)
	return secretsIn(m["schema"])
}

// marked says whether anything in a node of a schema is marked, or in what it refers to.
func marked(root, node any, seen map[uintptr]bool) bool {
	switch n := node.(type) {
	case map[string]any:
		at := reflect.ValueOf(n).Pointer()
		if seen[at] {
			return false
		}
		seen[at] = true
		if isSecret(n) {
			return true
		}
		for _, keyword := range []string{"$ref", "$dynamicRef"} {
			if ref, ok := n[keyword].(string); ok {
				if below, found := pointed(root, ref); found && marked(root, below, seen) {
					return true
				}
			}
		}
		for _, below := range n {
			if marked(root, below, seen) {
				return true
			}
		}
	case []any:
		for _, below := range n {
			if marked(root, below, seen) {
				return true
			}
		}
	}
	return false
}

func isSecret(n map[string]any) bool {
	mark, given := n[secretKeyword]
	return given && mark != false
}

// spot is a place in a spec: the schemas that may hold for the value there. It errs towards secret: a form that a value may have
// counts, whether it has it or not, and so does a reference that leads nowhere. The nil spot is in a spec that has no secrets.
type spot struct {
	all    []placedSchema
	secret bool
	// unknown says that no schema describes the field, where some describe others: another version of the kind may mark it, and its
	// name may be a part of what is marked. It is secret, and is not named.
	unknown bool
}

// placedSchema is a schema, and the one that its references are about.
type placedSchema struct {
	root any
	node map[string]any
}

func (s secrets) spot() *spot {
	if len(s) == 0 {
		return nil
	}
	at := &spot{}
	seen := map[uintptr]bool{}
	for _, root := range s {
		at.add(root, root, seen)
	}
	return at
}

// add takes a schema, and all that hold for the same value.
func (at *spot) add(root, node any, seen map[uintptr]bool) {
	n, ok := node.(map[string]any)
	if !ok || seen[reflect.ValueOf(n).Pointer()] {
		return
	}
	seen[reflect.ValueOf(n).Pointer()] = true
	at.all = append(at.all, placedSchema{root, n})
	at.secret = at.secret || isSecret(n) || marked(root, n["propertyNames"], map[uintptr]bool{})
	for _, keyword := range []string{"$ref", "$dynamicRef"} {
		if ref, ok := n[keyword].(string); ok {
			below, found := pointed(root, ref)
			at.secret = at.secret || !found
			at.add(root, below, seen)
		}
	}
	for _, keyword := range []string{"allOf", "anyOf", "oneOf"} {
		list, _ := n[keyword].([]any)
		for _, below := range list {
			at.add(root, below, seen)
		}
	}
	for _, keyword := range []string{"not", "if", "then", "else"} {
		at.add(root, n[keyword], seen)
	}
	dependent, _ := n["dependentSchemas"].(map[string]any)
	for _, below := range dependent {
		at.add(root, below, seen)
	}
}

// member is a member of the object here.
func (at *spot) member(name string) *spot {
	if at == nil || at.secret {
		return at
	}
	below, seen := &spot{}, map[uintptr]bool{}
	described, closed := false, false
	for _, p := range at.all {
		properties, has := p.node["properties"].(map[string]any)
		schema, here := properties[name]
		closed, described = closed || has, described || here
		below.add(p.root, schema, seen)
		patterns, _ := p.node["patternProperties"].(map[string]any)
		for pattern, schema := range patterns {
			if is, err := regexp.Compile(pattern); err == nil && !is.MatchString(name) {
				continue
			}
			here, described = true, true
			below.add(p.root, schema, seen)
		}
		for _, keyword := range []string{"additionalProperties", "unevaluatedProperties"} {
			if rest, given := p.node[keyword]; given && !here && rest != false {
				described = true
				below.add(p.root, rest, seen)
			}
		}
	}
	below.unknown = closed && !described
	below.secret = below.secret || below.unknown
	return below
}

// item is an element of the list here.
func (at *spot) item(i int) *spot {
	if at == nil || at.secret {
		return at
	}
	below, seen := &spot{}, map[uintptr]bool{}
	for _, p := range at.all {
		first, _ := p.node["prefixItems"].([]any)
		if i < len(first) {
			below.add(p.root, first[i], seen)
		} else {
			below.add(p.root, p.node["items"], seen)
		}
		below.add(p.root, p.node["contains"], seen)
		below.add(p.root, p.node["unevaluatedItems"], seen)
	}
	return below
}

// field is the part of a field's path that names no secret's inside, and whether the field is one, or is in one.
func (s secrets) field(path string) (string, bool) {
	at := s.spot()
	if at == nil {
		return path, false
	}
	told := ""
	for i, step := range document.Steps(path) {
		switch {
		case i == 0 && step.Name != "spec":
			return path, false
		case i == 0:
		case step.Item >= 0:
			at = at.item(step.Item)
		default:
			at = at.member(step.Name)
		}
		if at.unknown {
			return told, true
		}
		told = step.Path
		if at.secret {
			return told, true
		}
	}
	return told, false
}
