package event

import (
	"strings"
	"unicode/utf8"
)

// usual reads a target in the one form that nearly all have: a key of the subject's function, written as Encode writes it, its
// arguments strings without escapes and whole numbers. They are canonical as they stand, so the key is a part of the data. Of
// any other form it reads nothing and says so; then target is who decides.
func (s *scanner) usual() (t Target, ok bool) {
	const before, between, soft = `{"function":"`, `","args":`, `,"soft":true`
	if s.function == "" {
		return t, false
	}
	s.peek()
	rest := s.rest(s.pos)
	if !strings.HasPrefix(rest, before) {
		return t, false
	}
	rest = rest[len(before):]
	if !strings.HasPrefix(rest, s.function) || !strings.HasPrefix(rest[len(s.function):], between) {
		return t, false
	}
	rest = rest[len(s.function)+len(between):]
	n := plainArgs(rest)
	if n == 0 || n > MaxKey {
		return t, false
	}
	t = Target{class: classKey, name: s.function, key: rest[:n]}
	rest = rest[n:]
	if strings.HasPrefix(rest, soft) {
		t.soft, rest = true, rest[len(soft):]
	}
	if rest == "" || rest[0] != '}' {
		return t, false
	}
	s.pos = len(s.data) - len(rest) + 1
	return t, true
}

// plainArgs is the length of the array of plain arguments that text begins with; 0 when it begins with anything else.
func plainArgs(text string) int {
	if !strings.HasPrefix(text, "[") {
		return 0
	}
	if strings.HasPrefix(text, "[]") {
		return 2
	}
	for i := 1; i < len(text); {
		n := plainArg(text[i:])
		if n == 0 || i+n == len(text) {
			return 0
		}
		i += n + 1
		switch text[i-1] {
		case ']':
			return i
		case ',':
		default:
			return 0
		}
	}
	return 0
}

// plainArg is the length of the string without escapes, or of the whole number but -0, that text begins with; else 0.
func plainArg(text string) int {
	if text[0] == '"' {
		return plainString(text)
	}
	i := 0
	if text[0] == '-' {
		i++
	}
	first := i
	for i < len(text) && digit(text[i]) {
		i++
	}
	switch {
	case i == first, text[first] == '0' && i > 1: // none; 01 is no JSON, and -0 is 0
		return 0
	case i < len(text) && (text[i] == '.' || text[i]|0x20 == 'e'):
		return 0
	}
	return i
}

func plainString(text string) int {
	high := false
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			if high && !utf8.ValidString(text[1:i]) {
				return 0
			}
			return i + 1
		case c < 0x20 || c == '\\':
			return 0
		default:
			high = high || c >= utf8.RuneSelf
		}
	}
	return 0
}
