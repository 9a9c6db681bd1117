package outbox_test

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lethe-cache/lethe/internal/pgtest"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/outbox"
)

func TestARelayListensThroughAPoolerThatSharesBySession(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	behind := openPostgres(t, pgtest.Bouncer(t, dsn, "session"))
	direct := openPostgres(t, dsn)
	if err := outbox.Migrate(t.Context(), behind); err != nil {
		t.Fatal(err)
	}
	p := settle(t, connect(t, serve(t)))
	r := start(t, behind, p, deafToPolls)
	eventually(t, "it works and listens", func() bool { return works(t, r) && count(t, direct, listeners) == 1 })
	engines()[1].write(t, direct, true, event.Tag("user:1")) // nobody calls Wake or Wait
	eventually(t, "it is announced", func() bool { return len(said(t, p.nc)) == 1 })
}

func TestARelayPollsThroughAPoolerThatSharesByTransactionAndSaysSo(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	behind := openPostgres(t, pgtest.Bouncer(t, dsn, "transaction")+"&default_query_exec_mode=cache_describe")
	direct := openPostgres(t, dsn)
	if err := outbox.Migrate(t.Context(), behind); err != nil {
		t.Fatal(err)
	}
	p := settle(t, connect(t, serve(t)))
	log := new(lines)
	r := start(t, behind, p, func(s *setting) { s.cfg.Logger = slog.New(log) })
	eventually(t, "it works", func() bool { return works(t, r) })
	for i := range 5 {
		engines()[1].write(t, direct, true, event.Tag(fmt.Sprintf("user:%d", i))) // nobody calls Wake or Wait
		eventually(t, "it is announced", func() bool { return len(said(t, p.nc)) == i+1 })
	}
	if said := log.take(); !slices.Equal(said, []string{"WARN event=outbox_polled every=100ms"}) {
		t.Errorf("it says %q", said)
	}
	if n := count(t, direct, listeners); n != 0 {
		t.Errorf("%d sessions that others get listen", n)
	}
}

func TestAPoolThatPreparesByNameIsRefusedThroughAPoolerThatSharesByTransaction(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	if err := outbox.Migrate(t.Context(), openPostgres(t, dsn)); err != nil {
		t.Fatal(err)
	}
	p := settle(t, connect(t, serve(t)))
	for _, open := range []engine{{open: openPostgres}, {open: openPool}} {
		r, err := outbox.StartRelay(t.Context(), open.open(t, pgtest.Bouncer(t, dsn, "transaction")), p, outbox.RelayConfig{})
		if err == nil || !strings.Contains(err.Error(), "default_query_exec_mode=cache_describe") {
			t.Errorf("error %v", err)
		}
		if err == nil {
			_ = r.Close()
		}
	}
}

// A prepared transaction keeps what it has written to itself, across connections and restarts, until it is committed.
func TestATransactionCanBePreparedWhereNothingNotifies(t *testing.T) {
	t.Parallel()
	e := engines()[1]
	_, db := e.fresh(t)
	p := settle(t, connect(t, serve(t)))
	r := start(t, db, p, func(s *setting) { s.cfg.Poll = 10 * time.Millisecond })
	prepare := func(id string) (outbox.Ticket, error) {
		tx, err := db.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = tx.Rollback() }()
		ticket, err := outbox.Append(t.Context(), tx, event.Tag("user:"+id))
		if err != nil {
			t.Fatal(err)
		}
		_, err = tx.ExecContext(t.Context(), "PREPARE TRANSACTION '"+id+"'")
		return ticket, err
	}
	if _, err := prepare("told"); err == nil || !strings.Contains(err.Error(), "NOTIFY") {
		if most := 0; db.QueryRowContext(t.Context(), "SELECT current_setting('max_prepared_transactions')::int").Scan(&most) != nil || most > 0 {
			t.Fatalf("error %v: the trigger notifies, and PostgreSQL prepares no such transaction", err)
		}
		t.Log("this server prepares no transactions at all (max_prepared_transactions = 0), so there is nothing more to see")
		return
	}
	run(t, db, "DROP TRIGGER lethe_outbox_notify ON lethe_outbox")
	early, err := prepare("early")
	if err != nil {
		t.Fatal(err)
	}
	abandoned, err := prepare("abandoned")
	if err != nil {
		t.Fatal(err)
	}
	late := e.write(t, db, true, event.Tag("user:late"))
	mustWait(t, r, late) // it has the higher number and goes first
	if n := len(said(t, p.nc)); n != 1 {
		t.Errorf("%d events: what is only prepared is not announced", n)
	}
	run(t, db, "ROLLBACK PREPARED 'abandoned'")
	run(t, db, "COMMIT PREPARED 'early'")
	mustWait(t, r, early)
	drained(t, r)
	if n := len(said(t, p.nc)); n != 2 {
		t.Errorf("%d events, want 2: %s was rolled back", n, abandoned)
	}
}
