package migrate

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver
	"github.com/pressly/goose/v3/database"
	"go.uber.org/goleak"
	_ "modernc.org/sqlite" // the driver

	"github.com/lethe-cache/lethe/internal/pgtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must happen; nothing is measured with it.
const patience = 2 * time.Minute

// things is a set that can be done only once.
func things(extra ...string) Set {
	return Set{Table: "things_version", Steps: append([]string{"CREATE TABLE things (name TEXT); INSERT INTO things VALUES ('one')"}, extra...)}
}

type engine struct {
	name    string
	dialect database.Dialect
	dsn     func(testing.TB) string
	driver  string
}

func (e engine) open(t *testing.T, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open(e.driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func onEach(t *testing.T, test func(*testing.T, engine)) {
	t.Parallel()
	for _, e := range []engine{
		{"sqlite", database.DialectSQLite3, func(tb testing.TB) string {
			return "file:" + filepath.Join(tb.TempDir(), "things.db") + "?_pragma=journal_mode(WAL)&_pragma=busy_timeout(30000)"
		}, "sqlite"},
		{"postgres", database.DialectPostgres, pgtest.DSN, "pgx"},
	} {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			test(t, e)
		})
	}
}

func count(t *testing.T, db *sql.DB, query string) (n int) {
	t.Helper()
	if err := db.QueryRowContext(t.Context(), query).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

func TestTenProgramsThatStartAtOnceDoEachStepOnce(t *testing.T) {
	onEach(t, func(t *testing.T, e engine) {
		dsn, set := e.dsn(t), things("ALTER TABLE things ADD COLUMN size INTEGER")
		var wg sync.WaitGroup
		for range 10 {
			db := e.open(t, dsn)
			wg.Go(func() {
				if err := set.Up(t.Context(), db, e.dialect); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		db := e.open(t, dsn)
		if n := count(t, db, "SELECT count(*) FROM things WHERE size IS NULL"); n != 1 {
			t.Errorf("the first step was done %d times", n)
		}
		if n := count(t, db, "SELECT count(*) FROM things_version"); n != 3 {
			t.Errorf("%d versions are noted, want 0, 1 and 2", n)
		}
	})
}

// Ten programs find an empty database at the same moment, each with one connection.
// 1. All of them wait for one lock.
// 2. It is given up: each gets it in its turn, without a pause, and without an error that would make it begin again.
func TestProgramsWaitForOneLockInARow(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	e := engine{driver: "pgx", dialect: database.DialectPostgres}
	dsn, set := pgtest.DSN(t), things()
	other := e.open(t, dsn)
	held := hold(ctx, t, other, set)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	for range 10 {
		db := e.open(t, dsn)
		db.SetMaxOpenConns(1)
		wg.Go(func() {
			if err := set.Up(ctx, db, e.dialect); err != nil {
				t.Error(err)
			}
		})
	}
	const waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
	for count(t, other, waiting) < 10 {
		if ctx.Err() != nil {
			t.Fatal("they do not wait for the lock")
		}
	}
	if err := held.Rollback(); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	if n := count(t, other, "SELECT count(*) FROM things"); n != 1 {
		t.Errorf("the step was done %d times", n)
	}
}

// hold is a program that migrates and does not come to an end.
func hold(ctx context.Context, t *testing.T, db *sql.DB, set Set) *sql.Tx {
	t.Helper()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tx.Rollback() })
	if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock($1, $2)", lockClass, set.lock()); err != nil {
		t.Fatal(err)
	}
	return tx
}

func TestProgramWaitsForNobodyWhereAllIsDone(t *testing.T) {
	onEach(t, func(t *testing.T, e engine) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		dsn, set := e.dsn(t), things()
		db := e.open(t, dsn)
		if err := set.Up(ctx, db, e.dialect); err != nil {
			t.Fatal(err)
		}
		other := e.open(t, dsn)
		if e.dialect == database.DialectPostgres {
			tx := hold(ctx, t, other, set)
			if _, err := tx.ExecContext(ctx, "LOCK TABLE things_version, things IN EXCLUSIVE MODE"); err != nil { // all but reads wait
				t.Fatal(err)
			}
		} else {
			tx, err := other.BeginTx(ctx, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = tx.Rollback() }()
			if _, err := tx.ExecContext(ctx, "DELETE FROM things"); err != nil { // from here on no other transaction writes
				t.Fatal(err)
			}
		}
		if err := set.Up(ctx, db, e.dialect); err != nil {
			t.Error(err)
		}
	})
}

func TestStepThatFailsLeavesNothingBehind(t *testing.T) {
	onEach(t, func(t *testing.T, e engine) {
		db := e.open(t, e.dsn(t))
		err := things("ALTER TABLE nothing ADD COLUMN size INTEGER").Up(t.Context(), db, e.dialect)
		if err == nil || !strings.Contains(err.Error(), "version 2") {
			t.Errorf("error %v, want one that names version 2", err)
		}
		if _, err := db.ExecContext(t.Context(), "SELECT name FROM things"); err == nil {
			t.Error("the first step's table is there")
		}
		if err := things("ALTER TABLE things ADD COLUMN size INTEGER").Up(t.Context(), db, e.dialect); err != nil {
			t.Error(err)
		}
	})
}

func TestTablesOfANewerProgramAreRefused(t *testing.T) {
	onEach(t, func(t *testing.T, e engine) {
		db := e.open(t, e.dsn(t))
		if err := things("ALTER TABLE things ADD COLUMN size INTEGER").Up(t.Context(), db, e.dialect); err != nil {
			t.Fatal(err)
		}
		var newer *NewerError
		if err := things().Up(t.Context(), db, e.dialect); !errors.As(err, &newer) || newer.At != 2 || newer.Knows != 1 {
			t.Errorf("error %v", err)
		}
	})
}

func TestFilesAreStepsInOrderWithoutTheWayDown(t *testing.T) {
	t.Parallel()
	steps, err := Read(fstest.MapFS{
		"00002_more.sql":  {Data: []byte("-- +goose Up\nmore")},
		"00001_first.sql": {Data: []byte("-- +goose Up\nfirst\n-- +goose Down\nnot this")},
		"README":          {},
	})
	if err != nil || len(steps) != 2 || steps[0] != "-- +goose Up\nfirst\n" || steps[1] != "-- +goose Up\nmore" {
		t.Errorf("%q, %v", steps, err)
	}
	for _, name := range []string{"00002_second.sql", "first.sql"} {
		if _, err := Read(fstest.MapFS{name: {}}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}
