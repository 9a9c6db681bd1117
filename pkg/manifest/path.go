package manifest

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/lethe-cache/lethe/internal/document"
)

// path is a way into an object: spec.tools[].name. The first step is metadata or spec.
type path []step

// step is a member's name, or every element of a list.
type step struct {
	name string
	each bool
}

func (p path) String() string {
	var s string
	for _, step := range p {
		if step.each {
			s += "[]"
		} else {
			s = document.Member(s, step.name)
		}
	}
	return s
}

// parsePath reads spec.tools[].name and metadata.labels["example.dev/team"]; the error is a reason.
func parsePath(s string) (path, error) {
	var p path
	for rest := s; rest != ""; {
		switch {
		case strings.HasPrefix(rest, "[]") && len(p) > 0:
			p, rest = append(p, step{each: true}), rest[2:]
		case strings.HasPrefix(rest, `["`) && len(p) > 0:
			var name string
			d := json.NewDecoder(strings.NewReader(rest[1:]))
			if err := d.Decode(&name); err != nil {
				return nil, errors.New(`write a name that has dots or slashes like ["example.dev/team"]`)
			}
			after, closed := strings.CutPrefix(rest[1+d.InputOffset():], "]")
			if !closed {
				return nil, errors.New(`write a name that has dots or slashes like ["example.dev/team"]`)
			}
			p, rest = append(p, step{name: name}), after
		case rest[0] == '[':
			return nil, errors.New("[] is every element of a list; single ones can't be named")
		default:
			if len(p) > 0 {
				var dot bool
				if rest, dot = strings.CutPrefix(rest, "."); !dot {
					return nil, errors.New("separate names by dots, like spec.account")
				}
			}
			end := strings.IndexAny(rest, ".[")
			if end < 0 {
				end = len(rest)
			}
			if !plainStep(rest[:end]) {
				return nil, errors.New("use names of letters, digits, '_' and '-' separated by dots, like spec.account")
			}
			p, rest = append(p, step{name: rest[:end]}), rest[end:]
		}
	}
	return p, p.check()
}

func plainStep(s string) bool {
	for i := range len(s) {
		if c := s[i]; !alphanumeric(c) && c != '_' && c != '-' {
			return false
		}
	}
	return s != ""
}

// check refuses paths that lead nowhere, whatever the object.
func (p path) check() error {
	switch {
	case len(p) == 0:
		return errors.New("is empty; use a field, like spec.account")
	case len(p) > document.MaxDepth:
		return fmt.Errorf("has over %d steps", document.MaxDepth)
	case p[0].name == "spec":
		if len(p) < 2 || p[1].each {
			return errors.New("spec is an object; use one of its fields, like spec.account")
		}
		return nil
	case p[0].name != "metadata":
		return errors.New("only metadata and spec can be used")
	}
	text := len(p) == 2 && (p[1].name == "name" || p[1].name == "namespace")
	keyed := len(p) == 3 && (p[1].name == "labels" || p[1].name == "annotations") && !p[2].each
	if !text && !keyed {
		return errors.New("of metadata, only name, namespace, labels.KEY and annotations.KEY can be used")
	}
	return nil
}

// described refuses a path that the schema of the kind rules out: a field mistyped would otherwise never be there.
func (p path) described(s *schema) error {
	if p[0].name != "spec" {
		return nil
	}
	node := s.root
	for i, step := range p[1:] {
		n, ok := settled(s.root, node)
		if !ok {
			return nil // it may be anything
		}
		if step.each {
			if t, given := n["type"].(string); given && t != "array" {
				return fmt.Errorf("%s is no list by the schema", p[:i+1])
			}
			node = n["items"]
			continue
		}
		if t, given := n["type"].(string); given && t != "object" {
			return fmt.Errorf("%s is no object by the schema; %s", p[:i+1], listed(t))
		}
		properties, _ := n["properties"].(map[string]any)
		below, found := properties[step.name]
		if !found {
			if n["additionalProperties"] != false || n["patternProperties"] != nil {
				node = n["additionalProperties"]
				continue
			}
			return fmt.Errorf("%s is no field by the schema; %s", p[:i+2], choice(step.name, slices.Collect(maps.Keys(properties))))
		}
		node = below
	}
	if n, ok := settled(s.root, node); ok {
		if t, given := n["type"].(string); given && (t == "object" || t == "array") {
			return fmt.Errorf("%s is no single value by the schema; %s", p, listed(t))
		}
	}
	return nil
}

func listed(t string) string {
	if t == "array" {
		return "put [] behind a list"
	}
	return "use one of its fields"
}

// settled is a schema that alone says what a value is; ok is false where others have a say.
func settled(root, node any) (map[string]any, bool) {
	for range 16 {
		n, ok := node.(map[string]any)
		if !ok {
			return nil, false
		}
		for _, keyword := range []string{"allOf", "anyOf", "oneOf", "if", "$dynamicRef", "dependentSchemas"} {
			if _, given := n[keyword]; given {
				return nil, false
			}
		}
		ref, refers := n["$ref"].(string)
		if !refers {
			return n, true
		}
		if n["properties"] != nil {
			return nil, false
		}
		if node, ok = pointed(root, ref); !ok {
			return nil, false
		}
	}
	return nil, false
}
