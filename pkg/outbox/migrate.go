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
	for version := range int64(schemaVersion) {
		step := func(ctx context.Context, tx *sql.Tx) error { return bring(ctx, tx, d, version+1) }
		all = append(all, goose.NewGoMigration(version+1, &goose.GoFunc{RunTx: step}, nil))
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

// bring is each of the migrations: it makes the tables what Schema says, from whatever they are.
func bring(ctx context.Context, tx *sql.Tx, d dialect, version int64) error {
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
	first, err := ofFirstVersion(ctx, tx, d)
	if err != nil {
		return err
	}
	if first {
		if err := update(ctx, tx); err != nil {
			return err
		}
	}
	_, err = tx.ExecContext(ctx, Schema)
	return err
}

// ofFirstVersion says whether the tables are there and know what was announced by the rows' numbers.
func ofFirstVersion(ctx context.Context, tx *sql.Tx, d dialect) (bool, error) {
	columns := "SELECT name FROM pragma_table_info('lethe_outbox_done')"
	if d == postgres {
		columns = "SELECT attname AS name FROM pg_attribute WHERE attrelid = to_regclass('lethe_outbox_done') AND attnum > 0 AND NOT attisdropped"
	}
	var all, ids int
	err := tx.QueryRowContext(ctx, "SELECT count(*), count(CASE WHEN name = 'id' THEN 1 END) FROM ("+columns+") AS c").Scan(&all, &ids)
	return all > 0 && ids == 0, err
}

// update makes tables of the first version ready for Schema. Relays of that version go on working with them.
func update(ctx context.Context, tx *sql.Tx) error {
	for _, statement := range []string{
		"ALTER TABLE lethe_outbox_done RENAME TO lethe_outbox_done_1",
		"DROP INDEX lethe_outbox_done_ticket",
		"CREATE TABLE lethe_outbox_done (id TEXT, number BIGINT NOT NULL, ticket TEXT NOT NULL, fleet TEXT NOT NULL, epoch TEXT NOT NULL, sequence BIGINT NOT NULL)",
		"INSERT INTO lethe_outbox_done (number, ticket, fleet, epoch, sequence) SELECT number, ticket, fleet, epoch, sequence FROM lethe_outbox_done_1",
		"DROP TABLE lethe_outbox_done_1",
		"ALTER TABLE lethe_outbox_bus ADD COLUMN home TEXT NOT NULL DEFAULT ''",
		"ALTER TABLE lethe_outbox_bus ADD COLUMN life TEXT NOT NULL DEFAULT ''",
	} {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// newerError is why a database is left alone.
type newerError struct{ version int64 }

func (e *newerError) Error() string {
	return fmt.Sprintf("the tables are of version %d, this program knows %d: update the program", e.version, schemaVersion)
}
