package manifest

import (
	"fmt"
	"slices"
	"strings"
)

// selector picks objects by their labels, as kubectl's do: requirements that all have to hold.
type selector []requirement

// requirement is about one label.
type requirement struct {
	key    string
	values []string // it has to have one of them; nil = any
	not    bool     // the other way round, which a missing label meets too
}

// matches says whether labels meet every requirement.
func (s selector) matches(labels map[string]string) bool {
	for _, r := range s {
		value, has := labels[r.key]
		if r.values != nil {
			has = has && slices.Contains(r.values, value)
		}
		if has == r.not {
			return false
		}
	}
	return true
}

// Bounds of a selector.
const (
	maxSelector     = 4 << 10
	maxRequirements = 64
)

// parseSelector reads a=b, a==b, a!=b, a in (x,y), a notin (x,y), a and !a, joined by commas; empty text is everything. The
// error names the place.
func parseSelector(text string) (selector, error) {
	if len(text) > maxSelector {
		return nil, &Error{Field: "selector", Reason: fmt.Sprintf("has %d bytes, at most %d are allowed", len(text), maxSelector)}
	}
	p := selectorParser{text: text}
	p.space()
	if p.pos == len(text) {
		return nil, nil
	}
	var s selector
	for {
		r, err := p.requirement()
		if err != nil {
			return nil, err
		}
		if s = append(s, r); len(s) > maxRequirements {
			return nil, p.fail("there are over %d requirements", maxRequirements)
		}
		p.space()
		if p.pos == len(text) {
			return s, nil
		}
		if !p.take(",") {
			return nil, p.fail("put a comma between requirements")
		}
	}
}

type selectorParser struct {
	text string
	pos  int
}

func (p *selectorParser) requirement() (requirement, error) {
	p.space()
	if p.take("!") {
		key, err := p.key()
		return requirement{key: key, not: true}, err
	}
	key, err := p.key()
	if err != nil {
		return requirement{}, err
	}
	r := requirement{key: key}
	p.space()
	switch {
	case p.pos == len(p.text) || p.text[p.pos] == ',':
		return r, nil
	case p.take("!="):
		r.not = true
		r.values, err = p.value()
	case p.take("=="), p.take("="):
		r.values, err = p.value()
	case p.takeWord("notin"):
		r.not = true
		r.values, err = p.set()
	case p.takeWord("in"):
		r.values, err = p.set()
	default:
		err = p.fail("use =, ==, !=, in (…), notin (…), or a comma")
	}
	return r, err
}

func (p *selectorParser) key() (string, error) {
	p.space()
	start := p.pos
	key := p.word("/")
	if !qualified(key) {
		p.pos = start
		return "", p.fail("%s is no key of a label", quote(key))
	}
	return key, nil
}

// value is one value, which may be empty.
func (p *selectorParser) value() ([]string, error) {
	p.space()
	start := p.pos
	value := p.word("")
	if value != "" && !labelText(value) {
		p.pos = start
		return nil, p.fail("%s is no value of a label", quote(value))
	}
	return []string{value}, nil
}

func (p *selectorParser) set() ([]string, error) {
	p.space()
	if !p.take("(") {
		return nil, p.fail("put the values in brackets, like (a, b)")
	}
	var all []string
	for {
		one, err := p.value()
		if err != nil {
			return nil, err
		}
		all = append(all, one...)
		p.space()
		switch {
		case p.take(","):
		case p.take(")"):
			return all, nil
		default:
			return nil, p.fail("a comma or ) is missing")
		}
	}
}

// word takes what keys and values are made of.
func (p *selectorParser) word(more string) string {
	start := p.pos
	for p.pos < len(p.text) && (alphanumeric(p.text[p.pos]) || strings.IndexByte("-_."+more, p.text[p.pos]) >= 0) {
		p.pos++
	}
	return p.text[start:p.pos]
}

func (p *selectorParser) take(s string) bool {
	if !strings.HasPrefix(p.text[p.pos:], s) {
		return false
	}
	p.pos += len(s)
	return true
}

// takeWord takes s where a word ends with it.
func (p *selectorParser) takeWord(s string) bool {
	start := p.pos
	if p.word("") == s {
		return true
	}
	p.pos = start
	return false
}

func (p *selectorParser) space() {
	for p.pos < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.pos]) >= 0 {
		p.pos++
	}
}

func (p *selectorParser) fail(format string, args ...any) error {
	return &Error{Field: "selector", Reason: fmt.Sprintf("%s, at %d: %s", quote(p.text), p.pos+1, fmt.Sprintf(format, args...))}
}
