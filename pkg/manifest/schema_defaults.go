package manifest

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/lethe-cache/lethe/internal/document"
)

// checkDefaults refuses defaults that their own schema refuses: no manifest that leaves the field out could be applied.
func (s *schema) checkDefaults(field string) error {
	var bad problems
	c := s.compiler() // compiles the whole schema once, however many defaults there are
	if c == nil {
		return nil
	}
	finds := newClosing(s.written, s.programs, s.closing.at)
	s.defaults("", s.root, 0, func(ptr string, d any) {
		at := field
		for step := range strings.SplitSeq(strings.TrimPrefix(ptr, "/"), "/") {
			if step != "" {
				at = document.Member(at, strings.NewReplacer("~1", "/", "~0", "~").Replace(step))
			}
		}
		u := url.URL{Fragment: ptr}
		part, err := c.Compile(schemaURL + u.String())
		if ptr == "" {
			part, err = s.compiled, nil
		}
		if err != nil {
			return // a place in the schema that is none of a schema
		}
		d = copied(d)
		f := filling{root: s.root, left: maxFilled}
		if node, found := pointed(s.root, "#"+ptr); found {
			f.value(node, d, 0)
		}
		err = part.Validate(d)
		if err == nil {
			var unknown problems
			finds.look(part)
			finds.unknown(part, "it", d, bound(d), &unknown)
			err = unknown.err()
		}
		if err != nil {
			text := strings.ReplaceAll(strings.Join(strings.Fields(err.Error()), " "), schemaURL, "")
			bad.put(&Error{Field: at + ".default", Reason: "is refused by its own schema: " + strings.ReplaceAll(text, "manifest: ", "")})
		}
	})
	return bad.err()
}

// defaults calls f for every schema with a default.
func (s *schema) defaults(ptr string, node any, depth int, f func(ptr string, d any)) {
	n, ok := node.(map[string]any)
	if !ok || depth > document.MaxDepth {
		return
	}
	if d, given := n["default"]; given {
		f(ptr, d)
	}
	for _, keyword := range []string{"properties", "$defs"} {
		if all, ok := n[keyword].(map[string]any); ok {
			for name, below := range sorted(all) {
				s.defaults(ptr+"/"+keyword+"/"+escaped(name), below, depth+1, f)
			}
		}
	}
	for _, keyword := range []string{"items", "additionalProperties"} {
		s.defaults(ptr+"/"+keyword, n[keyword], depth+1, f)
	}
	for _, keyword := range []string{"allOf", "prefixItems"} {
		if all, ok := n[keyword].([]any); ok {
			for i, below := range all {
				s.defaults(ptr+"/"+keyword+"/"+strconv.Itoa(i), below, depth+1, f)
			}
		}
	}
}

// compiler is one that knows the schema; nil when it refuses it.
func (s *schema) compiler() *jsonschema.Compiler {
	c := newCompiler()
	if c.AddResource(schemaURL, s.written) != nil {
		return nil
	}
	return c
}
