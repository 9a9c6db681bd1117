package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/outbox"
)

// refusal is a server's no for good, as the bus has it.
type refusal struct{}

func (refusal) Error() string   { return "the server refuses: no permission" }
func (refusal) Permanent() bool { return true }

func about(tag string) func(event.Event) error {
	return func(e event.Event) error {
		for _, target := range e.Targets {
			if target == event.Tag(tag) {
				return fmt.Errorf("not published: %w", refusal{})
			}
		}
		return nil
	}
}

func TestARowRefusedForGoodIsParkedCountedPassedByAndTriedAgain(t *testing.T) {
	conform(t, func(t *testing.T, e engine) {
		_, db := e.fresh(t)
		p := settle(t, connect(t, serve(t)))
		p.refuses(about("user:2"))
		r := start(t, db, p, func(s *setting) { s.times.Parked = 30 * time.Millisecond; s.cfg.Poll = 20 * time.Millisecond })
		var tickets []outbox.Ticket
		for i := range 5 {
			tickets = append(tickets, e.write(t, db, true, event.Tag(fmt.Sprintf("user:%d", i))))
		}
		mustWait(t, r, tickets[4])
		if _, err := r.Wait(patient(t), tickets[2]); !errors.Is(err, outbox.ErrParked) || !strings.Contains(err.Error(), "no permission") {
			t.Errorf("error %v", err)
		}
		eventually(t, "it is counted", func() bool {
			s, err := r.Status(t.Context())
			return err == nil && s.Parked == 1 && s.Depth == 0 && s.Oldest == 0
		})
		sent := p.sends()
		eventually(t, "it is tried again", func() bool { return p.sends() > sent })
		p.refuses(nil)
		eventually(t, "it is announced", func() bool {
			s, err := r.Status(t.Context())
			return err == nil && s.Parked == 0
		})
		announced(t, r, tickets[2])
		want := []string{"[tag/user:0]", "[tag/user:1]", "[tag/user:3]", "[tag/user:4]", "[tag/user:2]"}
		if diff := cmp.Diff(want, said(t, p.nc)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestParkedRowsAreTriedAgainWhenWorkBegins(t *testing.T) {
	conform(t, func(t *testing.T, e engine) {
		_, db := e.fresh(t)
		p := settle(t, connect(t, serve(t)))
		p.refuses(about("user:1"))
		first := start(t, db, p)
		ticket := e.write(t, db, true, event.Tag("user:1"))
		if _, err := first.Wait(patient(t), ticket); !errors.Is(err, outbox.ErrParked) {
			t.Fatal(err)
		}
		closed(t, first)
		p.refuses(nil)
		announced(t, start(t, db, p), ticket)
	})
}

// announced waits for a row that is parked: who asks before it was tried again is told so.
func announced(t testing.TB, r *outbox.Relay, ticket outbox.Ticket) {
	t.Helper()
	eventually(t, "what was parked is announced", func() bool {
		_, err := r.Wait(patient(t), ticket)
		if err != nil && !errors.Is(err, outbox.ErrParked) {
			t.Fatal(err)
		}
		return err == nil
	})
}

// It is no fault of the row: it waits, and holds up only its own subject.
func TestAMissingPermissionParksNothingAndAGrantedOneAnnounces(t *testing.T) {
	t.Parallel()
	e := engines()[0]
	_, db := e.fresh(t)
	srv := guarded(t)
	settle(t, srv.as(t, "admin")) // it makes the stream
	p := settle(t, srv.as(t, "narrow"))
	r := start(t, db, p)
	forbidden := e.write(t, db, true, event.Tag("secret:1"))
	allowed := e.write(t, db, true, event.Tag("user:1"))
	mustWait(t, r, allowed)
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if _, err := r.Wait(ctx, forbidden); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, outbox.ErrParked) {
		t.Errorf("error %v", err)
	}
	closed(t, r)
	announced(t, start(t, db, settle(t, srv.as(t, "admin"))), forbidden)
}

func TestASubjectThatFailsHoldsUpNoOther(t *testing.T) {
	conform(t, func(t *testing.T, e engine) {
		_, db := e.fresh(t)
		p := settle(t, connect(t, serve(t)))
		p.refuses(func(e event.Event) error {
			if e.Targets[0].Subject() == "tag.stuck" {
				return errors.New("no answer in time")
			}
			return nil
		})
		tx, err := db.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		var stuck []string
		for i := range 600 { // more than two batches, and all of it first
			tag := fmt.Sprintf("stuck:%d", i)
			if _, err := outbox.Append(t.Context(), tx, event.Tag(tag)); err != nil {
				t.Fatal(err)
			}
			stuck = append(stuck, "[tag/"+tag+"]")
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		ticket := e.write(t, db, true, event.Tag("user:1"))
		r := start(t, db, p)
		mustWait(t, r, ticket)
		if n := len(p.forgotten()); n > 400 {
			t.Errorf("%d targets forgotten: those of rows that wait are forgotten once", n)
		}
		p.refuses(nil)
		drained(t, r)
		if diff := cmp.Diff(append([]string{"[tag/user:1]"}, stuck...), said(t, p.nc)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestHoweverManySubjectsFailTheOthersGoOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newModel(t, 3, false)
		for _, p := range m.roads {
			p.mu.Lock()
			p.bad = map[string]int{"hangs": silent, "fails": refusing}
			p.mu.Unlock()
		}
		for i := range 300 { // more than a batch, each on a subject of its own
			m.commit(fmt.Sprintf("fails%d:1", i))
		}
		for i := range 30 { // more than are in flight at a time
			m.commit(fmt.Sprintf("hangs%d:1", i))
		}
		m.pass(time.Minute)
		for i := range 5 {
			name := fmt.Sprintf("user:%d", i)
			m.commit(name)
			m.wrote[name] = time.Now()
			m.pass(backFor)
			m.inTime(time.Time{}, m.roads[0])
		}
		if len(m.to.order) != 5 {
			t.Errorf("%v", m.to.order)
		}
	})
}

func TestWhatFollowsARowThatFailedWaitsForIt(t *testing.T) {
	conform(t, func(t *testing.T, e engine) {
		_, db := e.fresh(t)
		p := settle(t, connect(t, serve(t)))
		var fails atomic.Int32
		p.refuses(func(e event.Event) error {
			if e.Targets[0].Name() == "user:1" && fails.Add(1) <= 3 {
				return errors.New("no answer in time")
			}
			return nil
		})
		var want []string
		for i := range 5 {
			e.write(t, db, true, event.Tag(fmt.Sprintf("user:%d", i)))
			want = append(want, fmt.Sprintf("[tag/user:%d]", i))
		}
		r := start(t, db, p)
		drained(t, r)
		if diff := cmp.Diff(want, said(t, p.nc)); diff != "" || fails.Load() != 4 {
			t.Errorf("%d tries of the row that failed: %s", fails.Load(), diff)
		}
	})
}

func TestWhatARowSaysBeyondThisVersionForgetsMoreNeverLess(t *testing.T) {
	conform(t, func(t *testing.T, e engine) {
		_, db := e.fresh(t)
		p := settle(t, connect(t, serve(t)))
		insert := func(subject, text string) outbox.Ticket {
			ticket := outbox.Ticket("ticket1." + event.NewID() + ".1")
			run(t, db, "INSERT INTO lethe_outbox (id, ticket, subject, event) VALUES ($1, $2, $3, $4)", event.NewID(), string(ticket), subject, text)
			return ticket
		}
		tickets := []outbox.Ticket{
			insert("tag.user", "no JSON"),
			insert("fn.catalog.price", `{"specversion":"1.0","type":"dev.lethe.invalidated.v1","data":{"targets":[{"function":"catalog.price","where":"x"}]}}`),
			insert("manifest.chatbot.applied", `{"specversion":"2.0"}`),
			insert("x y", "{}"), // a form of subject that this version does not know
			insert("tag.order", `{"specversion":"1.0","type":"dev.lethe.invalidated.v1","data":{"targets":[{"tag":"order:1"}]}}`), // of SQL alone
		}
		bad := []outbox.Ticket{insert("tag.NOT", "{}"), insert("_sys.tick", "{}"), insert("fn.", "\x7f")}
		r := start(t, db, p)
		for _, ticket := range tickets {
			mustWait(t, r, ticket)
		}
		for i, ticket := range bad {
			if _, err := r.Wait(patient(t), ticket); !errors.Is(err, outbox.ErrParked) {
				t.Errorf("%d: %v", i, err)
			}
		}
		want := []string{"[*]", "[catalog.price]", "[prefix/chatbot:]", "[prefix/user:]", "[tag/order:1]"}
		if diff := cmp.Diff(want, sorted(said(t, p.nc))); diff != "" {
			t.Error(diff)
		}
	})
}

// slow publishes with pauses, and counts what is in flight.
type slow struct {
	*station
	flying         map[string]int
	most, together int
}

func (s *slow) Publish(ctx context.Context, events ...event.Event) (event.Token, error) {
	subject := events[0].Targets[0].Subject()
	s.mu.Lock()
	s.flying[subject]++
	s.most = max(s.most, s.flying[subject])
	s.together = max(s.together, len(s.flying))
	s.mu.Unlock()
	<-time.After(2 * time.Millisecond)
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.flying[subject]--
		if s.flying[subject] == 0 {
			delete(s.flying, subject)
		}
	}()
	return s.station.Publish(ctx, events...)
}
