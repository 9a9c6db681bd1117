package manifest

import (
	"context"
	"errors"
	"fmt"
	"testing"
)

func TestADatabaseThatFailsMakesNoManifestInvalid(t *testing.T) {
	t.Parallel()
	o := Object{Kind: "Chatbot"}
	for _, err := range []error{
		broken(errors.New("connection refused")),
		context.DeadlineExceeded,
		fmt.Errorf("manifest: %w", context.Canceled),
		errors.Join(ErrConflict, broken(errors.New("busy"))),
	} {
		if got := of(o, err); errors.Is(got, ErrInvalid) {
			t.Errorf("%v is ErrInvalid", got)
		}
	}
	for _, err := range []error{&Error{Reason: "want a number"}, errors.New("a function of a kind says no")} {
		if got := of(o, err); !errors.Is(got, ErrInvalid) {
			t.Errorf("%v is not ErrInvalid", got)
		}
	}
}
