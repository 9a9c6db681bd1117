package outbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"time"

	"github.com/pressly/goose/v3"
)

const (
	// versions is the table in which the migrations done are kept; another tool's are left alone.
	versions = "lethe_outbox_version"

	// schemaVersion is what Schema is.
	schemaVersion = 2

	// triesMost is how often Migrate begins again when another process is at it.
	triesMost = 10
)

// errElsewhere ends a migration that another process has done in the meantime.
var errElsewhere = errors.New("done by another process")

// Migrate creates or updates the tables of Schema, and keeps in lethe_outbox_version what it did. It may be called at every
// start, by several processes at once, and where Schema was run by hand. A database whose tables are newer than the program is
// refused.
func Migrate(ctx context.Context, db *sql.DB) error {
	d, err := ask(ctx, db)
	if err != nil {
		return err
	}
	for try := 1; ; try++ {
		if err = migrate(ctx, db, d); err == nil {
			return nil
		}
		var newer *newerError
		if ctx.Err() != nil || errors.As(err, &newer) || try == triesMost {
			return fmt.Errorf("outbox: migrate: %w", err)
		}
		select { // most likely another process was faster
		case <-ctx.Done():
		case <-time.After(rand.N(20 * time.Millisecond << min(try, 4))): //nolint:gosec // jitter is no secret
		}
	}
}

func migrate(ctx context.Context, db *sql.DB, d dialect) error {
	kind := goose.DialectSQLite3
	if d == postgres {
		kind = goose.DialectPostgres
	}
	var all []*goose.Migration
	for version := int64(1); version <= schemaVersion; version++ {
		step := func(ctx context.Context, tx *sql.Tx) error { return create(ctx, tx, d, version) }
		all = append(all, goose.NewGoMigration(version, &goose.GoFunc{RunTx: step}, nil))
	}
	p, err := goose.NewProvider(kind, db, nil, goose.WithTableName(versions), goose.WithGoMigrations(all...),
		goose.WithDisableGlobalRegistry(true), goose.WithLogger(log.New(io.Discard, "", 0)))
	if err != nil {
		return err
	}
	at, err := p.GetDBVersion(ctx)
	if err != nil {
		return err
	}
	if at > schemaVersion {
		return &newerError{at}
	}
	_, err = p.Up(ctx)
	return err
}

// create is each of the migrations: Schema only adds to what there is.
func create(ctx context.Context, tx *sql.Tx, d dialect, version int64) error {
	lock := "DELETE FROM " + versions + " WHERE version_id < 0" // the first statement writes: from here on this transaction is alone
	if d == postgres {
		lock = "LOCK TABLE " + versions + " IN SHARE ROW EXCLUSIVE MODE"
	}
	if _, err := tx.ExecContext(ctx, lock); err != nil {
		return err
	}
	var done int
	if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM "+versions+" WHERE version_id = $1", version).Scan(&done); err != nil {
		return err
	}
	if done > 0 {
		return errElsewhere
	}
	_, err := tx.ExecContext(ctx, Schema)
	return err
}

// newerError is why a database is left alone.
type newerError struct{ version int64 }

func (e *newerError) Error() string {
	return fmt.Sprintf("the tables are of version %d, this program knows %d: update the program", e.version, schemaVersion)
}
