package manifest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/lethe-cache/lethe/internal/document"
)

// Error says what is wrong with which object, and where; errors.As gives it. Most are refusals, for which
// errors.Is(err, ErrInvalid) holds; others wrap ErrConflict or ErrNotFound. Several problems come joined, each an Error of its
// own: see Problems.
type Error struct {
	Kind      string `json:"kind,omitempty"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name,omitempty"`
	Document  int    `json:"document,omitempty"` // from 1; 0 = it did not come from a text
	Line      int    `json:"line,omitempty"`     // from 1, in the whole text; 0 = not known
	Field     string `json:"field,omitempty"`    // like spec.plugins[2].name
	Reason    string `json:"error"`              // why, and what to do
	Err       error  `json:"-"`                  // the cause, which the text has too; nil = ErrInvalid
}

// Error is one line: "manifest: document 2, line 14: Chatbot acme/helper: spec.plugins[1]: is text, has to be an object".
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("manifest: ")
	if e.Document > 0 {
		b.WriteString("document " + strconv.Itoa(e.Document))
		if e.Line > 0 {
			b.WriteString(", line " + strconv.Itoa(e.Line))
		}
		b.WriteString(": ")
	}
	if e.Kind != "" {
		b.WriteString(e.Kind)
		if e.Name != "" {
			b.WriteString(" ")
			if e.Namespace != "" {
				b.WriteString(e.Namespace + "/")
			}
			b.WriteString(e.Name)
		}
		b.WriteString(": ")
	}
	if e.Field != "" {
		b.WriteString(e.Field + ": ")
	}
	b.WriteString(e.problem())
	return b.String()
}

// problem is the reason, with the cause where it does not say it already.
func (e *Error) problem() string {
	switch cause := e.cause(); {
	case cause == "":
		return e.Reason
	case e.Reason == "":
		return cause
	default:
		return e.Reason + ": " + cause
	}
}

// MarshalJSON writes the fields, with the cause in "error".
func (e *Error) MarshalJSON() ([]byte, error) {
	type plain Error
	p := plain(*e)
	p.Reason = e.problem()
	return json.Marshal(p)
}

// cause is what Err adds to the text; the sentinels add nothing to a reason.
func (e *Error) cause() string {
	if e.Err == nil {
		return ""
	}
	for _, sentinel := range []error{ErrInvalid, ErrConflict, ErrNotFound} {
		if e.Reason != "" && e.Err == sentinel { //nolint:errorlint // nothing that wraps it
			return ""
		}
	}
	text := strings.TrimPrefix(e.Err.Error(), "manifest: ")
	if strings.Contains(e.Reason, text) {
		return ""
	}
	return text
}

// Is makes every Error an ErrInvalid that is nothing else. A database that fails, or does not answer in time, makes no manifest
// invalid.
func (e *Error) Is(target error) bool {
	return target == ErrInvalid && !errors.Is(e.Err, ErrConflict) && !errors.Is(e.Err, ErrNotFound) && !errors.As(e.Err, new(*brokenError)) &&
		!errors.Is(e.Err, context.DeadlineExceeded) && !errors.Is(e.Err, context.Canceled)
}

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.Err }

// Problems lists the Errors that are joined in err, in their order; none when there is no Error in it.
func Problems(err error) []*Error {
	switch e := err.(type) { //nolint:errorlint // it goes through the tree itself
	case nil:
		return nil
	case *Error:
		return []*Error{e}
	case interface{ Unwrap() []error }:
		var all []*Error
		for _, one := range e.Unwrap() {
			all = append(all, Problems(one)...)
		}
		return all
	}
	return Problems(errors.Unwrap(err))
}

// because is an Error with a cause, which its text has too.
func because(field, reason string, err error) *Error {
	if reason != "" {
		reason += ": "
	}
	return &Error{Field: field, Reason: reason + strings.TrimPrefix(err.Error(), "manifest: "), Err: err}
}

// maxProblems of one object are named.
const maxProblems = 10

// problems gathers what is wrong with one object.
type problems struct {
	all  []error
	more int
}

func (p *problems) add(field, format string, args ...any) {
	p.put(&Error{Field: field, Reason: fmt.Sprintf(format, args...)})
}

func (p *problems) put(err error) {
	if err == nil {
		return
	}
	found := Problems(err)
	if found == nil {
		found = []*Error{because("", "", err)}
	}
	for _, e := range found {
		if len(p.all) >= maxProblems {
			p.more++
			continue
		}
		p.all = append(p.all, e)
	}
}

func (p *problems) err() error {
	if p.more > 0 {
		p.all, p.more = append(p.all, &Error{Reason: fmt.Sprintf("and %d more problems", p.more)}), 0
	}
	if len(p.all) == 1 {
		return p.all[0]
	}
	return errors.Join(p.all...)
}

// besides joins the problems of err to those of first, without what is said of the same fields, of what is in them and of what
// they are in: they could not be read, so it follows from that.
func besides(first, err error) error {
	var bad problems
	bad.put(first)
	said := Problems(first)
	found := Problems(err)
	if err != nil && found == nil {
		bad.put(err)
	}
	for _, e := range found {
		if !slices.ContainsFunc(said, func(s *Error) bool { return within(e.Field, s.Field) || within(s.Field, e.Field) }) {
			bad.put(e)
		}
	}
	return bad.err()
}

// within says whether a field is another, or stands in it.
func within(field, other string) bool {
	rest, in := strings.CutPrefix(field, other)
	return in && other != "" && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

// each makes a copy of err with every Error in it changed by f; an err without any becomes one.
func each(err error, f func(*Error)) error {
	if err == nil {
		return nil
	}
	found := Problems(err)
	if found == nil {
		found = []*Error{because("", "", err)}
	}
	all := make([]error, len(found))
	for i, e := range found {
		mine := *e
		f(&mine)
		all[i] = &mine
	}
	if len(all) == 1 {
		return all[0]
	}
	return errors.Join(all...)
}

// of says which object an error is about, where it does not say so already.
func of(o Object, err error) error {
	return each(err, func(e *Error) {
		if e.Kind == "" {
			e.Kind, e.Namespace, e.Name = clip(o.Kind), clip(o.Metadata.Namespace), clip(o.Metadata.Name)
		}
	})
}

// inDocument says where in its text an error is.
func inDocument(d *document.Document, err error) error {
	return each(err, func(e *Error) { e.Document, e.Line = d.Index+1, d.Line(e.Field) })
}

// unread is an error of document.Read as one of this package.
func unread(err error) error {
	var e *document.Error
	if !errors.As(err, &e) {
		return because("", "can't be read", err)
	}
	return &Error{Document: e.Document + 1, Line: e.Line, Field: e.Field, Reason: e.Reason}
}

// clip shortens what somebody else wrote before it is quoted.
func clip(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
