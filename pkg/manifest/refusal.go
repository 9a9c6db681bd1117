package manifest

import "errors"

// refusal says whether err is about what was asked for, and not about the database.
func refusal(err error) bool {
	return errors.Is(err, ErrInvalid) || errors.Is(err, ErrConflict) || errors.Is(err, ErrNotFound)
}
