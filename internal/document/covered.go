package document

import (
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// The parser takes a few things for the end of a document, for comments or for indicators that are none. What stands there would
// be lost, or be taken for something else, and nobody would be told. So the text is compared with the tree that the parser made
// of it: whatever stands in the text has to be a value of the tree, a comment, or an indicator that YAML has at such a place.

// cover goes through a text once, along the values of its tree.
type cover struct {
	*reader
	text         string
	at           int // offset of the next character
	line, column int // of the next character, from 1, as the parser counts
	before       rune
}

// covered refuses a text of which the tree root leaves something out. More is what the parser says about a second document.
func (r *reader) covered(root *yaml.Node, more error) error {
	c := &cover{reader: r, text: r.source, line: 1, column: 1, before: '\n'}
	if err := c.value(root); err != nil {
		return err
	}
	c.gap(0, 0)
	if c.at < len(c.text) {
		line := c.line
		opened := strings.TrimRight(c.text[:c.at], "[{ \t")
		rest := r.unmarked(strings.TrimSpace(firstLine(c.text[len(opened):])))
		if strings.HasPrefix(rest, "#") {
			return c.stray()
		}
		if strings.HasPrefix(rest, "---") || strings.HasPrefix(rest, "...") {
			return r.fail(r.lineOf(line), "", "is more than one document; put a line with --- between two")
		}
		return r.fail(r.lineOf(line), "", "%s stands behind the end of the document; indent it like what stands above it, or put a line with --- between two documents", quoted(rest))
	}
	switch {
	case errors.Is(more, io.EOF):
		return nil
	case more == nil:
		return r.fail(r.line, "", "is more than one document; put a line with --- between two")
	}
	line, _ := r.problem(more)
	return r.fail(line, "", "something stands behind the end of the document; take it out, or put a line with --- between two documents")
}

func (c *cover) value(n *yaml.Node) error {
	plain := n.Style&quotedStyles == 0
	named := n.Anchor != "" || n.Style&yaml.TaggedStyle != 0
	switch {
	case n.Kind == yaml.AliasNode:
		if err := c.to(n); err != nil {
			return err
		}
		return c.name('*', n.Value)
	case n.Kind == yaml.ScalarNode && (n.Value != "" || !plain || named):
		if err := c.to(n); err != nil {
			return err
		}
		if err := c.properties(n, true); err != nil {
			return err
		}
		return c.scalar(n)
	case n.Kind != yaml.ScalarNode && named:
		if err := c.to(n); err != nil {
			return err
		}
		if err := c.properties(n, false); err != nil {
			return err
		}
	}
	for _, below := range n.Content {
		if err := c.value(below); err != nil {
			return err
		}
	}
	return nil
}

// to goes to where a value begins.
func (c *cover) to(n *yaml.Node) error {
	c.gap(n.Line, n.Column)
	if c.line == n.Line && c.column == n.Column {
		return nil
	}
	return c.stray()
}

// gap goes through white space, comments and indicators, as far as a line and column (0 = to the end), or to what is none of them.
func (c *cover) gap(line, column int) {
	for c.at < len(c.text) && (line == 0 || c.line < line || c.line == line && c.column < column) {
		next, _ := utf8.DecodeRuneInString(c.text[c.at:])
		switch {
		case white(next):
			c.step()
		case next == '#' && white(c.before):
			c.comment()
		case strings.ContainsRune(",:[]{}", next):
			c.step()
		case next == '-' || next == '?':
			if after, _ := utf8.DecodeRuneInString(c.text[c.at+1:]); c.at+1 < len(c.text) && !white(after) {
				return
			}
			c.step()
		default:
			return
		}
	}
}

func (c *cover) comment() {
	for c.at < len(c.text) && !strings.HasPrefix(c.text[c.at:], "\n") && !strings.HasPrefix(c.text[c.at:], "\r") {
		line := c.line
		c.step()
		if c.line != line { // one of the line breaks of Unicode
			return
		}
	}
}

// stray refuses what stands at a place where nothing of its kind may.
func (c *cover) stray() error {
	rest := c.unmarked(firstLine(c.text[c.at:]))
	line := c.lineOf(c.line)
	switch {
	case strings.HasPrefix(rest, "#"):
		return c.fail(line, "", "%s would be a comment; put a space before # if it is one, else put the text in quotes", quoted(rest))
	case strings.HasPrefix(rest, "!"):
		return c.fail(line, "", "%s has the tag !, which some readers pass over; leave it out, and put text in quotes", quoted(rest))
	}
	return c.fail(line, "", "%s can't be read for certain; put text in quotes", quoted(rest))
}

// properties goes through the anchor and the tag of a value, and to the value itself.
func (c *cover) properties(n *yaml.Node, scalar bool) error {
	anchor, tag := n.Anchor != "", n.Style&yaml.TaggedStyle != 0
	for anchor || tag || scalar {
		switch next := c.next(); {
		case next == '&' && anchor:
			if err := c.name('&', n.Anchor); err != nil {
				return err
			}
			anchor = false
		case next == '!' && tag:
			c.tag()
			tag = false
		case next == '!' && n.Value != "" || anchor || tag:
			return c.stray()
		default:
			return nil
		}
		for white(c.next()) || c.next() == '#' && white(c.before) {
			if c.next() == '#' {
				c.comment()
			} else {
				c.step()
			}
		}
	}
	return nil
}

func (c *cover) tag() {
	if strings.HasPrefix(c.text[c.at:], "!<") {
		for c.at < len(c.text) && c.next() != '>' {
			c.step()
		}
	}
	for c.at < len(c.text) && !white(c.next()) && !strings.ContainsRune(",[]{}", c.next()) {
		c.step()
	}
}

// name goes through an anchor or an alias. The parser ends its name at a colon, where YAML does not.
func (c *cover) name(mark rune, name string) error {
	if !strings.HasPrefix(c.text[c.at:], string(mark)+name) {
		return c.stray()
	}
	after := c.text[c.at+1+len(name):]
	if next, _ := utf8.DecodeRuneInString(after); after != "" && !white(next) && !strings.ContainsRune(",]}", next) {
		return c.fail(c.lineOf(c.line), "", "%s: the name of an anchor ends where a space does not follow; use letters, digits, - and _ alone", quoted(c.unmarked(firstLine(c.text[c.at:]))))
	}
	for range 1 + len(name) {
		c.step()
	}
	return nil
}

// scalar goes through a value without its properties.
func (c *cover) scalar(n *yaml.Node) error {
	switch {
	case n.Style&yaml.DoubleQuotedStyle != 0:
		return c.quoted('"')
	case n.Style&yaml.SingleQuotedStyle != 0:
		return c.quoted('\'')
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		for c.at < len(c.text) && strings.ContainsRune("|>+-0123456789", c.next()) {
			c.step()
		}
		for c.at < len(c.text) && c.next() != '\n' && c.next() != '\r' && white(c.next()) {
			c.step()
		}
		if c.next() == '#' && white(c.before) {
			c.comment()
		}
	}
	return c.words(n.Value)
}

func (c *cover) quoted(mark rune) error {
	if c.next() != mark {
		return c.stray()
	}
	for c.step(); c.at < len(c.text); c.step() {
		switch next := c.next(); {
		case next == '\\' && mark == '"':
			c.step()
		case next != mark:
		case mark == '\'' && strings.HasPrefix(c.text[c.at:], "''"):
			c.step()
		default:
			c.step()
			return nil
		}
	}
	return c.stray()
}

// words goes through text that stands as it is, but for its white space.
func (c *cover) words(text string) error {
	for _, want := range text {
		if white(want) {
			continue
		}
		for c.at < len(c.text) && white(c.next()) {
			c.step()
		}
		if have := c.next(); c.at == len(c.text) || have != want {
			return c.stray()
		}
		c.step()
	}
	return nil
}

// next is the next character, or 0 at the end.
func (c *cover) next() rune {
	if c.at == len(c.text) {
		return 0
	}
	next, _ := utf8.DecodeRuneInString(c.text[c.at:])
	return next
}

// step goes over the next character.
func (c *cover) step() {
	next, size := utf8.DecodeRuneInString(c.text[c.at:])
	if size == 0 {
		return
	}
	c.at += size
	c.before = next
	c.column++
	switch next {
	case '\r':
		if strings.HasPrefix(c.text[c.at:], "\n") {
			return
		}
	case '\n', '\u0085', '\u2028', '\u2029':
	default:
		return
	}
	c.line, c.column = c.line+1, 1
}

// white is what separates: spaces, line breaks, and the mark that a file may begin with.
func white(c rune) bool { return strings.ContainsRune(" \t\r\n\u0085\u2028\u2029\ufeff", c) }
