package document

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Bounds of a text; what is beyond is refused whole.
const (
	MaxBytes     = 8 << 20 // of a text, and of the JSON that comes of it
	MaxDocuments = 256     // in a text, items of Lists counted one by one
	MaxNodes     = 100_000 // values in a text, aliases written out
	MaxDepth     = 64      // levels of lists and mappings
)

// Document is one of them.
type Document struct {
	// Index counts the documents of the text that have content, from 0; the items of a List have that of their List.
	Index int
	// JSON is an object, in one line; numbers are as they were written.
	JSON json.RawMessage

	at *place
}

// ErrEmpty is that a text has no document, only comments or nothing at all.
var ErrEmpty = errors.New("document: no document")

// Read parses data whole or not at all; the error is an *Error. A text without any document is an error that wraps ErrEmpty.
func Read(data []byte) ([]Document, error) {
	if len(data) > MaxBytes {
		return nil, &Error{Reason: fmt.Sprintf("the text has %d bytes, at most %d are allowed; apply it in parts", len(data), MaxBytes)}
	}
	text := strings.TrimPrefix(string(data), "\ufeff")
	if !utf8.ValidString(text) {
		return nil, &Error{Line: invalidLine(text), Reason: "the text is not UTF-8"}
	}
	var (
		all  []Document
		room = &room{nodes: MaxNodes, bytes: MaxBytes}
		next int
	)
	for _, part := range split(text) {
		r := reader{part: part, index: next, room: room}
		found, err := r.read()
		if err != nil {
			return nil, err
		}
		if found == nil {
			continue
		}
		next++
		if all = append(all, found...); len(all) > MaxDocuments {
			return nil, &Error{Document: r.index, Line: found[0].Line(""), Reason: fmt.Sprintf("the text has more than %d documents; apply it in parts", MaxDocuments)}
		}
	}
	if next == 0 {
		return nil, &Error{Reason: "the text has no document; a manifest has apiVersion, kind, metadata and spec", Err: ErrEmpty}
	}
	return all, nil
}

// Line is where a field like spec.plugins[2].name stands, from 1, in the whole text; of one that is not there, where its
// nearest parent does.
func (d *Document) Line(field string) int {
	if d == nil || d.at == nil {
		return 0
	}
	return d.at.find(field)
}

// room is what is left of the bounds, for all documents of a text together.
type room struct{ nodes, bytes int }

// reader reads one part of a text.
type reader struct {
	part
	index  int
	room   *room
	out    []byte // the JSON
	breaks []int  // the line of the text that each line of the YAML parser is
	source string // what the YAML parser reads
	mark   rune   // what it has for the backslash of an escape that only JSON knows
}

// read returns nil for a part without content.
func (r *reader) read() ([]Document, error) {
	content := strings.TrimLeft(r.text, " \t\r\n")
	if rest := strings.TrimSpace(firstLine(r.text)); r.ended && rest != "" && rest[0] != '#' {
		return nil, r.fail(r.line, "", "%s stands behind the end of the document (...); put it on a line of its own", quoted(rest))
	}
	var (
		at  *place
		err error
	)
	switch {
	case content == "":
		return nil, nil
	case content[0] == '{':
		at, err = r.json()
	case content[0] == '%':
		return nil, r.fail(r.line, "", "a directive (%s) is not supported; leave it out", quoted(firstLine(content)))
	default:
		at, err = r.yaml()
	}
	if at == nil || err != nil {
		return nil, err
	}
	if at.names == nil && string(r.out) != "{}" {
		return nil, r.fail(at.line, "", "a document has to be an object with apiVersion, kind, metadata and spec; this one is %s", what(r.out))
	}
	d := Document{Index: r.index, JSON: r.out, at: at}
	return r.expand(d)
}

func (r *reader) fail(line int, field, format string, args ...any) error {
	return &Error{Document: r.index, Line: line, Field: field, Reason: fmt.Sprintf(format, args...)}
}

// node counts a value.
func (r *reader) node(line, depth int, field func() string) error {
	r.room.nodes--
	if r.room.nodes < 0 {
		return r.fail(line, "", "the text has more than %d values, aliases written out; apply it in parts", MaxNodes)
	}
	if depth > MaxDepth {
		return r.fail(line, clip(field()), "is nested more than %d levels deep", MaxDepth)
	}
	return nil
}

// write adds to the JSON.
func (r *reader) write(line int, text string) error {
	if r.room.bytes -= len(text); r.room.bytes < 0 {
		return r.fail(line, "", "the text becomes more than %d bytes of JSON; apply it in parts", MaxBytes)
	}
	r.out = append(r.out, text...)
	return nil
}

func what(text []byte) string {
	switch text[0] {
	case '[':
		return "a list"
	case '"':
		return "text"
	case 't', 'f':
		return "true or false"
	case 'n':
		return "null"
	}
	return "a number"
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return strings.TrimRight(s, "\r")
}

func invalidLine(s string) int {
	for i, c := range s {
		if c == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(s[i:]); size == 1 {
				return 1 + strings.Count(s[:i], "\n")
			}
		}
	}
	return 0
}
