package outbox

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/lethe-cache/lethe/pkg/event"
)

const (
	ticketMark = "ticket1"

	// rowsMost bounds the rows of one call, each an event of up to 64 KiB: 1,024.
	rowsMost = 1 << 10
)

// Ticket stands for the rows of one Append until they are published, and lately after. Its text is opaque to users and safe in
// a URL and an HTTP header. The empty Ticket stands for no rows.
type Ticket string

func newTicket(rows int) Ticket {
	return Ticket(ticketMark + "." + event.NewID() + "." + strconv.Itoa(rows))
}

// rows is how many rows t stands for. The error wraps event.ErrInvalid.
func (t Ticket) rows() (int, error) {
	if t == "" {
		return 0, nil
	}
	mark, rest, _ := strings.Cut(string(t), ".")
	id, digits, found := strings.Cut(rest, ".")
	n, err := strconv.Atoi(digits)
	u, bad := uuid.Parse(id)
	// One text a ticket: no signs, leading zeros, upper case or other spellings of a UUID.
	if mark != ticketMark || !found || bad != nil || u.String() != id || err != nil || n < 1 || n > rowsMost || strconv.Itoa(n) != digits {
		return 0, &event.Error{Field: "ticket", Problem: fmt.Sprintf("%q: use a ticket as Append returned it, %s.<id>.<rows>", clip(string(t)), ticketMark)}
	}
	return n, nil
}

// ids are those of the rows of t, in their order: UUIDs made from the ticket's, so that the rows are found by their primary name.
// Rows that an older version wrote have ids that nobody can tell.
func (t Ticket) ids() []string {
	n, err := t.rows()
	if err != nil || n == 0 {
		return nil
	}
	all := make([]string, n)
	for i := range all {
		all[i] = t.id(i)
	}
	return all
}

// id is that of row i: i+1 is added to the random bits behind the variant, which are left as they are.
func (t Ticket) id(i int) string {
	const random = 1<<62 - 1
	_, rest, _ := strings.Cut(string(t), ".")
	id, _, _ := strings.Cut(rest, ".")
	u, err := uuid.Parse(id)
	if err != nil { // no ticket of ours
		return event.NewID()
	}
	tail := binary.BigEndian.Uint64(u[8:])
	binary.BigEndian.PutUint64(u[8:], tail&^random|(tail+uint64(i)+1)&random)
	return u.String()
}

// clip shortens what somebody else wrote before it is quoted.
func clip(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}
