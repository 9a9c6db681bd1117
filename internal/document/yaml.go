package document

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxMarks bounds the characters of a YAML document that can begin a value. The parser makes its whole tree before anything
// can be counted, at some hundred bytes a value; this many it may make.
const maxMarks = 250_000

// yaml reads a part that is YAML; nil for one without content.
func (r *reader) yaml() (*place, error) {
	if marks := strings.Count(r.text, "\n") + strings.Count(r.text, ",") + strings.Count(r.text, ":") +
		strings.Count(r.text, "[") + strings.Count(r.text, "{") + strings.Count(r.text, "- ") + strings.Count(r.text, "? "); marks > maxMarks {
		return nil, r.fail(r.line, "", "has over %d lines, commas, colons and brackets; apply it in parts, or as JSON", maxMarks)
	}
	if err := r.printable(); err != nil {
		return nil, err
	}
	root, more, err := r.parse()
	if root == nil || err != nil {
		return nil, err
	}
	if root.Kind == yaml.ScalarNode && root.Style&(yaml.TaggedStyle|quotedStyles) == 0 {
		if json, _, _ := plain(root.Value); json == "null" {
			return nil, r.covered(root, more)
		}
	}
	whole := r.covered(root, more)
	r.unmark(root)
	y := yamlReader{reader: r, places: map[*yaml.Node]*place{}}
	b, err := y.value(root, 0, func() string { return "" })
	if err == nil {
		err = whole // what is wrong with a value says more
	}
	if err != nil {
		return nil, err
	}
	return b.place, nil
}

// quotedStyles are those in which a scalar is text, whatever it says.
const quotedStyles = yaml.SingleQuotedStyle | yaml.DoubleQuotedStyle | yaml.LiteralStyle | yaml.FoldedStyle

// printable refuses characters that YAML does not allow, not even in a comment: the parser does not say where they stand.
func (r *reader) printable() error {
	line := r.line
	for _, c := range r.text {
		switch {
		case c == '\n':
			line++
		case c < ' ' && c != '\t' && c != '\r', c > '~' && c < 0xa0 && c != 0x85, c == 0xfffe, c == 0xffff:
			return r.fail(line, "", "has the control character U+%04X, which YAML does not allow; take it out, or write \\x%02x in double quotes", c, c)
		}
	}
	return nil
}

// parse makes the tree. What the parser panics with is an error here. More is what it says when it is asked for a second document:
// io.EOF when there is none.
func (r *reader) parse() (root *yaml.Node, more, err error) {
	defer func() {
		if p := recover(); p != nil {
			root, more, err = nil, nil, r.fail(r.line, "", "is no YAML: %v", p)
		}
	}()
	// A text means the same with and without its last line break.
	if r.source, r.mark = marked(r.text); !strings.HasSuffix(r.source, "\n") && !strings.HasSuffix(r.source, "\r") {
		r.source += "\n"
	}
	dec := yaml.NewDecoder(strings.NewReader(r.source))
	var doc yaml.Node
	if err := dec.Decode(&doc); err != nil {
		if strings.TrimSpace(withoutComments(r.text)) == "" {
			return nil, nil, nil
		}
		line, reason := r.problem(err)
		return nil, nil, r.fail(line, "", "is no YAML: %s", clip(reason))
	}
	if len(doc.Content) != 1 {
		return nil, nil, nil
	}
	return doc.Content[0], dec.Decode(new(yaml.Node)), nil
}

var (
	lineOfProblem = regexp.MustCompile(`^line (\d+): `)
	// linesFromZero are the problems for which the parser counts lines from 0.
	linesFromZero = regexp.MustCompile(`^did not find expected (<document start>|node content|'-' indicator|key|',' or)|^found (undefined tag handle|duplicate|incompatible)`)
)

// problem takes the parser's "yaml: line 3: what is wrong" apart; the line is that in the whole text.
func (r *reader) problem(err error) (line int, reason string) {
	reason = strings.TrimPrefix(err.Error(), "yaml: ")
	n := 0
	if m := lineOfProblem.FindStringSubmatch(reason); m != nil {
		n, _ = strconv.Atoi(m[1])
		reason = reason[len(m[0]):]
	}
	if linesFromZero.MatchString(reason) {
		n++
	}
	return r.lineOf(max(n, 1)), reason
}

func withoutComments(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(strings.TrimLeft(line, " \t"), "#") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// yamlReader turns a tree into JSON.
type yamlReader struct {
	*reader
	places map[*yaml.Node]*place // of anchored values, which aliases share
}

func (y *yamlReader) at(n *yaml.Node) int { return y.lineOf(n.Line) }

// lineOf is the line of the text that the parser's line n is: it counts within its part, and takes a lone carriage return and
// three characters of Unicode for line breaks as well.
func (r *reader) lineOf(n int) int {
	if r.breaks == nil {
		r.breaks = []int{r.line}
		line := r.line
		for i, c := range r.text {
			switch c {
			case '\n':
				line++
			case '\r':
				if strings.HasPrefix(r.text[i:], "\r\n") {
					continue
				}
			case '\u0085', '\u2028', '\u2029':
			default:
				continue
			}
			r.breaks = append(r.breaks, line)
		}
	}
	return r.breaks[max(0, min(n, len(r.breaks))-1)]
}

func (y *yamlReader) value(n *yaml.Node, depth int, field func() string) (below, error) {
	line := y.at(n)
	if n.Kind == yaml.AliasNode {
		if n = n.Alias; n == nil {
			return below{}, y.fail(line, field(), "is an alias of nothing")
		}
	}
	if err := y.node(line, depth, field); err != nil {
		return below{}, err
	}
	at := y.places[n]
	seen := at != nil
	if !seen {
		at = &place{line: y.at(n)}
		if n.Anchor != "" {
			y.places[n] = at
		}
	}
	var err error
	switch n.Kind {
	case yaml.MappingNode:
		err = y.mapping(n, at, seen, depth, field)
	case yaml.SequenceNode:
		err = y.sequence(n, at, seen, depth, field)
	default:
		var text string
		if text, err = scalar(n); err != nil {
			return below{}, y.fail(line, field(), "%v", err)
		}
		err = y.write(line, text)
	}
	return below{line, at}, err
}

func (y *yamlReader) mapping(n *yaml.Node, at *place, seen bool, depth int, field func() string) error {
	if tag := n.Style&yaml.TaggedStyle != 0; tag && n.ShortTag() != "!!map" {
		return y.fail(y.at(n), field(), "has the tag %s, which JSON does not know", clip(n.Tag))
	}
	if err := y.write(y.at(n), "{"); err != nil {
		return err
	}
	names := make([]string, 0, len(n.Content)/2)
	inside := make([]below, 0, len(n.Content)/2)
	taken := make(map[string]bool, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		line := y.at(n.Content[i])
		name, err := key(n.Content[i])
		if err != nil {
			return y.fail(line, field(), "%v", err)
		}
		inner := func() string { return Member(field(), name) }
		if taken[name] {
			return y.fail(line, inner(), "is given twice")
		}
		taken[name] = true
		text := quote(name) + ":"
		if i > 0 {
			text = "," + text
		}
		if err := y.write(line, text); err != nil {
			return err
		}
		b, err := y.value(n.Content[i+1], depth+1, inner)
		if err != nil {
			return err
		}
		b.line = line
		names, inside = append(names, name), append(inside, b)
	}
	if !seen {
		at.names, at.below = names, inside
	}
	return y.write(y.at(n), "}")
}

func (y *yamlReader) sequence(n *yaml.Node, at *place, seen bool, depth int, field func() string) error {
	if tag := n.Style&yaml.TaggedStyle != 0; tag && n.ShortTag() != "!!seq" {
		return y.fail(y.at(n), field(), "has the tag %s, which JSON does not know", clip(n.Tag))
	}
	if err := y.write(y.at(n), "["); err != nil {
		return err
	}
	inside := make([]below, 0, len(n.Content))
	for i, item := range n.Content {
		if i > 0 {
			if err := y.write(y.at(item), ","); err != nil {
				return err
			}
		}
		b, err := y.value(item, depth+1, func() string { return Item(field(), i) })
		if err != nil {
			return err
		}
		inside = append(inside, b)
	}
	if !seen {
		at.below = inside
	}
	return y.write(y.at(n), "]")
}

// scalar is the JSON of a scalar; the error is a reason.
func scalar(n *yaml.Node) (string, error) {
	if n.Style&yaml.TaggedStyle == 0 {
		if n.Style&quotedStyles != 0 {
			return quote(n.Value), nil
		}
		json, text, err := plain(n.Value)
		if text {
			json = quote(n.Value)
		}
		return json, err
	}
	tag := n.ShortTag()
	if tag == "!!str" {
		return quote(n.Value), nil
	}
	json, text, err := plain(n.Value)
	if err != nil {
		return "", err
	}
	var fits bool
	switch tag {
	case "!!null":
		fits = json == "null"
	case "!!bool":
		fits = json == "true" || json == "false"
	case "!!int":
		fits = !text && json != "" && strings.Trim(json, "-0123456789") == ""
	case "!!float":
		fits = !text && json != "" && strings.Trim(json, "-+.eE0123456789") == ""
	default:
		return "", fmt.Errorf("has the tag %s, which JSON does not know", clip(n.Tag))
	}
	if !fits {
		return "", fmt.Errorf("has the tag %s, which %s does not fit", clip(n.Tag), quoted(n.Value))
	}
	return json, nil
}

// key is the name that a mapping's key stands for: its text, whatever type a plain one would have as a value.
func key(n *yaml.Node) (string, error) {
	if n.Kind == yaml.AliasNode && n.Alias != nil {
		n = n.Alias
	}
	if n.Kind != yaml.ScalarNode {
		return "", errors.New("has a key that is a list or a mapping; a key is text")
	}
	if n.Style&yaml.TaggedStyle != 0 {
		if n.ShortTag() != "!!str" {
			return "", fmt.Errorf("has a key with the tag %s; a key is text", clip(n.Tag))
		}
		return n.Value, nil
	}
	if n.Style&quotedStyles != 0 {
		return n.Value, nil
	}
	switch n.Value {
	case "<<":
		return "", errors.New("merge keys (<<) are not supported; write the fields out, or put << in quotes")
	case "", "~", "null", "Null", "NULL":
		return "", errors.New("has a key that is null; a key is text")
	}
	return n.Value, nil
}
