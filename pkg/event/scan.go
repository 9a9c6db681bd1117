package event

import (
	"bytes"
	"errors"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth bounds the nesting of arrays and objects, and with it the stack.
const maxDepth = 128

var (
	errNotUTF8 = errors.New("a string is not UTF-8")
	errDeep    = fmt.Errorf("arrays and objects are nested more than %d deep", maxDepth)
)

// scanner reads JSON by RFC 8259 to the letter and stricter than encoding/json, which takes {"Tag": …} for {"tag": …},
// keeps the last of two equal names and replaces what is not UTF-8: each of those would forget something else than was said.
type scanner struct {
	data  []byte
	pos   int
	depth int
	// marks refuses the escape \ufffd: what encoding/json writes for a byte that is not UTF-8.
	marks bool
	// exact refuses a double that is printed with more digits than its shortest form has: in Go's values it is another decimal.
	exact bool
	// cut counts the prefixes that were read as the boundary above them.
	cut int
	// known is a text that is likely to come, and need not be copied: the name in the subject.
	known string
	// function is the one that the subject is of; empty for subjects of other forms.
	function string
	// scratch is where keys are built.
	scratch []byte
	// whole is the data once more, for the keys of all targets to be parts of.
	whole string
}

// rest is the data from a position on, as text that may be kept.
func (s *scanner) rest(from int) string {
	if s.whole == "" {
		s.whole = string(s.data)
	}
	return s.whole[from:]
}

func (s *scanner) fail(want string) error {
	if s.pos >= len(s.data) {
		return fmt.Errorf("JSON ends where %s should stand", want)
	}
	return fmt.Errorf("JSON has %q at byte %d where %s should stand", s.data[s.pos], s.pos, want)
}

// peek is the next byte that is no white space; 0 at the end.
func (s *scanner) peek() byte {
	for ; s.pos < len(s.data); s.pos++ {
		switch c := s.data[s.pos]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

// end wants nothing more to follow.
func (s *scanner) end() error {
	s.peek()
	if s.pos < len(s.data) {
		return s.fail("the end")
	}
	return nil
}

// open enters an array or object; it says whether anything is in it.
func (s *scanner) open(from, to byte) (more bool, err error) {
	if s.peek() != from {
		return false, s.fail("'" + string(from) + "'")
	}
	s.depth++
	if s.depth > maxDepth {
		return false, errDeep
	}
	s.pos++
	if s.peek() == to {
		s.pos++
		s.depth--
		return false, nil
	}
	return true, nil
}

// next passes the comma to the next element, or the closing bracket.
func (s *scanner) next(to byte) (more bool, err error) {
	switch s.peek() {
	case ',':
		s.pos++
		return true, nil
	case to:
		s.pos++
		s.depth--
		return false, nil
	}
	return false, s.fail("',' or '" + string(to) + "'")
}

// name reads a member's name and its colon. The name is valid until the data changes.
func (s *scanner) name() ([]byte, error) {
	name, err := s.text()
	if err != nil {
		return nil, err
	}
	if s.peek() != ':' {
		return nil, s.fail("':'")
	}
	s.pos++
	return name, nil
}

// word reads true, false or null.
func (s *scanner) word() (string, error) {
	for _, w := range [...]string{"true", "false", "null"} {
		if rest := s.data[s.pos:]; len(rest) >= len(w) && string(rest[:len(w)]) == w {
			s.pos += len(w)
			return w, nil
		}
	}
	return "", s.fail("a value")
}

// number reads a number's token as it stands.
func (s *scanner) number() ([]byte, error) {
	start := s.pos
	digits := func() bool {
		from := s.pos
		for s.pos < len(s.data) && digit(s.data[s.pos]) {
			s.pos++
		}
		return s.pos > from
	}
	at := func(c byte) bool { return s.pos < len(s.data) && s.data[s.pos] == c }
	if at('-') {
		s.pos++
	}
	if at('0') {
		s.pos++
	} else if !digits() {
		return nil, s.fail("a digit")
	}
	if at('.') {
		s.pos++
		if !digits() {
			return nil, s.fail("a digit")
		}
	}
	if at('e') || at('E') {
		s.pos++
		if at('+') || at('-') {
			s.pos++
		}
		if !digits() {
			return nil, s.fail("a digit")
		}
	}
	return s.data[start:s.pos], nil
}

// text reads a string; without escapes the result is a part of the data.
func (s *scanner) text() ([]byte, error) {
	if s.peek() != '"' {
		return nil, s.fail("a string")
	}
	s.pos++
	start, high := s.pos, false
	for ; s.pos < len(s.data); s.pos++ {
		switch c := s.data[s.pos]; {
		case c == '"':
			plain := s.data[start:s.pos]
			if high && !utf8.Valid(plain) {
				return nil, errNotUTF8
			}
			s.pos++
			return plain, nil
		case c == '\\':
			return s.escaped(bytes.Clone(s.data[start:s.pos]))
		case c < 0x20:
			return nil, s.fail("an escape")
		default:
			high = high || c >= utf8.RuneSelf
		}
	}
	return nil, s.fail(`'"'`)
}

// escaped reads on from the first escape of a string whose beginning is in dst.
func (s *scanner) escaped(dst []byte) ([]byte, error) {
	for s.pos < len(s.data) {
		switch c := s.data[s.pos]; {
		case c == '"':
			s.pos++
			if !utf8.Valid(dst) {
				return nil, errNotUTF8
			}
			return dst, nil
		case c == '\\':
			s.pos++
			var err error
			if dst, err = s.escape(dst); err != nil {
				return nil, err
			}
		case c < 0x20:
			return nil, s.fail("an escape")
		default:
			dst = append(dst, c)
			s.pos++
		}
	}
	return nil, s.fail(`'"'`)
}

func (s *scanner) escape(dst []byte) ([]byte, error) {
	if s.pos >= len(s.data) {
		return nil, s.fail("an escape")
	}
	c := s.data[s.pos]
	switch c {
	case '"', '\\', '/':
	case 'b':
		c = '\b'
	case 'f':
		c = '\f'
	case 'n':
		c = '\n'
	case 'r':
		c = '\r'
	case 't':
		c = '\t'
	case 'u':
		return s.unicode(dst)
	default:
		return nil, s.fail("an escape")
	}
	s.pos++
	return append(dst, c), nil
}

// unicode reads \uXXXX, or the pair of them that is one character beyond the basic plane. Half a pair is no text.
func (s *scanner) unicode(dst []byte) ([]byte, error) {
	r, ok := s.hex4()
	if !ok {
		return nil, s.fail("four hex digits")
	}
	if s.marks && r == utf8.RuneError {
		return nil, errNotUTF8
	}
	if utf16.IsSurrogate(r) {
		if s.pos >= len(s.data) || s.data[s.pos] != '\\' {
			return nil, errNotUTF8
		}
		s.pos++
		low, ok := s.hex4()
		if r = utf16.DecodeRune(r, low); !ok || r == utf8.RuneError {
			return nil, errNotUTF8
		}
	}
	return utf8.AppendRune(dst, r), nil
}

func (s *scanner) hex4() (r rune, ok bool) {
	if len(s.data)-s.pos < 5 || s.data[s.pos] != 'u' {
		return 0, false
	}
	for _, c := range s.data[s.pos+1 : s.pos+5] {
		switch {
		case digit(c):
			r = r<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	s.pos += 5
	return r, true
}

// skip passes any value.
func (s *scanner) skip() error {
	var err error
	switch c := s.peek(); {
	case c == '{':
		more, err := s.open('{', '}')
		for more && err == nil {
			if _, err = s.name(); err == nil {
				err = s.skip()
			}
			if err == nil {
				more, err = s.next('}')
			}
		}
		return err
	case c == '[':
		more, err := s.open('[', ']')
		for more && err == nil {
			if err = s.skip(); err == nil {
				more, err = s.next(']')
			}
		}
		return err
	case c == '"':
		_, err = s.text()
	case c == '-' || digit(c):
		_, err = s.number()
	default:
		_, err = s.word()
	}
	return err
}
