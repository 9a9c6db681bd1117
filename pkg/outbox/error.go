package outbox

import (
	"errors"
	"fmt"
	"time"

	"github.com/lethe-cache/lethe/pkg/event"
)

// Sentinels.
var (
	// ErrOtherBus says that the database's changes are announced on another bus than this process is on.
	ErrOtherBus = errors.New("outbox: the database is announced on another bus")

	// ErrParked says that the server refuses a row for good. It is tried again every five minutes.
	ErrParked = errors.New("outbox: the announcement is refused")

	// ErrClosed says that the relay has been closed.
	ErrClosed = errors.New("outbox: the relay is closed")
)

// place is a bus: a fleet, and the identity of its stream.
type place struct{ fleet, epoch string }

func (p place) String() string {
	if p.epoch == "" {
		return "no bus"
	}
	return fmt.Sprintf("fleet %s, stream epoch %s", p.fleet, p.epoch)
}

func errOtherBus(recorded, mine place, other string, at place, lapse time.Duration) error {
	return fmt.Errorf("%w: recorded is %s, this process is on %s, and relay %s is alive on %s; "+
		"point all processes at one bus, or end that one: this one takes over when none elsewhere has been heard of for %v",
		ErrOtherBus, recorded, mine, other, at, lapse)
}

// permanent says that publishing the same again will be refused again.
func permanent(err error) bool {
	var p interface{ Permanent() bool }
	return errors.Is(err, event.ErrInvalid) || errors.As(err, &p) && p.Permanent()
}
