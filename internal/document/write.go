package document

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// YAML is one JSON value as YAML, for people: members in their order, numbers by their digits, text in quotes wherever any
// reader of YAML could take it for something else. Read makes the same JSON of it.
func YAML(data []byte) ([]byte, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	root, err := written(d)
	if err != nil {
		return nil, fmt.Errorf("document: %w", err)
	}
	var out bytes.Buffer
	e := yaml.NewEncoder(&out)
	e.SetIndent(2)
	if err := e.Encode(root); err != nil {
		return nil, fmt.Errorf("document: %w", err)
	}
	if err := e.Close(); err != nil {
		return nil, fmt.Errorf("document: %w", err)
	}
	return out.Bytes(), nil
}

// written is the next value as a node of YAML.
func written(d *json.Decoder) (*yaml.Node, error) {
	tok, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch tok := tok.(type) {
	case json.Delim:
		n := &yaml.Node{Kind: yaml.MappingNode}
		if tok == '[' {
			n.Kind = yaml.SequenceNode
		}
		for d.More() {
			below, err := written(d) // in an object, names come as values do
			if err != nil {
				return nil, err
			}
			n.Content = append(n.Content, below)
		}
		if len(n.Content) == 0 {
			n.Style = yaml.FlowStyle
		}
		_, err := d.Token()
		return n, err
	case string:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: tok, Style: style(tok)}, nil
	case json.Number:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: tok.String()}, nil
	case bool:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: strconv.FormatBool(tok)}, nil
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Value: "null"}, nil
}

// style is how text is written: as a block when it has lines, bare when nothing could mistake it, else in quotes.
func style(s string) yaml.Style {
	if strings.Contains(s, "\n") && blocky(s) {
		return yaml.LiteralStyle
	}
	if bare(s) {
		return 0
	}
	return yaml.DoubleQuotedStyle
}

// blocky is text that a block keeps as it is: printable lines that end without white space, the first not indented.
func blocky(s string) bool {
	if s[0] == ' ' || s[0] == '\n' || strings.Contains(s, " \n") || strings.HasSuffix(s, " ") || strings.HasSuffix(s, "\n\n") {
		return false
	}
	for _, c := range s {
		if c != '\n' && (c < ' ' || c > '~' && c < 0xa1 || c == 0x2028 || c == 0x2029 || c == 0xfeff || c == 0xfffd) {
			return false
		}
	}
	return true
}

// bare is text of letters, digits and what is harmless between them that no version of YAML takes for a number, a time,
// true, false or null.
func bare(s string) bool {
	if s == "" || !letter(s[0]) {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !letter(c) && (c < '0' || c > '9') && !strings.ContainsRune("_-./", rune(c)) && (c != ' ' || i == len(s)-1) {
			return false
		}
	}
	switch strings.ToLower(s) {
	case "null", "true", "false", "yes", "no", "on", "off", "y", "n":
		return false
	}
	return true
}

func letter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
