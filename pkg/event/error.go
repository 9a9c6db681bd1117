package event

import (
	"errors"
	"fmt"
	"strconv"
)

// ErrInvalid is wrapped by every refusal of a name, tag, key, token or event; the error names the field.
var ErrInvalid = errors.New("event: invalid")

// Error is what every refusal of this package is: errors.Is(err, ErrInvalid) holds for it, and errors.As gives the
// field, which an HTTP handler or a command line shows beside what was typed.
type Error struct {
	Field   string // what is wrong: "fleet", "function", "targets[2].args"
	Problem string // why, and what to do instead
	Err     error  // the cause, e.g. what a MarshalText returned; nil when there is none
}

// Error is one line, "event: field: problem".
func (e *Error) Error() string {
	s := "event: "
	if e.Field != "" {
		s += e.Field + ": "
	}
	s += e.Problem
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Is makes every Error an ErrInvalid.
func (e *Error) Is(target error) bool { return target == ErrInvalid }

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.Err }

func invalid(field, format string, args ...any) *Error {
	return &Error{Field: field, Problem: fmt.Sprintf(format, args...)}
}

// within puts the field of err below a longer path: "args" in "targets[2]" is "targets[2].args".
func within(path string, err error) error {
	var e *Error
	if !errors.As(err, &e) {
		return &Error{Field: path, Problem: "is not valid", Err: err}
	}
	below := *e
	below.Field = path
	switch {
	case e.Field == "":
	case e.Field[0] == '[':
		below.Field += e.Field
	default:
		below.Field += "." + e.Field
	}
	return &below
}

// clip shortens what somebody else wrote before it is quoted in an error or a log line.
func clip(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}

func index(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }
