package outbox_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/lethe-cache/lethe/internal/pgtest"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/outbox"
)

// deafToPolls would look once an hour.
func deafToPolls(s *setting) { s.cfg.Poll = time.Hour }

// listeners are the connections that a database's relays listen on.
const listeners = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"

func TestACommitInAnotherProcessIsNotified(t *testing.T) {
	t.Parallel()
	for _, e := range engines()[1:] {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			dsn, db := e.fresh(t)
			p := settle(t, connect(t, serve(t)))
			r := start(t, e.open(t, dsn), p, deafToPolls)
			eventually(t, "it works and listens", func() bool { return works(t, r) && count(t, db, listeners) == 1 })
			for i := range 5 {
				e.write(t, db, true, event.Tag(fmt.Sprintf("user:%d", i))) // nobody calls Wake or Wait
				eventually(t, "it is announced", func() bool { return len(said(t, p.nc)) == i+1 })
			}
		})
	}
}

func TestALostListeningConnectionIsMadeAnew(t *testing.T) {
	t.Parallel()
	for _, e := range engines()[1:] {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			dsn, db := e.fresh(t)
			p := settle(t, connect(t, serve(t)))
			r := start(t, e.open(t, dsn), p, deafToPolls, func(s *setting) { s.times.Beat = 100 * time.Millisecond })
			eventually(t, "it works and listens", func() bool { return works(t, r) && count(t, db, listeners) == 1 })
			run(t, db, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'")
			e.write(t, db, true, event.Tag("user:1")) // perhaps while nobody listens
			eventually(t, "it is announced", func() bool { return len(said(t, p.nc)) == 1 })
			eventually(t, "it listens again", func() bool { return count(t, db, listeners) == 1 })
			e.write(t, db, true, event.Tag("user:2"))
			eventually(t, "it is announced", func() bool { return len(said(t, p.nc)) == 2 })
		})
	}
}

func TestAListeningConnectionOnWhichNothingComesIsAskedAndKept(t *testing.T) {
	t.Parallel()
	for _, e := range engines()[1:] {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			dsn, db := e.fresh(t)
			p := settle(t, connect(t, serve(t)))
			r := start(t, e.open(t, dsn), p, deafToPolls, func(s *setting) { s.times.Listen = 20 * time.Millisecond })
			eventually(t, "it works and listens", func() bool { return works(t, r) && count(t, db, listeners) == 1 })
			const asked = "SELECT coalesce(max((extract(epoch FROM query_start) * 1000)::BIGINT), 0) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"
			const pid = "SELECT coalesce(max(pid), 0) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"
			own, before := count(t, db, pid), count(t, db, asked)
			eventually(t, "it is asked", func() bool { return count(t, db, asked) > before+100 })
			e.write(t, db, true, event.Tag("user:1"))
			eventually(t, "it is announced", func() bool { return len(said(t, p.nc)) == 1 })
			if now := count(t, db, pid); now != own {
				t.Errorf("process %d of the database became %d", own, now)
			}
		})
	}
}

func TestAPoolWithNoConnectionToSpareIsPolled(t *testing.T) {
	t.Parallel()
	e := engines()[2]
	dsn, db := e.fresh(t)
	cfg, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	cfg.MaxConns = 2
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	narrow := stdlib.OpenDBFromPool(pool)
	t.Cleanup(func() { _ = narrow.Close() })
	r := start(t, narrow, settle(t, connect(t, serve(t))), hasty)
	for i := range 20 {
		mustWait(t, r, e.write(t, db, true, event.Tag(fmt.Sprintf("user:%d", i))))
	}

	single := e.open(t, pgtest.DSN(t))
	single.SetMaxOpenConns(1)
	if err := outbox.Migrate(t.Context(), single); err != nil {
		t.Fatal(err)
	}
	r = start(t, single, settle(t, connect(t, serve(t))), hasty)
	mustWait(t, r, engines()[1].write(t, single, true, event.Tag("user:1")))
}

func TestAListeningConnectionIsNotGivenBackToThePool(t *testing.T) {
	t.Parallel()
	for _, e := range engines()[1:] {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			dsn, db := e.fresh(t)
			own := e.open(t, dsn)
			r := start(t, own, settle(t, connect(t, serve(t))))
			eventually(t, "it listens", func() bool { return count(t, db, listeners) == 1 })
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
			for range 10 {
				if n := count(t, own, "SELECT count(*) FROM pg_listening_channels()"); n != 0 {
					t.Fatal("the pool has a connection that listens")
				}
			}
			eventually(t, "its connection has ended", func() bool { return count(t, db, listeners) == 0 })
		})
	}
}
