package lethe

import (
	"errors"
	"fmt"
)

// What the callers of a node get while it is not ready. Ready, Status and the log say the same.
const (
	meanwhileStarting = "until the node is ready, reads call their loaders and nothing is kept in memory"
	meanwhileExpired  = "until the node has its lease back, reads call their loaders, or serve what is in memory for as long as the ServeStale of their function allows"
	meanwhilePolling  = "until then the node polls the stream, and events reach it late"
)

// unready is a reason with what it means.
type unready struct {
	err       error
	meanwhile string
}

func (u *unready) Error() string { return u.err.Error() + "; " + u.meanwhile }
func (u *unready) Unwrap() error { return u.err }

// unready adds to the reason why the node is not ready what keeps it from connecting, and what its callers get. Errors of another
// kind, and nil, stay as they are.
func (n *Node) unready(err error, state State) error {
	if err == nil || state == Current || state == Closed {
		return err
	}
	err = n.undialled(err)
	if n.cfg.PublishOnly {
		return err // it serves nothing
	}
	u := &unready{err, meanwhileStarting}
	switch {
	case n.now() < n.lease.Load():
		u.meanwhile = meanwhilePolling
	case state == Expired:
		u.meanwhile = meanwhileExpired
	}
	return u
}

// undialled adds why the last attempt to connect failed, which the connection itself forgets.
func (n *Node) undialled(err error) error {
	if last := n.dialled.Load(); last != nil && !n.owned.IsConnected() {
		return fmt.Errorf("%w: %w", err, *last)
	}
	return err
}

// notReady is err, or what Ready says of it.
func (n *Node) notReady(err error) error {
	if !errors.Is(err, ErrNotReady) {
		return err
	}
	return n.unready(err, n.state(n.bus.Status().State))
}
