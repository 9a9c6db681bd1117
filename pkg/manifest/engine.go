package manifest

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
)

// database is a database and the two ways into it: for what reads, and for what changes.
type database struct {
	engine
	read, write *sql.DB       // the same for PostgreSQL and in memory
	turns       chan struct{} // one is held during a change: a pool that changes use up has none left for reads
	close       func() error
}

// engine is where SQLite and PostgreSQL differ; all other SQL is one text for both.
type engine struct {
	dialect goose.Dialect
	options sql.TxOptions
	// number draws the number of a change.
	number string
	// lock takes what locks.go describes; empty where a change has the whole database to itself.
	lock string
	// below finds what some objects refer to, for more locks; empty as well.
	below string
	// content is what tells one spec of a stored kind from another: a column to read beside its row, m, and the same of a text.
	content   string
	contentOf func(spec string) string
	// poll is how often the relay looks for what other processes have written, where the database does not tell it; 0 = rarely.
	poll time.Duration
	// inTx says that a plan may be made inside the transaction: there is another connection for what a kind's functions read. Where there is
	// none, one process has the database for itself.
	inTx bool
	// lost says of an error before COMMIT that the connection is gone, and with it the transaction.
	lost func(error) bool
	// dead says of an error of a read that its connection was, and that another one may not be.
	dead func(error) bool
	// again says of an error that the transaction is gone, nothing of it happened, and another try may succeed.
	again func(error) bool
	// unknown says of an error of COMMIT that it may have happened all the same.
	unknown func(error) bool
}

// querier is what *sql.DB and *sql.Tx have in common.
type querier interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// open finds the engine that dsn names. The error never shows dsn: there may be a password in it.
func open(ctx context.Context, dsn string) (*database, error) {
	scheme, rest, found := strings.Cut(dsn, ":")
	switch {
	case found && scheme == "sqlite" && rest != "":
		return openSQLite(ctx, rest)
	case strings.HasPrefix(dsn, "postgres://"), strings.HasPrefix(dsn, "postgresql://"):
		return openPostgres(ctx, dsn)
	}
	return nil, fmt.Errorf(`manifest: the database has to be "sqlite:FILE", "sqlite::memory:" or "postgres://…"; what was given begins with %q`, clip(scheme))
}
