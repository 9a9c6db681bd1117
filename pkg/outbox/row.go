package outbox

import (
	"encoding/json"
	"strings"

	"github.com/lethe-cache/lethe/pkg/event"
)

// row is one event that waits.
type row struct {
	number  int64
	id      string
	ticket  Ticket
	subject string // below the fleet's log prefix
	event   string // a structured CloudEvent
	life    string // of the database, when the row was read
}

// columns are what is read of a row, in one statement with the life of the database that it stands in.
const columns = "number, id, ticket, subject, event, (SELECT life FROM lethe_outbox_home) AS life"

// anyFleet is the longest name a fleet may have: what fits for it fits for every other.
const anyFleet = "a123456789012345678901234567890123456789"

// sourceOf is the source of what is published: the same whichever process relays, so that receivers know a repetition by it.
func sourceOf(fleet string) string {
	if fleet == "" {
		return "/lethe/outbox"
	}
	return "/lethe/" + fleet + "/outbox"
}

// newRow writes e as row i of a ticket, and reads it back: a row that commits can be published. The error wraps
// event.ErrInvalid.
func newRow(e event.Event, ticket Ticket, i int) (row, error) {
	e.ID, e.Source = ticket.id(i), sourceOf(anyFleet)
	m, err := event.Encode(anyFleet, e)
	if err != nil {
		return row{}, err
	}
	full := event.Decode(anyFleet, m.Subject, m.Header, m.Data).Event // Encode has filled what e left empty
	full.Source = sourceOf("")
	text, err := json.Marshal(full.CloudEvent())
	if err != nil {
		return row{}, &event.Error{Field: "event", Problem: "can't be written", Err: err}
	}
	r := row{id: e.ID, ticket: ticket, subject: strings.TrimPrefix(m.Subject, event.LogSubject(anyFleet, "")), event: string(text)}
	if _, widened, err := r.read(anyFleet); err != nil || widened != "" {
		return row{}, &event.Error{Field: "event", Problem: "can't be kept as it is (" + widened + "); send several, or less of it", Err: err}
	}
	return r, nil
}

// read returns the event as it is to be published for fleet. What a row says that this version does not understand is widened
// to what its subject allows, as every reader of events does, and told: an announcement forgets more then, never less. The
// error, of a row whose subject nothing can be said on, wraps event.ErrInvalid.
func (r *row) read(fleet string) (e event.Event, widened string, err error) {
	got := event.Decode(fleet, event.LogSubject(fleet, r.subject), nil, []byte(r.event))
	if got.Rejected != "" && len(got.Targets) == 0 || got.Sys != "" {
		return event.Event{}, "", &event.Error{Field: "subject", Problem: got.Detail + ": nothing can be announced on it"}
	}
	e, widened = got.Event, got.Widened
	if widened != "" && e.Manifest != nil { // which object it is about can't be told
		e.Type, e.Manifest, e.Subject = event.TypeInvalidated, nil, ""
	}
	e.ID, e.Source, e.Token = r.id, sourceOf(fleet), event.Token{}
	if _, err := event.Encode(fleet, e); err != nil {
		return event.Event{}, "", err
	}
	return e, widened, nil
}

// lane is what rows are published one after the other in: the subject, and of manifests the kind, because what became of one
// object is said on several subjects.
func (r *row) lane() string {
	if kind, ok := strings.CutPrefix(r.subject, "manifest."); ok {
		kind, _, _ = strings.Cut(kind, ".")
		return "manifest." + kind
	}
	return r.subject
}
