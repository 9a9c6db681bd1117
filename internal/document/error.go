package document

import (
	"fmt"
	"strconv"
	"strings"
)

// Error says where something is wrong.
type Error struct {
	Document int    `json:"document"` // from 0
	Line     int    `json:"line"`     // from 1, in the whole text; 0 = not known
	Field    string `json:"field"`    // like spec.plugins[2].name
	Reason   string `json:"error"`
	Err      error  `json:"-"` // ErrEmpty, or nil
}

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.Err }

// Error is one line, like "document 2, line 14: spec.plugins[1]: is given twice"; documents are counted from 1 for people.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("document " + strconv.Itoa(e.Document+1))
	if e.Line > 0 {
		b.WriteString(", line " + strconv.Itoa(e.Line))
	}
	b.WriteString(": ")
	if e.Field != "" {
		b.WriteString(e.Field + ": ")
	}
	b.WriteString(e.Reason)
	return b.String()
}

// clip shortens what somebody else wrote before it is quoted.
func clip(s string) string {
	const most = 60
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

func quoted(s string) string { return fmt.Sprintf("%q", clip(s)) }
