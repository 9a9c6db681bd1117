package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/lethe-cache/lethe/internal/bus"
	"github.com/lethe-cache/lethe/pkg/embedded"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/outbox"
)

// works says whether r is the one that publishes.
func works(t testing.TB, r *outbox.Relay) bool {
	t.Helper()
	s, err := r.Status(t.Context())
	return err == nil && s.Working
}

func hasty(s *setting) { s.times = quick(); s.cfg.Poll = 20 * time.Millisecond }

func TestOneOfSeveralRelaysWorksAndClosingHandsOverAtOnce(t *testing.T) {
	conform(t, func(t *testing.T, e engine) {
		dsn, db := e.fresh(t)
		p := settle(t, connect(t, serve(t)))
		relays := make([]*outbox.Relay, 3)
		for i := range relays {
			relays[i] = start(t, e.open(t, dsn), p, func(s *setting) { // nobody counts as silent here
				hasty(s)
				s.times.Silent = time.Hour
			})
			if err := relays[i].Ready(patient(t)); err != nil {
				t.Fatal(err)
			}
		}
		for i := range relays {
			var r *outbox.Relay
			eventually(t, "one works, and one only", func() bool {
				var working []*outbox.Relay
				for _, r := range relays {
					if works(t, r) {
						working = append(working, r)
					}
				}
				if len(working) > 1 {
					t.Errorf("%d relays work", len(working))
				}
				if working != nil {
					r = working[0]
				}
				return r != nil
			})
			mustWait(t, r, e.write(t, db, true, event.Tag(fmt.Sprintf("user:%d", i))))
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		}
		if n := count(t, db, "SELECT count(*) FROM lethe_outbox_relays"); n != 0 {
			t.Errorf("%d relays are signed on", n)
		}
	})
}

func TestARelayThatHangsIsTakenOverAndDoesNotComeBack(t *testing.T) {
	conform(t, func(t *testing.T, e engine) {
		dsn, db := e.fresh(t)
		p := settle(t, connect(t, serve(t)))
		var frozen, stands atomic.Bool
		melt := make(chan struct{})
		var once sync.Once
		thaw := func() { once.Do(func() { close(melt) }) }
		t.Cleanup(thaw)
		hang := func() {
			if frozen.Load() {
				<-melt
			}
		}
		first := start(t, db, p, hasty, func(s *setting) {
			s.hooks.Beat = func() {
				if frozen.Load() {
					stands.Store(true)
					<-melt
				}
			}
			s.hooks.Published = hang
		})
		eventually(t, "the first works", func() bool { return works(t, first) })
		second := start(t, e.open(t, dsn), p, hasty)
		frozen.Store(true)
		eventually(t, "it knows that it has not shown itself", func() bool { return stands.Load() && !works(t, first) })
		var tickets []outbox.Ticket
		for i := range 10 {
			tickets = append(tickets, e.write(t, db, true, event.Tag(fmt.Sprintf("user:%d", i))))
		}
		for _, ticket := range tickets {
			mustWait(t, second, ticket)
		}
		frozen.Store(false)
		thaw()
		for _, ticket := range tickets {
			mustWait(t, first, ticket) // of another process
		}
		if !works(t, second) {
			t.Error("who hung has the work again")
		}
		if n := len(said(t, p.nc)); n != len(tickets) {
			t.Errorf("%d events, of %d rows", n, len(tickets))
		}
	})
}

func TestARelayThatCanPublishTakesTheWorkFromOneThatCannot(t *testing.T) {
	conform(t, func(t *testing.T, e engine) {
		dsn, db := e.fresh(t)
		srv := serve(t)
		p, cut := settle(t, connect(t, srv)), settle(t, connect(t, srv))
		first := start(t, e.open(t, dsn), cut, hasty)
		eventually(t, "the first works", func() bool { return works(t, first) })
		cut.refuses(func(event.Event) error { return errors.New("no connection") })
		second := start(t, db, p, hasty)
		mustWait(t, second, e.write(t, db, true, event.Tag("user:1")))
		eventually(t, "who published works", func() bool { return works(t, second) && !works(t, first) })
	})
}

func TestRowsThatPileUpWhileTheServerIsAwayAreAllPublishedInOrder(t *testing.T) {
	conform(t, func(t *testing.T, e engine) {
		_, db := e.fresh(t)
		srv := serverOnTCP(t)
		nc := srv.dial(t)
		p := settle(t, nc)
		r := start(t, db, p)
		mustWait(t, r, e.write(t, db, true, event.Tag("user:0")))
		want := []string{"[tag/user:0]"}
		srv.stop(t)
		for i := 1; i <= 300; i++ {
			tag := fmt.Sprintf("user:%d", i)
			e.write(t, db, true, event.Tag(tag))
			want = append(want, "[tag/"+tag+"]")
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		late := e.write(t, db, true, event.Tag("order:1"))
		if _, err := r.Wait(ctx, late); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		if s, err := r.Status(t.Context()); err != nil || s.Depth != 301 || s.Oldest <= 0 {
			t.Errorf("%+v, %v", s, err)
		}
		srv.start(t)
		mustWait(t, r, late)
		drained(t, r)
		var users []string
		for _, line := range said(t, srv.dial(t)) {
			if strings.Contains(line, "user") {
				users = append(users, line)
			}
		}
		if diff := cmp.Diff(want, users); diff != "" {
			t.Error(diff)
		}
	})
}

func TestCloseEndsEverythingAtAnyMoment(t *testing.T) {
	conform(t, func(t *testing.T, e engine) {
		_, db := e.fresh(t)
		p := settle(t, connect(t, serve(t)))
		for i := range 30 {
			r := start(t, db, p, hasty)
			e.write(t, db, true, event.Tag(fmt.Sprintf("user:%d", i)))
			r.Wake()
			var wg sync.WaitGroup
			for range 3 {
				wg.Go(func() { _ = r.Close() })
			}
			wg.Wait()
			if err := r.Ready(t.Context()); !errors.Is(err, outbox.ErrClosed) {
				t.Errorf("ready: %v", err)
			}
			if _, err := r.Wait(t.Context(), outbox.Ticket("ticket1."+event.NewID()+".1")); !errors.Is(err, outbox.ErrClosed) {
				t.Errorf("wait: %v", err)
			}
		}
		drained(t, start(t, db, p))
		if n := len(distinct(said(t, p.nc))); n != 30 {
			t.Errorf("%d of 30 were announced", n)
		}
	})
}

func TestOneConnectionIsEnough(t *testing.T) {
	t.Parallel()
	for _, e := range engines()[:2] {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			_, db := e.fresh(t)
			db.SetMaxOpenConns(1)
			r := start(t, db, settle(t, connect(t, serve(t))), hasty)
			for i := range 20 {
				mustWait(t, r, e.write(t, db, true, event.Tag(fmt.Sprintf("user:%d", i)), event.Tag(fmt.Sprintf("order:%d", i))))
			}
			drained(t, r)
		})
	}
}

func TestTheStartIsRefusedWhereNothingCouldWork(t *testing.T) {
	t.Parallel()
	e := engines()[0]
	_, db := e.fresh(t)
	bare := e.open(t, e.dsn(t))
	p := settle(t, connect(t, serve(t)))
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for _, tc := range []struct {
		name, want string
		start      func() (*outbox.Relay, error)
	}{
		{"no tables", "Migrate", func() (*outbox.Relay, error) { return outbox.StartRelay(t.Context(), bare, p, outbox.RelayConfig{}) }},
		{"no database", "db is nil", func() (*outbox.Relay, error) { return outbox.StartRelay(t.Context(), nil, p, outbox.RelayConfig{}) }},
		{"no publisher", "publisher is nil", func() (*outbox.Relay, error) { return outbox.StartRelay(t.Context(), db, nil, outbox.RelayConfig{}) }},
		{"a negative poll", "Poll", func() (*outbox.Relay, error) {
			return outbox.StartRelay(t.Context(), db, p, outbox.RelayConfig{Poll: -1})
		}},
		{"a context that has ended", "context canceled", func() (*outbox.Relay, error) { return outbox.StartRelay(gone, db, p, outbox.RelayConfig{}) }},
	} {
		if r, err := tc.start(); r != nil || err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}

func TestTheContextOfTheStartBoundsOnlyTheStart(t *testing.T) {
	t.Parallel()
	e := engines()[0]
	_, db := e.fresh(t)
	ctx, cancel := context.WithCancel(t.Context())
	r, err := outbox.StartRelay(ctx, db, settle(t, connect(t, serve(t))), outbox.RelayConfig{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	cancel()
	mustWait(t, r, e.write(t, db, true, event.Tag("user:1")))
}

func TestTheMetricsAreTheDatabasesAndUnknownWhereItFails(t *testing.T) {
	conform(t, func(t *testing.T, e engine) {
		dsn, db := e.fresh(t)
		p := settle(t, connect(t, serve(t)))
		p.refuses(about("user:1"))
		own := e.open(t, dsn)
		r := start(t, own, p)
		if _, err := r.Wait(patient(t), e.write(t, db, true, event.Tag("user:1"))); !errors.Is(err, outbox.ErrParked) {
			t.Fatal(err)
		}
		p.refuses(func(event.Event) error { return errors.New("not now") })
		e.write(t, db, true, event.Tag("user:2"))
		e.write(t, db, true, event.Tag("user:3"))
		run(t, db, "UPDATE lethe_outbox SET created = created - 3600000 WHERE parked IS NULL")
		check := func() {
			t.Helper()
			if got := scrape(t, r); got["lethe_outbox_database_up"] != 1 || got["lethe_outbox_depth"] != 2 || got["lethe_outbox_parked"] != 1 || got["lethe_outbox_oldest_seconds"] < 3600 {
				t.Errorf("%v", got)
			}
		}
		check()
		if s, err := r.Status(t.Context()); err != nil || s.Oldest < time.Hour || s.Oldest > 2*time.Hour {
			t.Errorf("oldest %v, %v", s.Oldest, err)
		}
		if err := own.Close(); err != nil {
			t.Fatal(err)
		}
		before := scrape(t, r)
		if before["lethe_outbox_database_up"] != 0 || !math.IsNaN(before["lethe_outbox_depth"]) || !math.IsNaN(before["lethe_outbox_parked"]) ||
			before["lethe_outbox_oldest_seconds"] < 3600 {
			t.Errorf("without a database: %v", before)
		}
		eventually(t, "the oldest row grows older", func() bool {
			return scrape(t, r)["lethe_outbox_oldest_seconds"] > before["lethe_outbox_oldest_seconds"]
		})
	})
}

// A database that was lost with nothing waiting in it may have got rows since: nothing is known to be 0.
func TestAnEmptyOutboxIsNotKnownToBeEmptyWithoutItsDatabase(t *testing.T) {
	conform(t, func(t *testing.T, e engine) {
		dsn, db := e.fresh(t)
		own := e.open(t, dsn)
		r := start(t, own, settle(t, connect(t, serve(t))))
		mustWait(t, r, e.write(t, db, true, event.Tag("user:1")))
		eventually(t, "nothing waits", func() bool { return scrape(t, r)["lethe_outbox_depth"] == 0 })
		if err := own.Close(); err != nil {
			t.Fatal(err)
		}
		got := scrape(t, r)
		for _, name := range []string{"lethe_outbox_depth", "lethe_outbox_oldest_seconds", "lethe_outbox_parked"} {
			if !math.IsNaN(got[name]) {
				t.Errorf("%s is %v", name, got[name])
			}
		}
		if s, err := r.Status(t.Context()); err == nil || s.Depth != 0 || s.Oldest != 0 {
			t.Errorf("%+v, %v", s, err)
		}
	})
}

func scrape(t testing.TB, r *outbox.Relay) map[string]float64 {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(r.Collector())
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := make(map[string]float64)
	for _, f := range families {
		values[f.GetName()] = f.GetMetric()[0].GetGauge().GetValue()
	}
	return values
}

func distinct(lines []string) map[string]bool {
	set := make(map[string]bool)
	for _, line := range lines {
		set[line] = true
	}
	return set
}

// tcp is a server that can be stopped and started again under its address.
type tcp struct {
	*embedded.Server
	cfg embedded.Config
}

func serverOnTCP(t testing.TB) *tcp {
	t.Helper()
	s := &tcp{cfg: embedded.Config{StateDir: t.TempDir(), Listen: "127.0.0.1:0"}}
	s.start(t)
	s.cfg.Listen = strings.TrimPrefix(s.URL(), "nats://")
	t.Cleanup(func() { s.stop(t) })
	return s
}

func (s *tcp) dial(t testing.TB) *nats.Conn {
	t.Helper()
	nc, err := bus.Dial(s.URL(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

func (s *tcp) start(t testing.TB) {
	t.Helper()
	srv, err := embedded.Start(context.WithoutCancel(t.Context()), s.cfg)
	if err != nil {
		t.Fatal(err)
	}
	s.Server = srv
}

func (s *tcp) stop(t testing.TB) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
