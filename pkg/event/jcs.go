package event

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"
)

// canonical appends the next value as RFC 8785 (JCS) writes it, with one departure: an integer token keeps all its digits,
// since 2^53+1 and 2^53 are two keys. A number that JCS would round is refused (appendToken).
func (s *scanner) canonical(dst []byte) ([]byte, error) {
	switch c := s.peek(); {
	case c == '{':
		return s.canonicalObject(dst)
	case c == '[':
		return s.canonicalArray(dst)
	case c == '"':
		text, err := s.text()
		if err != nil {
			return nil, err
		}
		return appendQuoted(dst, text), nil
	case c == '-' || digit(c):
		token, err := s.number()
		if err != nil {
			return nil, err
		}
		return appendToken(dst, token, s.exact)
	}
	word, err := s.word()
	return append(dst, word...), err
}

func (s *scanner) canonicalArray(dst []byte) ([]byte, error) {
	more, err := s.open('[', ']')
	dst = append(dst, '[')
	for more && err == nil {
		if dst, err = s.canonical(dst); err != nil {
			return nil, err
		}
		if more, err = s.next(']'); more {
			dst = append(dst, ',')
		}
	}
	if err != nil {
		return nil, err
	}
	return append(dst, ']'), nil
}

// member is one of an object's, already canonical at dst[from:to].
type member struct {
	name     string
	from, to int
}

func (s *scanner) canonicalObject(dst []byte) ([]byte, error) {
	more, err := s.open('{', '}')
	dst = append(dst, '{')
	start, sorted := len(dst), true
	var members []member
	for more && err == nil {
		var name []byte
		if name, err = s.name(); err != nil {
			return nil, err
		}
		m := member{name: string(name), from: len(dst)}
		dst = append(appendQuoted(dst, name), ':')
		if dst, err = s.canonical(dst); err != nil {
			return nil, err
		}
		m.to = len(dst)
		sorted = sorted && (len(members) == 0 || compareUTF16(members[len(members)-1].name, m.name) < 0)
		members = append(members, m)
		if more, err = s.next('}'); more {
			dst = append(dst, ',')
		}
	}
	if err != nil {
		return nil, err
	}
	if !sorted {
		if dst, err = reorder(dst, start, members); err != nil {
			return nil, err
		}
	}
	return append(dst, '}'), nil
}

// reorder puts the members that stand in dst from start on in order of their names.
func reorder(dst []byte, start int, members []member) ([]byte, error) {
	slices.SortFunc(members, func(a, b member) int { return compareUTF16(a.name, b.name) })
	written := bytes.Clone(dst[start:])
	dst = dst[:start]
	for i, m := range members {
		if i > 0 {
			if members[i-1].name == m.name {
				return nil, fmt.Errorf("an object has the name %q twice", clip(m.name))
			}
			dst = append(dst, ',')
		}
		dst = append(dst, written[m.from-start:m.to-start]...)
	}
	return dst, nil
}

// compareUTF16 orders by UTF-16 code units, as JCS does: U+10000 comes before U+FFFF, since its first unit is U+D800.
func compareUTF16(a, b string) int {
	n := min(len(a), len(b))
	i := 0
	for i < n && a[i] == b[i] {
		i++
	}
	if i == n {
		return len(a) - len(b)
	}
	for i > 0 && !utf8.RuneStart(a[i]) { // both differ within one character: back to its first byte
		i--
	}
	x, _ := utf8.DecodeRuneInString(a[i:])
	y, _ := utf8.DecodeRuneInString(b[i:])
	const surrogates, beyond = 0xD800, 0x10000
	switch {
	case x >= beyond && y < beyond:
		return surrogates - int(y)
	case y >= beyond && x < beyond:
		return int(x) - surrogates
	}
	return int(x - y)
}

// appendQuoted writes a string as JCS does: the short escapes, \u00xx for other control characters, all else as it is.
func appendQuoted[T string | []byte](dst []byte, text T) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	start := 0
	for i := range len(text) {
		c := text[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, text[start:i]...)
		start = i + 1
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\b':
			dst = append(dst, '\\', 'b')
		case '\f':
			dst = append(dst, '\\', 'f')
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	return append(append(dst, text[start:]...), '"')
}

// appendDouble writes a finite double as ECMAScript's Number::toString does (RFC 8785, 3.2.2.3).
func appendDouble(dst []byte, f float64) []byte {
	if f == 0 {
		return append(dst, '0') // negative zero too
	}
	if abs := math.Abs(f); abs >= 1e-6 && abs < 1e21 {
		return strconv.AppendFloat(dst, f, 'f', -1, 64)
	}
	dst = strconv.AppendFloat(dst, f, 'e', -1, 64)
	if n := len(dst); dst[n-4] == 'e' && dst[n-2] == '0' { // e-09 is e-9
		dst = append(dst[:n-2], dst[n-1])
	}
	return dst
}

func appendInt(dst []byte, i int64) []byte { return strconv.AppendInt(dst, i, 10) }
