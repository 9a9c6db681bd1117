package pgtest_test

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/lethe-cache/lethe/internal/pgtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestEachDatabaseIsOfItsOwn(t *testing.T) {
	t.Parallel()
	a, b := connect(t, pgtest.DSN(t)), connect(t, pgtest.DSN(t))
	if _, err := a.Exec(t.Context(), "CREATE TABLE things (name text)"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Exec(t.Context(), "SELECT FROM things"); err == nil {
		t.Error("the second database has the first one's table")
	}
	var version string
	if err := a.QueryRow(t.Context(), "SHOW server_version").Scan(&version); err != nil {
		t.Fatal(err)
	}
	t.Log(version)
}

func connect(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(t.Context()) })
	return conn
}
