package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/outbox"
)

func TestATicketCanBeWaitedForInAnyProcess(t *testing.T) {
	conform(t, func(t *testing.T, e engine) {
		dsn, db := e.fresh(t)
		p := settle(t, connect(t, serve(t)))
		worker := start(t, db, p, hasty)
		eventually(t, "it works", func() bool { return works(t, worker) })
		idle := start(t, e.open(t, dsn), p, hasty)
		ticket := e.write(t, db, true, event.Tag("user:1"), event.Tag("order:1"), event.Function("f"))
		token := mustWait(t, idle, ticket)
		if again := mustWait(t, worker, ticket); again != token || token.IsZero() {
			t.Errorf("token %s here, %s there", token, again)
		}
		if err := worker.Close(); err != nil {
			t.Fatal(err)
		}
		if again := mustWait(t, start(t, db, p, hasty), ticket); again != token {
			t.Errorf("token %s later, in a process that saw nothing of it", again)
		}
	})
}

func TestATicketThatRolledBackIsWaitedForUntilTheContextEnds(t *testing.T) {
	conform(t, func(t *testing.T, e engine) {
		_, db := e.fresh(t)
		r := start(t, db, settle(t, connect(t, serve(t))), hasty)
		ticket := e.write(t, db, false, event.Tag("user:1"))
		mustWait(t, r, e.write(t, db, true, event.Tag("user:2")))
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		if _, err := r.Wait(ctx, ticket); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), string(ticket)) {
			t.Errorf("error %v", err)
		}
	})
}

func TestManyWaitAtOnceAndEachGetsItsOwn(t *testing.T) {
	conform(t, func(t *testing.T, e engine) {
		_, db := e.fresh(t)
		p := settle(t, connect(t, serve(t)))
		r := start(t, db, p)
		var (
			mu     sync.Mutex
			tokens = make(map[uint64]bool)
			wg     sync.WaitGroup
		)
		for i := range 60 {
			ticket := e.write(t, db, true, event.Tag(fmt.Sprintf("f%d:%d", i%5, i)))
			wg.Go(func() {
				token, err := r.Wait(patient(t), ticket)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				tokens[token.Sequence()] = true
			})
		}
		wg.Wait()
		if len(tokens) != 60 {
			t.Errorf("%d tokens of 60 rows", len(tokens))
		}
	})
}

func TestWhatIsNoTicketIsRefused(t *testing.T) {
	t.Parallel()
	e := engines()[0]
	_, db := e.fresh(t)
	r := start(t, db, settle(t, connect(t, serve(t))))
	for _, text := range badTickets() {
		var bad *event.Error
		if _, err := r.Wait(t.Context(), outbox.Ticket(text)); !errors.Is(err, event.ErrInvalid) || !errors.As(err, &bad) || bad.Field != "ticket" {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func badTickets() []string {
	id := event.NewID()
	return []string{
		"x", "ticket1", "ticket1.", "ticket1." + id, "ticket1." + id + ".", "ticket1." + id + ".0", "ticket1." + id + ".01", "ticket1." + id + ".-1",
		"ticket1." + id + ".1025", "ticket1." + id + ".1 ", "ticket2." + id + ".1", "ticket1." + strings.ToUpper(id) + ".1", "ticket1.{" + id + "}.1",
		"ticket1." + strings.ReplaceAll(id, "-", "") + ".1", "ticket1.urn:uuid:" + id + ".1", strings.Repeat("x", 5000), "ticket1." + id + ".1\x00",
	}
}

func TestATicketIsDoneWhenAllItsRowsAre(t *testing.T) {
	conform(t, func(t *testing.T, e engine) {
		_, db := e.fresh(t)
		r := start(t, db, settle(t, connect(t, serve(t))))
		ticket := "ticket1." + event.NewID() + ".2"
		done := "INSERT INTO lethe_outbox_announced (id, number, ticket, fleet, epoch, sequence) VALUES ($4, $1, $2, 'shop', 'E1', $3)"
		run(t, db, done, 5, ticket, 9, event.NewID())
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		if token, err := r.Wait(ctx, outbox.Ticket(ticket)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s, %v", token, err)
		}
		run(t, db, done, 6, ticket, 8, event.NewID())
		if token := mustWait(t, r, outbox.Ticket(ticket)); token != event.NewToken("shop", "E1", 9) {
			t.Errorf("token %s", token)
		}
	})
}
