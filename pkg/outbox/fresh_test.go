package outbox_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/outbox"
)

func TestWaitForgetsHereFirstAlsoWhenItIsNotInTime(t *testing.T) {
	conform(t, func(t *testing.T, e engine) {
		dsn, db := e.fresh(t)
		srv := serve(t)
		away := func(event.Event) error { return errors.New("no connection") }
		worker, idle := settle(t, connect(t, srv)), settle(t, connect(t, srv))
		worker.refuses(away)
		idle.refuses(away)
		first := start(t, db, worker)
		eventually(t, "the first works", func() bool { return works(t, first) })
		second := start(t, e.open(t, dsn), idle)
		targets := []event.Target{event.Tag("user:1"), event.Tag("user:2"), event.Tag("order:1"), event.Function("f")}
		ticket := e.write(t, db, true, targets...)
		gone, cancel := context.WithCancel(t.Context())
		cancel() // before it has begun
		if _, err := second.Wait(gone, ticket); !errors.Is(err, context.Canceled) {
			t.Errorf("wait: %v", err)
		}
		for _, target := range targets {
			if !slices.Contains(idle.forgotten(), target) {
				t.Errorf("%v is not forgotten: %v", target, idle.forgotten())
			}
		}
		n := len(idle.forgotten())
		if _, err := second.Wait(gone, ticket); !errors.Is(err, context.Canceled) || len(idle.forgotten()) != n {
			t.Errorf("wait: %v; forgotten again: %v", err, idle.forgotten()[n:])
		}
	})
}

func TestWhatAnotherCallerHasForgottenIsNotAskedFor(t *testing.T) {
	conform(t, func(t *testing.T, e engine) {
		dsn, db := e.fresh(t)
		srv := serve(t)
		first := start(t, db, settle(t, connect(t, srv)))
		eventually(t, "the first works", func() bool { return works(t, first) })
		idle := settle(t, connect(t, srv))
		second := start(t, e.open(t, dsn), idle)
		ticket := e.write(t, db, true, event.Tag("user:1"))
		second.Forgot(ticket)
		second.Forgot("")
		second.Forgot("x")
		mustWait(t, second, ticket)
		if got := idle.forgotten(); got != nil {
			t.Errorf("%v", got)
		}
	})
}

// follower is a publisher that applies what is published when the test says so.
type follower struct {
	*station
	mu     sync.Mutex // guards asked
	asked  []event.Token
	arrive chan struct{}
}

func (f *follower) Wait(ctx context.Context, token event.Token) error {
	f.mu.Lock()
	f.asked = append(f.asked, token)
	f.mu.Unlock()
	select {
	case <-f.arrive:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// 1. Another process publishes the rows and takes them away.
// 2. Wait finds no row whose targets it could forget.
// 3. It returns once this node has applied the token.
func TestWaitForRowsThatHaveGoneEndsWhenTheirTokenIsApplied(t *testing.T) {
	conform(t, func(t *testing.T, e engine) {
		dsn, db := e.fresh(t)
		srv := serve(t)
		first := start(t, db, settle(t, connect(t, srv)))
		ticket := e.write(t, db, true, event.Tag("user:1"))
		token := mustWait(t, first, ticket)
		drained(t, first)
		f := &follower{station: settle(t, connect(t, srv)), arrive: make(chan struct{})}
		second := start(t, e.open(t, dsn), f)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		got, err := second.Wait(ctx, ticket)
		if !errors.Is(err, context.DeadlineExceeded) || got != token {
			t.Errorf("%s, %v: this node has not applied %s", got, err, token)
		}
		close(f.arrive)
		if got := mustWait(t, second, ticket); got != token {
			t.Errorf("%s, want %s", got, token)
		}
		if !slices.Contains(f.asked, token) {
			t.Errorf("asked for %v", f.asked)
		}
	})
}

func TestTheRowsOfATicketHaveTheIdsThatItTells(t *testing.T) {
	conform(t, func(t *testing.T, e engine) {
		_, db := e.fresh(t)
		ticket := e.write(t, db, true, event.Tag("user:1"), event.Tag("order:1"), event.Function("f"))
		want := outbox.IDsOf(ticket)
		for _, id := range want {
			if n := count(t, db, "SELECT count(*) FROM lethe_outbox WHERE id = $1 AND ticket = $2", id, string(ticket)); n != 1 {
				t.Errorf("%d rows of %s", n, id)
			}
		}
		if len(want) != 3 || want[0] == want[1] || want[1] == want[2] {
			t.Errorf("%v", want)
		}
	})
}
