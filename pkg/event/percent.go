package event

import (
	"strings"
	"unicode/utf8"
)

// escapeHeader writes an attribute's value for a NATS header, as the CloudEvents binding says: space, '"', '%' and all
// outside U+0021 to U+007E as percent and two hex digits of each byte.
func escapeHeader(s string) string {
	const hex = "0123456789ABCDEF"
	n := 0
	for i := range len(s) {
		if escapes(s[i]) {
			n++
		}
	}
	if n == 0 {
		return s
	}
	dst := make([]byte, 0, len(s)+2*n)
	for i := range len(s) {
		if c := s[i]; escapes(c) {
			dst = append(dst, '%', hex[c>>4], hex[c&15])
		} else {
			dst = append(dst, c)
		}
	}
	return string(dst)
}

func escapes(c byte) bool { return c <= ' ' || c >= 0x7f || c == '"' || c == '%' }

// unescapeHeader reads a value leniently: quoted ones, needless escapes, hex digits of any case, a '%' that begins no
// escape, and values of writers that never escape. The outcome is UTF-8.
func unescapeHeader(s string) string {
	if strings.IndexByte(s, '%') < 0 && (s == "" || s[0] != '"') && utf8.ValidString(s) { // as most are
		return s
	}
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		s = unquoteHeader(s[1 : len(s)-1])
	}
	if strings.IndexByte(s, '%') >= 0 {
		dst := make([]byte, 0, len(s))
		for i := 0; i < len(s); i++ {
			if s[i] == '%' && i+2 < len(s) {
				high, ok1 := hexDigit(s[i+1])
				low, ok2 := hexDigit(s[i+2])
				if ok1 && ok2 {
					dst = append(dst, high<<4|low)
					i += 2
					continue
				}
			}
			dst = append(dst, s[i])
		}
		if utf8.Valid(dst) {
			return string(dst)
		}
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

func unquoteHeader(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	dst := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		dst = append(dst, s[i])
	}
	return string(dst)
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case digit(c):
		return c - '0', true
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10, true
	}
	return 0, false
}
