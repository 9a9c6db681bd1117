package outbox_test

import (
	_ "embed"
	"testing"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/outbox"
)

// firstSchema is what Schema was at first.
//
//go:embed testdata/schema1.sql
var firstSchema string

func TestTablesOfTheFirstVersionAreUpdatedAndItsTicketsStayKnown(t *testing.T) {
	conform(t, func(t *testing.T, e engine) {
		db := e.open(t, e.dsn(t))
		run(t, db, firstSchema)
		ticket := e.write(t, db, true, event.Tag("user:1"), event.Tag("order:1"))
		old := func(number int, ticket outbox.Ticket) { // what a relay of that version writes
			run(t, db, "INSERT INTO lethe_outbox_done (number, ticket, fleet, epoch, sequence) VALUES ($1, $2, 'shop', 'E1', $3)", number, string(ticket), number)
		}
		run(t, db, "DELETE FROM lethe_outbox")
		old(1, ticket)
		for range 2 {
			if err := outbox.Migrate(t.Context(), db); err != nil {
				t.Fatal(err)
			}
		}
		old(2, ticket) // it goes on after the update
		r := start(t, db, settle(t, connect(t, serve(t))))
		if token := mustWait(t, r, ticket); token.Sequence() != 2 {
			t.Errorf("token %v", token)
		}
		mustWait(t, r, e.write(t, db, true, event.Tag("user:3")))
	})
}
