package manifest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
)

// ErrUnchecked says that the time of a call ended while a manifest was checked by its kind. Nothing was written, and the database is
// not what was waited for: errors.As finds the *Error that names the manifest. It comes with context.DeadlineExceeded.
var ErrUnchecked = errors.New("manifest: not checked in time")

type checkedKey struct{}

// checked is the manifest that a plan is having checked by its kind, for who gives up on the plan; nil while it does something else.
type checked struct{ at atomic.Pointer[Object] }

// checking notes in ctx that a kind checks o, until the function that it returns is called.
func checking(ctx context.Context, o Object) func() {
	c, ok := ctx.Value(checkedKey{}).(*checked)
	if !ok {
		return func() {}
	}
	c.at.Store(&Object{Kind: o.Kind, Metadata: Metadata{Namespace: o.Metadata.Namespace, Name: o.Metadata.Name}})
	return func() { c.at.Store(nil) }
}

// left is why work is left alone at the end of ctx.
func (c *checked) left(ctx context.Context) error {
	cause := context.Cause(ctx)
	o := c.at.Load()
	if o == nil || !errors.Is(cause, context.DeadlineExceeded) {
		return cause
	}
	return of(*o, &Error{
		Field: "spec",
		Reason: fmt.Sprintf("the schema of Kind %s asks for too much work on this document, or a function of the kind does not return; "+
			"nothing was written: shorten the document's lists and texts, or the schema's enum, anyOf, oneOf and pattern", o.Kind),
		Err: fmt.Errorf("%w: %w", ErrUnchecked, cause),
	})
}
