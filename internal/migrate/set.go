package migrate

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/pressly/goose/v3/database"
)

// lockClass keeps the locks apart from others in a database of PostgreSQL: "letm".
const lockClass = 0x6c65746d

// triesMost is how often a migration of SQLite begins again when another process is at it.
const triesMost = 20

// Set is what the tables of one package have come from.
type Set struct {
	Table string   // the versions done
	Steps []string // statements; the first leads to version 1
}

// NewerError says that a database has tables of a version that this program does not know.
type NewerError struct {
	At    int64 // the version of the tables
	Knows int64 // the last that this program knows
}

func (e *NewerError) Error() string {
	return fmt.Sprintf("the tables are of version %d, this program knows %d: update the program", e.At, e.Knows)
}

// Read makes steps of the files of a folder, 00001_NAME.sql and on, in their order. What follows "-- +goose Down" is left out.
func Read(folder fs.FS) ([]string, error) {
	names, err := fs.Glob(folder, "*.sql") // sorted
	if err != nil {
		return nil, err
	}
	steps := make([]string, len(names))
	for i, name := range names {
		number, _, _ := strings.Cut(name, "_")
		if n, err := strconv.Atoi(number); err != nil || n != i+1 {
			return nil, fmt.Errorf("migrate: file %s: want version %d", name, i+1)
		}
		text, err := fs.ReadFile(folder, name)
		if err != nil {
			return nil, err
		}
		steps[i], _, _ = strings.Cut(string(text), "-- +goose Down")
	}
	return steps, nil
}

// Up brings a database to the last version. Any number of processes may call it at once, and at every start.
func (s Set) Up(ctx context.Context, db *sql.DB, d database.Dialect) error {
	versions, err := database.NewStore(d, s.Table)
	if err != nil {
		return err
	}
	for try := 1; ; try++ {
		err := s.once(ctx, db, d, versions)
		if err == nil || d == database.DialectPostgres || try == triesMost || ctx.Err() != nil || errors.As(err, new(*NewerError)) {
			return err
		}
		select { // SQLite has no lock to wait for: who comes second fails, and finds everything done the next time
		case <-ctx.Done():
		case <-time.After(rand.N(10 * time.Millisecond << min(try, 4))): //nolint:gosec // jitter is no secret
		}
	}
}

func (s Set) once(ctx context.Context, db *sql.DB, d database.Dialect, versions database.Store) error {
	at, err := current(ctx, db, d, versions)
	if err != nil {
		return err
	}
	if done, err := s.done(at); done || err != nil {
		return err
	}
	options := &sql.TxOptions{}
	if d == database.DialectPostgres { // whatever the database's default: what is read behind the lock has to be the latest
		options.Isolation = sql.LevelReadCommitted
	}
	tx, err := db.BeginTx(ctx, options)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if at, err = s.enter(ctx, tx, d, versions); err != nil {
		return err
	}
	if done, err := s.done(at); done || err != nil {
		return err
	}
	for i := at; i < int64(len(s.Steps)); i++ {
		if _, err := tx.ExecContext(ctx, s.Steps[i]); err != nil {
			return fmt.Errorf("version %d: %w", i+1, err)
		}
		if err := versions.Insert(ctx, tx, database.InsertRequest{Version: i + 1}); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// enter waits until this transaction is the only one that migrates, and returns the version that it finds then.
func (s Set) enter(ctx context.Context, tx *sql.Tx, d database.Dialect, versions database.Store) (at int64, err error) {
	if d == database.DialectPostgres {
		if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock($1, $2)", lockClass, s.lock()); err != nil {
			return 0, err
		}
	}
	if at, err = current(ctx, tx, d, versions); err != nil {
		return 0, err
	}
	if at < 0 {
		if err := versions.CreateVersionTable(ctx, tx); err != nil {
			return 0, err
		}
		return 0, versions.Insert(ctx, tx, database.InsertRequest{Version: 0}) // as goose begins
	}
	if d == database.DialectPostgres {
		return at, nil
	}
	// A statement that writes nothing makes a transaction of SQLite the only one that writes.
	if _, err := tx.ExecContext(ctx, "DELETE FROM "+s.Table+" WHERE version_id < 0"); err != nil { //nolint:gosec // the name is a constant of the package
		return 0, err
	}
	return current(ctx, tx, d, versions)
}

func (s Set) lock() int32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(s.Table))
	return int32(h.Sum32())
}

// done says whether nothing is left to do for a database of version at.
func (s Set) done(at int64) (bool, error) {
	last := int64(len(s.Steps))
	if at > last {
		return false, &NewerError{At: at, Knows: last}
	}
	return at == last, nil
}

// current is the version of the tables; -1: there are none.
func current(ctx context.Context, db database.DBTxConn, d database.Dialect, versions database.Store) (int64, error) {
	if there, err := exists(ctx, db, d, versions); err != nil || !there {
		return -1, err
	}
	at, err := versions.GetLatestVersion(ctx, db)
	if errors.Is(err, database.ErrVersionNotFound) {
		return 0, nil
	}
	return at, err
}

// exists asks the catalogue: a statement about a table that is not there would end the transaction.
func exists(ctx context.Context, db database.DBTxConn, d database.Dialect, versions database.Store) (there bool, err error) {
	if d == database.DialectPostgres {
		// The same as tables are made in: the first schema of the search_path that is there.
		row := db.QueryRowContext(ctx, "SELECT EXISTS (SELECT FROM pg_tables WHERE schemaname = current_schema() AND tablename = $1)", versions.Tablename())
		err = row.Scan(&there)
		return there, err
	}
	row := db.QueryRowContext(ctx, "SELECT count(*) > 0 FROM sqlite_master WHERE type = 'table' AND name = $1", versions.Tablename())
	err = row.Scan(&there)
	return there, err
}
