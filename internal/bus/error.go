package bus

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/nats-io/nats.go/jetstream"
)

// Sentinels. Their texts are those of the public package, which exports the same values.
var (
	ErrClosed       = errors.New("lethe: closed")
	ErrNotReady     = errors.New("lethe: not ready")
	ErrNotPublished = errors.New("lethe: not published")
	ErrUnknown      = errors.New("lethe: it may be published or not")
	ErrStorm        = errors.New("lethe: more events a second than Config.MaxEvents allows; invalidate many keys in one call, a tag or the function, or raise it")
)

// Refusal is the server's no to a publish: trying again at once does not help.
type Refusal struct { //nolint:errname // it is one before it is an error: the server's no
	Code        int // the server's error code, 0 for a missing permission
	Description string
}

func (r *Refusal) Error() string { return "the server refuses: " + r.Description }

// Error codes of the server, which the client does not name, for a publish.
const (
	errMessageTooLarge   jetstream.ErrorCode = 10054
	errHeaderTooLarge    jetstream.ErrorCode = 10097
	errDuplicateUnderway jetstream.ErrorCode = 10158
	errTooManyRequests   jetstream.ErrorCode = 10167
)

// Permanent says that this very message can never be stored, so that an outbox parks a row that meets it. Anything else that a
// server refuses (a permission, a sealed stream, the limits of an account) is a mistake of provisioning: what waits is right, and
// is published when somebody has mended it.
func (r *Refusal) Permanent() bool {
	code := jetstream.ErrorCode(r.Code)
	return code == errMessageTooLarge || code == errHeaderTooLarge
}

// TooLarge says that an event with one target is larger than the server takes; one with several is sent in parts. It is for good
// as long as the server's limit stays: an outbox parks the row and tries it again now and then.
type TooLarge struct { //nolint:errname // the public name says what it is
	Subject     string
	Size, Limit int // bytes of headers and data, and the server's max_payload
}

func (e *TooLarge) Error() string {
	return fmt.Sprintf("an event on %s takes %d bytes, the server's max_payload is %d; raise max_payload to 65536 or more, "+
		"invalidate the whole function or a tag, or use Target.Hashed", e.Subject, e.Size, e.Limit)
}

// Permanent says that this very message can't be stored.
func (e *TooLarge) Permanent() bool { return true }

// area of what a bus needs; each has its last error until it works again.
type area int

const (
	areaConn area = iota
	areaInbox
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

// uncertain is an error of a publish that may be stored all the same: an ErrUnknown, with the text of err.
type uncertain struct{ err error }

func (u *uncertain) Error() string   { return u.err.Error() }
func (u *uncertain) Unwrap() []error { return []error{u.err, ErrUnknown} }

func notReady(why error) error { return fmt.Errorf("%w: %w", ErrNotReady, why) }

func notPublished(why error) error { return fmt.Errorf("%w: %w", ErrNotPublished, why) }
