package pooler_test

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"go.uber.org/goleak"

	"github.com/lethe-cache/lethe/internal/pgtest"
	"github.com/lethe-cache/lethe/internal/pooler"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func TestModeOfAPoolerIsFound(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, mode string
		settings   []string
		want       pooler.Mode
		err        error
	}{
		{name: "no pooler", want: pooler.None},
		{name: "session", mode: "session", want: pooler.Session},
		{name: "session in turn", mode: "session", settings: []string{"server_round_robin = 1"}, want: pooler.Session},
		{name: "transaction", mode: "transaction", want: pooler.Transaction},
		{name: "transaction in turn", mode: "transaction", settings: []string{"server_round_robin = 1", "min_pool_size = 5"}, want: pooler.Transaction},
		{name: "transaction with one connection", mode: "transaction", settings: []string{"default_pool_size = 1"}, want: pooler.Transaction},
		{name: "statement", mode: "statement", err: pooler.ErrStatement},
		{name: "session with one connection", mode: "session", settings: []string{"default_pool_size = 1"}, err: pooler.ErrFull},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			dsn := pgtest.DSN(t)
			if tc.mode != "" {
				dsn = pgtest.Bouncer(t, dsn, tc.mode, tc.settings...)
			}
			db := open(t, dsn)
			for range 3 { // of the program that starts, and of those that find the pool warm
				if got, err := pooler.Find(t.Context(), db); got != tc.want || !errors.Is(err, tc.err) {
					t.Fatalf("found %v, %v; want %v, %v", got, err, tc.want, tc.err)
				}
			}
		})
	}
}

// Others take and give back the connections all the time.
func TestModeIsFoundAmongOtherClients(t *testing.T) {
	t.Parallel()
	for mode, want := range map[string]pooler.Mode{"session": pooler.Session, "transaction": pooler.Transaction} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			dsn := pgtest.Bouncer(t, pgtest.DSN(t), mode)
			ctx, cancel := context.WithCancel(t.Context())
			var wg sync.WaitGroup
			defer wg.Wait()
			defer cancel()
			for range 4 {
				other := open(t, dsn)
				other.SetMaxOpenConns(1)
				wg.Go(func() {
					for ctx.Err() == nil {
						_, _ = other.ExecContext(ctx, "SELECT 1")
					}
				})
			}
			for range 10 {
				db := open(t, dsn)
				if got, err := pooler.Find(ctx, db); got != want || err != nil {
					t.Errorf("found %v, %v; want %v", got, err, want)
				}
				_ = db.Close()
			}
		})
	}
}

func TestProgramWithOneConnectionTakesAPoolerForTheStricterMode(t *testing.T) {
	t.Parallel()
	db := open(t, pgtest.Bouncer(t, pgtest.DSN(t), "session"))
	db.SetMaxOpenConns(1)
	if got, err := pooler.Find(t.Context(), db); got != pooler.Transaction || err != nil {
		t.Errorf("found %v, %v", got, err)
	}
}

func TestParameterThatAPoolerRefusesIsExplained(t *testing.T) {
	t.Parallel()
	db := open(t, pgtest.Bouncer(t, pgtest.DSN(t), "transaction")+"&search_path=public")
	if _, err := pooler.Find(t.Context(), db); err == nil || !strings.Contains(err.Error(), "ALTER ROLE") || !strings.Contains(err.Error(), "search_path") {
		t.Errorf("error %v", err)
	}
}

func TestStatementsThatRestOnASessionAreKnown(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	for mode, want := range map[string]bool{
		"": false, "cache_statement": false, "describe_exec": false, "cache_describe": true, "exec": true, "simple_protocol": true,
	} {
		address := dsn
		if mode != "" {
			address += "&default_query_exec_mode=" + mode
		}
		if got, err := pooler.Safe(t.Context(), open(t, address)); got != want || err != nil {
			t.Errorf("%q: safe %v, %v; want %v", mode, got, err, want)
		}
	}
	pool, err := pgxpool.New(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	db := stdlib.OpenDBFromPool(pool)
	defer func() { _ = db.Close() }()
	if got, err := pooler.Safe(t.Context(), db); got || err != nil {
		t.Errorf("pgxpool: safe %v, %v", got, err)
	}
	if pooler.SafeMode(pgx.QueryExecModeCacheStatement) {
		t.Error("cache_statement is safe")
	}
}
