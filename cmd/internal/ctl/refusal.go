package ctl

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
)

// Refusal is why a node did not do what it was asked, in JSON over NATS and HTTP alike.
type Refusal struct { //nolint:errname // it is an answer first
	Problem
	// Code is as HTTP has it. 400: not readable; 403: of another kind than the subject; 404: no such object or kind; 409: somebody was faster; 413: too large; 422:
	// not allowed; 503: no database, another bus, or too busy: nothing was done; 504: not in time, the outcome is not known.
	Code int `json:"-"`
	// Problems are all of them, where there are several; the first one is the refusal's own.
	Problems []Problem `json:"problems,omitempty"`
	// Retry says that nothing was done, and that another node, or this one a moment later, may well do it.
	Retry bool `json:"retry,omitempty"`
	// Node has refused; over HTTP it is the one that was called.
	Node string `json:"-"`
	// Err is the cause, where it matters to the node that refuses; it is not sent.
	Err error `json:"-"`
}

// Unwrap is the cause.
func (r *Refusal) Unwrap() error { return r.Err }

// Problem is one thing that is wrong, and where.
type Problem struct {
	Text     string `json:"error"`
	Field    string `json:"field,omitempty"`    // like spec.plugins[2].name
	Line     int    `json:"line,omitempty"`     // of the whole text, from 1; 0: not known
	Document int    `json:"document,omitempty"` // which of the text, from 1; 0: not known
}

func (r *Refusal) Error() string { return r.Text }

// Refuse makes one.
func Refuse(code int, field, format string, args ...any) *Refusal {
	return &Refusal{Problem: Problem{Text: fmt.Sprintf(format, args...), Field: field}, Code: code}
}

// later is a refusal of a node that could do it at another time.
func later(format string, args ...any) *Refusal {
	r := Refuse(http.StatusServiceUnavailable, "", format, args...)
	r.Retry = true
	return r
}

// maxDescription is how much of a refusal stands in the header of an answer; all of it stands in the body.
const maxDescription = 512

// headline is the beginning of text as a header can carry it.
func headline(text string) string {
	text = strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f {
			return ' '
		}
		return c
	}, text)
	if len(text) > maxDescription {
		text = strings.ToValidUTF8(text[:maxDescription], "") + "…"
	}
	if strings.TrimSpace(text) == "" {
		return "refused"
	}
	return text
}

// refusalIn is the refusal an answer is, nil when it is none.
func refusalIn(msg *nats.Msg) *Refusal {
	text, code := msg.Header.Get(micro.ErrorHeader), msg.Header.Get(micro.ErrorCodeHeader)
	if text == "" && code == "" {
		return nil
	}
	r := &Refusal{}
	if json.Unmarshal(msg.Data, r) != nil || r.Text == "" {
		r = Refuse(0, "", "%s", headline(text))
	}
	r.Node = msg.Header.Get(nodeHeader)
	if r.Code, _ = strconv.Atoi(code); r.Code < http.StatusBadRequest || r.Code > 599 {
		r.Code = http.StatusInternalServerError
	}
	return r
}
