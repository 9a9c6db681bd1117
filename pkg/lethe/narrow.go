package lethe

import (
	"math"
	"strconv"
	"strings"

	"github.com/lethe-cache/lethe/pkg/event"
)

// The key of a float32 is its shortest text, 0.1. Other languages, and functions that take a double, say the double that it is:
// 0.10000000149011612. Both are legal keys, so where a float32 stands, a number of an event is brought into the first form.

// float32Text is how a key writes the float32 that a number is. exact is false where the number is none and only near to one: which
// one the publisher's readers would ask for can't be told.
func float32Text(number string) (text string, exact bool) {
	wide, err := strconv.ParseFloat(number, 64)
	narrow := float64(float32(wide))
	if err != nil || math.IsInf(narrow, 0) {
		return "", false
	}
	var room [64]byte
	short, err := strconv.ParseFloat(string(strconv.AppendFloat(room[:0], narrow, 'e', -1, 32)), 64)
	if err != nil {
		return "", false
	}
	b, err := event.AppendCanonical(room[:0], short)
	if err != nil { // NaN
		return "", false
	}
	if string(b) == number {
		return number, true
	}
	return string(b), narrow == wide
}

// isFloat32 says whether a number is written as the key of a float32 is.
func isFloat32(number string) bool {
	text, _ := float32Text(number)
	return text == number && number != ""
}

// float32sOnly says whether all numbers in a canonical text, and all strings that are numbers, are written as float32 are.
func float32sOnly(text string) bool {
	for text != "" {
		n := 1
		switch c := text[0]; {
		case c == '"':
			n = stringEnd(text)
			s := strings.Trim(text[:n], `"`)
			if _, err := strconv.ParseFloat(s, 64); err == nil && !isFloat32(s) && !strings.HasPrefix(text[n:], ":") {
				return false
			}
		case c == '-' || '0' <= c && c <= '9':
			n = scalarEnd(text)
			if !isFloat32(text[:n]) {
				return false
			}
		}
		text = text[n:]
	}
	return true
}
