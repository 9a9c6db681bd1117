package loglimit

import (
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of a field, in bytes and in elements.
const (
	fieldMost = 256
	errorMost = 1 << 10
	stackMost = 16 << 10
	listMost  = 16
)

// clipped is a with no more in it than a line should have.
func clipped(a slog.Attr) slog.Attr {
	v := a.Value.Resolve()
	switch v.Kind() { //nolint:exhaustive // the others are numbers and times
	case slog.KindString:
		if a.Key == "stack" {
			return slog.String(a.Key, stack(v.String()))
		}
		v = slog.StringValue(text(v.String(), fieldMost))
	case slog.KindGroup:
		group := v.Group()
		cut := make([]slog.Attr, 0, min(len(group), listMost))
		for _, inner := range group[:min(len(group), listMost)] {
			cut = append(cut, clipped(inner))
		}
		v = slog.GroupValue(cut...)
	case slog.KindAny:
		v = anything(v.Any())
	}
	return slog.Attr{Key: text(a.Key, fieldMost), Value: v}
}

// anything is a value of a type that is not slog's.
func anything(x any) slog.Value {
	switch x := x.(type) {
	case nil:
		return slog.AnyValue(nil)
	case error:
		return slog.StringValue(text(word(x), errorMost))
	case []string:
		cut := make([]string, 0, min(len(x), listMost)+1)
		for _, s := range x[:min(len(x), listMost)] {
			cut = append(cut, text(s, fieldMost))
		}
		if left := len(x) - listMost; left > 0 {
			cut = append(cut, "and "+strconv.Itoa(left)+" more")
		}
		return slog.AnyValue(cut)
	default:
		return slog.StringValue(text(word(x), fieldMost))
	}
}

// word is what fmt writes of x, which survives a method that panics.
func word(x any) string { return fmt.Sprint(x) }

// text is at most about so many bytes of s, without control characters, and says how much is missing.
func text(s string, most int) string {
	whole := len(s)
	if whole > most {
		for most > 0 && !utf8.RuneStart(s[most]) {
			most--
		}
		s = s[:most]
	}
	s = clean(s)
	if whole > most {
		s += "… (" + strconv.Itoa(whole) + " bytes)"
	}
	return s
}

// clean replaces what could forge a line or reorder it on a screen. What needs no mending is returned as it is.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r), r == '\u2028', r == '\u2029':
			return utf8.RuneError
		}
		return r
	}, s)
}

// stack keeps its lines.
func stack(s string) string {
	lines := strings.Split(s[:min(len(s), stackMost)], "\n")
	for i, line := range lines {
		lines[i] = clean(line)
	}
	return strings.Join(lines, "\n")
}
