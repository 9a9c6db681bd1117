package bus

import (
	"errors"
	"fmt"
	"strings"
	"sync"
)

// Sentinels. Their texts are those of the public package, which exports the same values.
var (
	ErrClosed       = errors.New("lethe: closed")
	ErrNotReady     = errors.New("lethe: not ready")
	ErrNotPublished = errors.New("lethe: not published")
	ErrStorm        = errors.New("lethe: more events a second than Config.MaxEvents allows; invalidate many keys in one call, a tag or the function, or raise it")
)

// Refusal is the server's no to a publish: trying again as it is does not help.
type Refusal struct { //nolint:errname // it is one before it is an error: the server's no
	Code        int // the server's error code, 0 for a missing permission
	Description string
}

func (r *Refusal) Error() string { return "the server refuses: " + r.Description }

// Permanent says that the same message would be refused again: an outbox passes by a row that meets it.
func (r *Refusal) Permanent() bool { return true }

// area of what a bus needs; each has its last error until it works again.
type area int

const (
	areaConn area = iota
	areaFeed
	areaStream
	areaTick
	areaFetch
	areaPresence
	areas
)

// reasons keeps why the bus is not ready.
type reasons struct {
	mu sync.Mutex // guards of
	of [areas]error
}

func (r *reasons) set(a area, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.of[a] = err
}

func (r *reasons) get(a area) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.of[a]
}

// all is what is wrong, nil when nothing is known to be.
func (r *reasons) all() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var texts []string
	var errs []error
	for _, err := range r.of {
		if err != nil {
			texts, errs = append(texts, err.Error()), append(errs, err)
		}
	}
	if errs == nil {
		return nil
	}
	return &joined{strings.Join(texts, "; "), errs}
}

// joined is errors.Join on one line, for a log line or a status page.
type joined struct {
	text string
	errs []error
}

func (j *joined) Error() string   { return j.text }
func (j *joined) Unwrap() []error { return j.errs }

func notReady(why error) error { return fmt.Errorf("%w: %w", ErrNotReady, why) }

func notPublished(why error) error { return fmt.Errorf("%w: %w", ErrNotPublished, why) }
