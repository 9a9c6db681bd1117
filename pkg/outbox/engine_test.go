package outbox_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite" // the driver

	"github.com/lethe-cache/lethe/internal/pgtest"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/outbox"
)

// engine is one of the databases that everything has to hold on.
type engine struct {
	name string
	dsn  func(t testing.TB) string
	open func(t testing.TB, dsn string) *sql.DB
}

func engines() []engine {
	return []engine{
		{"SQLite", sqliteDSN, openSQLite},
		{"PostgreSQL", pgtest.DSN, openPostgres},
		{"pgx", pgtest.DSN, openPool},
	}
}

// conform runs one promise on each engine.
func conform(t *testing.T, promise func(t *testing.T, e engine)) {
	t.Parallel()
	for _, e := range engines() {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			promise(t, e)
		})
	}
}

func sqliteDSN(t testing.TB) string {
	return "file:" + filepath.Join(t.TempDir(), "shop.db") +
		"?_pragma=journal_mode(WAL)&_pragma=busy_timeout(30000)&_pragma=synchronous(FULL)&_txlock=immediate"
}

func openSQLite(t testing.TB, dsn string) *sql.DB { return openWith(t, "sqlite", dsn) }

func openPostgres(t testing.TB, dsn string) *sql.DB { return openWith(t, "pgx", dsn) }

func openWith(t testing.TB, driver, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func openPool(t testing.TB, dsn string) *sql.DB {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	db := stdlib.OpenDBFromPool(pool)
	t.Cleanup(func() {
		_ = db.Close()
		pool.Close()
	})
	return db
}

// fresh is a database with the tables, and one more.
func (e engine) fresh(t testing.TB) (dsn string, db *sql.DB) {
	t.Helper()
	dsn = e.dsn(t)
	db = e.open(t, dsn)
	if err := outbox.Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	run(t, db, "CREATE TABLE products (sku TEXT PRIMARY KEY, changes INTEGER NOT NULL)")
	return dsn, db
}

func run(t testing.TB, db *sql.DB, statement string, args ...any) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), statement, args...); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func count(t testing.TB, db *sql.DB, query string, args ...any) (n int) {
	t.Helper()
	if err := db.QueryRowContext(t.Context(), query, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

// write is a transaction that changes a product and announces targets; it ends as told.
func (e engine) write(t testing.TB, db *sql.DB, commit bool, targets ...event.Target) outbox.Ticket {
	t.Helper()
	return e.writeWith(t, t.Context(), db, commit, targets...)
}

func (e engine) writeWith(t testing.TB, ctx context.Context, db *sql.DB, commit bool, targets ...event.Target) outbox.Ticket { //nolint:revive // t comes first in all of these
	t.Helper()
	if e.name == "pgx" {
		return writePgx(t, ctx, db, commit, targets...)
	}
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	ticket, err := outbox.Append(ctx, tx, targets...)
	if err != nil {
		t.Fatal(err)
	}
	if commit {
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	return ticket
}

func writePgx(t testing.TB, ctx context.Context, db *sql.DB, commit bool, targets ...event.Target) (ticket outbox.Ticket) { //nolint:revive // the same
	t.Helper()
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	err = conn.Raw(func(raw any) error {
		own, ok := raw.(*stdlib.Conn)
		if !ok {
			return fmt.Errorf("a connection is a %T", raw)
		}
		tx, err := own.Conn().BeginTx(t.Context(), pgx.TxOptions{})
		if err != nil {
			return err
		}
		if ticket, err = outbox.AppendPgx(ctx, tx, targets...); err != nil || !commit {
			return errors.Join(err, tx.Rollback(t.Context()))
		}
		return tx.Commit(t.Context())
	})
	if err != nil {
		t.Fatal(err)
	}
	return ticket
}

// patience is how long a test waits for what must happen; nothing is measured with it.
const patience = 2 * time.Minute

// patient is a context that ends with it.
func patient(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("never happened: %s", what)
		}
	}
}
