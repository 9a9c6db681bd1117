package lethe

import (
	"errors"

	"github.com/lethe-cache/lethe/internal/bus"
)

// Errors a caller branches on, by errors.Is.
var (
	ErrClosed       = bus.ErrClosed       // the node was closed
	ErrNotReady     = bus.ErrNotReady     // not caught up, or without a lease; wraps why
	ErrNotPublished = bus.ErrNotPublished // forgotten here, elsewhere perhaps not
	ErrUnknown      = bus.ErrUnknown      // published perhaps: no answer came in time; wrapped by ErrNotPublished
	ErrStorm        = bus.ErrStorm        // over Config.MaxEvents: not published; wrapped by ErrNotPublished
	ErrPending      = errors.New("lethe: some nodes have not applied it")
	ErrCycle        = errors.New("lethe: a load waits for its own key")
)

// Error gives the operation and the name (of a function, a receiver, a field) an error belongs to; errors.As.
type Error struct {
	Op, Name string
	Err      error
}

func (e *Error) Error() string { return "lethe: " + e.Op + " " + e.Name + ": " + e.Err.Error() }

// Unwrap returns the error inside.
func (e *Error) Unwrap() error { return e.Err }
