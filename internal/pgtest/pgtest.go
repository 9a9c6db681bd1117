package pgtest

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// patience bounds what happens once; nothing is measured with it.
const patience = 2 * time.Minute

// one server a test process: starting it takes seconds, a database of it milliseconds.
//
//nolint:gochecknoglobals // it has to outlive the tests that share it, and only tests see it
var one = sync.OnceValues(start)

// Start returns the address of a server that ends with this process, for programs that are tests themselves: it is started once.
func Start() (address string, err error) {
	s, err := one()
	if err != nil {
		return "", fmt.Errorf("no PostgreSQL: %w; apt-get install postgresql", err)
	}
	return s.address, nil
}

// DSN returns the address of an empty database of its own, which is dropped when the test ends, on a server that the test
// process started, or on the one that the variable LETHE_TEST_POSTGRES names. It fails the test where there is none.
func DSN(tb testing.TB) string {
	tb.Helper()
	server := os.Getenv("LETHE_TEST_POSTGRES")
	if server == "" {
		own, err := one()
		if err != nil {
			tb.Fatalf("no PostgreSQL to test with: %v; apt-get install postgresql, or set LETHE_TEST_POSTGRES to the address of a server", err)
		}
		server = own.address
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(tb.Context()), patience)
	defer cancel()
	name := "lethe_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	if err := admin(ctx, server, "CREATE DATABASE "+name+" TEMPLATE template0"); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(tb.Context()), patience)
		defer cancel()
		if err := admin(ctx, server, "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			tb.Error(err)
		}
	})
	dsn, err := url.Parse(server)
	if err != nil || dsn.Scheme == "" {
		tb.Fatalf("LETHE_TEST_POSTGRES is %q: use an address like postgres://postgres@127.0.0.1:5432/postgres", server)
	}
	dsn.Path = "/" + name
	return dsn.String()
}

// admin does one thing to the server.
func admin(ctx context.Context, server, sql string) error {
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		return fmt.Errorf("pgtest: %w", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	if _, err := conn.Exec(ctx, sql); err != nil {
		return fmt.Errorf("pgtest: %s: %w", sql, err)
	}
	return nil
}
