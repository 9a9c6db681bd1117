package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"

	"github.com/lethe-cache/lethe/cmd/internal/ctl"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

// problem is the body of every HTTP error.
type problem struct {
	Status int    `json:"-"`
	Text   string `json:"error"`
	Field  string `json:"field,omitempty"`

	Line     int           `json:"line,omitempty"`     // of a text of manifests, from 1
	Document int           `json:"document,omitempty"` // of the same, from 1
	Problems []ctl.Problem `json:"problems,omitempty"` // all, where there are several

	Cache  lethe.Outcome `json:"cache,omitempty"`  // of a remembered "no such file"
	AgeMs  int64         `json:"ageMs,omitempty"`  // of the same
	Cursor uint64        `json:"cursor,omitempty"` // of a node that had not applied a token in time
	Token  *event.Token  `json:"token,omitempty"`  // of what was published before an error
}

func (p *problem) Error() string { return p.Text }

func bad(status int, field, format string, args ...any) *problem {
	return &problem{Status: status, Field: field, Text: fmt.Sprintf(format, args...)}
}

// problemOf is what to answer for err.
func problemOf(err error) *problem {
	var (
		own     *problem
		refused *ctl.Refusal
		invalid *event.Error
		tooLong *http.MaxBytesError
		unread  *bodyError
	)
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &refused):
		return &problem{
			Status: refused.Code, Text: refused.Text, Field: refused.Field, Line: refused.Line, Document: refused.Document, Problems: refused.Problems,
		}
	case errors.As(err, &tooLong):
		return bad(http.StatusRequestEntityTooLarge, "", "the body is larger than %d bytes", tooLong.Limit)
	case errors.As(err, &unread) && errors.Is(unread.err, os.ErrDeadlineExceeded):
		return bad(http.StatusRequestTimeout, "", "the body did not come in time")
	case errors.As(err, &unread):
		return bad(http.StatusBadRequest, "", "the body can't be read: %v", unread.err)
	case errors.Is(err, lethe.ErrUnknown):
		return bad(http.StatusGatewayTimeout, "", "%v", err)
	case errors.As(err, &invalid):
		return bad(http.StatusUnprocessableEntity, invalid.Field, "%v", err)
	case errors.Is(err, event.ErrInvalid):
		return bad(http.StatusUnprocessableEntity, "", "%v", err)
	case errors.Is(err, context.DeadlineExceeded):
		return bad(http.StatusGatewayTimeout, "", "%v", err)
	}
	// What is left is a node that is not ready, a bus that is away, a file system that fails.
	return bad(http.StatusServiceUnavailable, "", "%v", err)
}

func writeError(w http.ResponseWriter, err error) {
	p := problemOf(err)
	writeJSON(w, p.Status, p)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		status, data = http.StatusInternalServerError, []byte(`{"error":"the answer could not be encoded"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(data, '\n'))
}
