package manifest

import (
	"fmt"
	"regexp/syntax"

	"github.com/lethe-cache/lethe/internal/document"
)

// mostPrograms bounds the steps of all patterns of a schema, as programs: they are made whenever a process reads the kind, and kept.
const mostPrograms = 500_000

// programs are the patterns of a schema, and how long the programs are that the engine makes of them. They are counted once.
type programs struct {
	long        map[string]int
	sum         int
	unevaluated bool // the schema has unevaluatedProperties or unevaluatedItems
}

func newPrograms(root any) *programs {
	p := &programs{long: map[string]int{}}
	p.look(root, 0)
	return p
}

// look goes through all of a schema. A value or a name that looks like a pattern is counted too, which does no harm.
func (p *programs) look(node any, depth int) {
	if depth > 2*document.MaxDepth || p.sum > mostPrograms {
		return
	}
	switch n := node.(type) {
	case []any:
		for _, below := range n {
			p.look(below, depth+1)
		}
	case map[string]any:
		if pattern, ok := n["pattern"].(string); ok {
			p.add(pattern)
		}
		if all, ok := n["patternProperties"].(map[string]any); ok {
			for pattern := range all {
				p.add(pattern)
			}
		}
		p.unevaluated = p.unevaluated || given(n, "unevaluatedProperties") || given(n, "unevaluatedItems")
		for _, below := range n {
			p.look(below, depth+1)
		}
	}
}

func (p *programs) add(pattern string) {
	if _, known := p.long[pattern]; !known && p.sum <= mostPrograms {
		p.long[pattern] = programOf(pattern)
		p.sum += p.long[pattern]
	}
}

// matched is what it takes to match a text, in steps: the engine takes time in proportion to the text and to the program that it makes
// of the pattern, of which .{1000} has a thousand steps.
func (p *programs) matched(pattern, text string) int {
	program, known := p.long[pattern]
	if !known {
		program = len(pattern)
	}
	return 1 + len(text)*(program+16)/40
}

func (p *programs) err(field string) error {
	if p.sum <= mostPrograms {
		return nil
	}
	return &Error{Field: field, Reason: fmt.Sprintf("has patterns that become programs of more than %d steps together; "+
		"use minLength and maxLength in place of counts like {1,1000}", mostPrograms)}
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
