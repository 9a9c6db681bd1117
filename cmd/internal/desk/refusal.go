package desk

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/lethe-cache/lethe/cmd/internal/ctl"
	"github.com/lethe-cache/lethe/internal/document"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/manifest"
	"github.com/lethe-cache/lethe/pkg/outbox"
)

func isNotFound(err error) bool { return errors.Is(err, manifest.ErrNotFound) }

// refused is err as a *ctl.Refusal; nil stays nil.
func refused(err error) error {
	if err == nil {
		return nil
	}
	return refusalOf(err)
}

// noKind is the error of whoever asks for a kind that is not there.
func noKind(name string) error {
	return ctl.Refuse(http.StatusNotFound, "kind", "no kind is called %q here: 'lethe-publisher kinds' lists those there are", name)
}

func noObject(kind, namespace, name string) error {
	return ctl.Refuse(http.StatusNotFound, "name", "no %s is called %s/%s", kind, namespace, name)
}

// refusalOf is what a caller is told of an error of the manifests.
func refusalOf(err error) *ctl.Refusal {
	var own *ctl.Refusal
	if errors.As(err, &own) {
		return own
	}
	all := problemsIn(err)
	r := &ctl.Refusal{Code: codeOf(err), Problem: all[0], Retry: errors.Is(err, outbox.ErrOtherBus)}
	if errors.Is(err, manifest.ErrUnchecked) {
		r.Err = manifest.ErrUnchecked
	}
	if len(all) > 1 {
		r.Problems = all
		r.Text = fmt.Sprintf("%s (and %d more)", r.Text, len(all)-1)
	}
	return r
}

func codeOf(err error) int {
	switch {
	case errors.Is(err, outbox.ErrOtherBus):
		return http.StatusServiceUnavailable
	case errors.Is(err, manifest.ErrNotFound):
		return http.StatusNotFound
	case errors.Is(err, manifest.ErrConflict):
		return http.StatusConflict
	case errors.Is(err, manifest.ErrInvalid), errors.Is(err, event.ErrInvalid):
		return http.StatusUnprocessableEntity
	case errors.Is(err, manifest.ErrUnknown), errors.Is(err, context.DeadlineExceeded):
		return http.StatusGatewayTimeout
	}
	return http.StatusServiceUnavailable // a database that is away
}

// problemsIn is every problem that err is made of, in order; one at least. Where it stands is not in its text.
func problemsIn(err error) (all []ctl.Problem) {
	for _, e := range manifest.Problems(err) {
		p := ctl.Problem{Field: e.Field, Line: e.Line, Document: e.Document}
		plain := *e
		plain.Document, plain.Line = 0, 0
		p.Text = strings.TrimPrefix(plain.Error(), "manifest: ")
		all = append(all, p)
	}
	if len(all) > 0 {
		return all
	}
	p := ctl.Problem{Text: strings.TrimPrefix(err.Error(), "manifest: ")}
	var field *event.Error
	if errors.As(err, &field) {
		p.Field = field.Field
	}
	return []ctl.Problem{p}
}

// unreadable is err, as a 400 where text is no YAML or JSON at all; what is read and not allowed is a 422.
func unreadable(text []byte, err error) error {
	if !errors.Is(err, manifest.ErrInvalid) {
		return refused(err)
	}
	if _, unread := document.Read(text); unread == nil {
		return refused(err)
	}
	r := refusalOf(err)
	r.Code = http.StatusBadRequest
	if len(text) > document.MaxBytes {
		r.Code = http.StatusRequestEntityTooLarge
	}
	return r
}
