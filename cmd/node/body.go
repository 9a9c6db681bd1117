package main

import (
	"io"
	"net/http"
)

// bodyError is why the body of a request could not be read. It tells a client that is too slow from a bus or a database that is:
// all of them say os.ErrDeadlineExceeded.
type bodyError struct{ err error }

func (e *bodyError) Error() string { return "the body can't be read: " + e.err.Error() }

// Unwrap returns the error inside.
func (e *bodyError) Unwrap() error { return e.err }

// readBody is the whole body of r.
func readBody(r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, &bodyError{err}
	}
	return body, nil
}
