package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/lethe-cache/lethe/internal/document"
	"github.com/lethe-cache/lethe/pkg/event"
)

// canonical is JSON in the one form that stands for all that mean the same (see event.CanonicalKey): members in order,
// numbers in their shortest spelling, integers with all their digits. A member that is given twice is refused, and so is a
// number that would come back as another.
func canonical(field string, data json.RawMessage) (json.RawMessage, error) {
	if longNumber(data) {
		if at, reason := roundedNumber(field, data); reason != "" {
			return nil, &Error{Field: at, Reason: reason}
		}
	}
	text, err := event.AppendCanonical(nil, data)
	if err != nil {
		if cause := errors.Unwrap(err); cause != nil {
			err = cause
		}
		return nil, &Error{Field: field, Reason: "is no JSON that can be kept: " + err.Error()}
	}
	return text, nil
}

// canonicalField is canonical of a spec or a status: the error names the field of a number that can't be kept.
func canonicalField(field string, data json.RawMessage) (json.RawMessage, error) {
	text, err := canonical(field, data)
	if err != nil {
		if at, reason := roundedNumber(field, data); reason != "" {
			return nil, &Error{Field: at, Reason: reason}
		}
	}
	return text, err
}

// mostDigits bounds the text of a number: what compares numbers takes time by the square of their digits.
const mostDigits = 1000

// longNumber says whether there may be a number of more. What stands in strings is none.
func longNumber(data []byte) bool {
	digits := 0
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case c == '"':
			for i++; i < len(data) && data[i] != '"'; i++ {
				if data[i] == '\\' {
					i++
				}
			}
			digits = 0
		case c >= '0' && c <= '9' || c == '.' || c == '-' || c == '+' || c == 'e' || c == 'E':
			digits++
			if digits > mostDigits {
				return true
			}
		default:
			digits = 0
		}
	}
	return false
}

// roundedNumber finds the first number that can't be kept, and says why. It gives up, with no reason, on what is no JSON.
func roundedNumber(field string, data json.RawMessage) (at, reason string) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	return roundedValue(d, field, 0)
}

// maxSearched bounds the nesting in which a number is looked for; what is deeper is refused for its depth.
const maxSearched = 128

func roundedValue(d *json.Decoder, field string, depth int) (at, reason string) {
	tok, err := d.Token()
	if err != nil || depth > maxSearched {
		return "", ""
	}
	switch tok := tok.(type) {
	case json.Number:
		if len(tok) > mostDigits {
			return field, fmt.Sprintf("has %d digits, at most %d are allowed in a number; put it in quotes where the kind has text", len(tok), mostDigits)
		}
		if err := event.CheckNumber(tok.String()); err != nil {
			return field, strings.TrimPrefix(err.Error(), "event: ")
		}
	case json.Delim:
		for i := 0; d.More(); i++ {
			below := document.Item(field, i)
			if tok == '{' {
				name, err := d.Token()
				text, ok := name.(string)
				if err != nil || !ok {
					return "", ""
				}
				below = document.Member(field, text)
			}
			if at, reason := roundedValue(d, below, depth+1); reason != "" {
				return at, reason
			}
		}
		_, _ = d.Token() // the closing one
	default: // no number
	}
	return "", ""
}
