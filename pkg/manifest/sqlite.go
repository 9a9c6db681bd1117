package manifest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"github.com/lethe-cache/lethe/pkg/event"
)

// sqliteReaders is how many reads of a SQLite file run at a time.
const sqliteReaders = 4

func sqliteEngine() engine {
	return engine{
		dialect: goose.DialectSQLite3,
		number:  "UPDATE lethe_manifest_counter SET value = value + 1 RETURNING value",
		// The text itself: there is no network between.
		content:   "m.spec",
		contentOf: func(spec string) string { return spec },

		poll:  50 * time.Millisecond,
		inTx:  true,
		lost:  func(error) bool { return false },
		dead:  func(error) bool { return false },
		again: func(err error) bool { return sqliteCode(err, lib.SQLITE_BUSY, lib.SQLITE_LOCKED) },
		// A commit that could not be written may be found in the log when the file is opened the next time.
		unknown: func(err error) bool { return sqliteCode(err, lib.SQLITE_IOERR) },
	}
}

// sqliteCode says whether err has one of the primary codes.
func sqliteCode(err error, codes ...int) bool {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return false
	}
	for _, code := range codes {
		if e.Code()&0xff == code {
			return true
		}
	}
	return false
}

// openSQLite opens a file, or ":memory:". One connection changes it; the file has others that read beside it.
func openSQLite(ctx context.Context, file string) (*database, error) {
	if strings.HasPrefix(file, "//") && !strings.HasPrefix(file, "///") {
		return nil, fmt.Errorf("manifest: sqlite:%s: a file is given as sqlite:relative/path or sqlite:/absolute/path", clip(file))
	}
	// The pause for another process's change is short: a busy SQLite does not hear that a context has ended. What is busy for
	// longer is tried again (again).
	settings := "_pragma=busy_timeout(2000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)&_dqs=0"
	d := &database{engine: sqliteEngine(), turns: make(chan struct{}, 1)}
	if file == ":memory:" {
		return d.inMemory(ctx, settings)
	}
	name := "file:" + (&url.URL{Path: file}).EscapedPath() + "?" + settings
	var err error
	if d.write, err = sql.Open("sqlite", name+"&_txlock=immediate"); err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	d.write.SetMaxOpenConns(1)
	if d.read, err = sql.Open("sqlite", name+"&_pragma=query_only(1)"); err != nil {
		return nil, errors.Join(fmt.Errorf("manifest: %w", err), d.write.Close())
	}
	d.read.SetMaxOpenConns(sqliteReaders)
	d.close = func() error { return errors.Join(d.read.Close(), d.write.Close()) }
	return d, nil
}

// inMemory is a database of its own for each call, gone with the store. One connection does everything; another only keeps the
// database alive, should the first be lost.
func (d *database) inMemory(ctx context.Context, settings string) (*database, error) {
	db, err := sql.Open("sqlite", "file:/lethe-"+event.NewID()+"?vfs=memdb&_txlock=immediate&"+settings)
	if err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	db.SetMaxOpenConns(2)
	keeper, err := db.Conn(ctx)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("manifest: %w", err), db.Close())
	}
	d.read, d.write, d.inTx, d.poll = db, db, false, 0
	d.close = func() error { return errors.Join(keeper.Close(), db.Close()) }
	return d, nil
}
