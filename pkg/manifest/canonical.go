package manifest

import (
	"encoding/json"
	"errors"

	"github.com/lethe-cache/lethe/pkg/event"
)

// canonical is JSON in the one form that stands for all that mean the same (see event.CanonicalKey): members in order,
// numbers in their shortest spelling, integers with all their digits. A member that is given twice is refused.
func canonical(field string, data json.RawMessage) (json.RawMessage, error) {
	text, err := event.AppendCanonical(nil, data)
	if err != nil {
		if cause := errors.Unwrap(err); cause != nil {
			err = cause
		}
		return nil, &Error{Field: field, Reason: "is no JSON that can be kept: " + err.Error()}
	}
	return text, nil
}
