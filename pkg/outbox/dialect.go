package outbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
)

// dialect is which of the two engines it is. Statements are the same for both, but for what stands here.
type dialect int

const (
	sqlite dialect = iota + 1
	postgres
)

// ask finds out by asking the database: the driver's type says nothing where it is wrapped.
func ask(ctx context.Context, db *sql.DB) (dialect, error) {
	var version string
	err := db.QueryRowContext(ctx, "SELECT version()").Scan(&version)
	switch {
	case err == nil && strings.HasPrefix(version, "PostgreSQL "):
		return postgres, nil
	case err == nil:
		return 0, fmt.Errorf("outbox: the database is neither SQLite nor PostgreSQL: %q", version)
	}
	asked := err
	if err := db.QueryRowContext(ctx, "SELECT sqlite_version()").Scan(&version); err != nil {
		return 0, fmt.Errorf("outbox: the database does not say what it is; it has to be SQLite or PostgreSQL: %w", errors.Join(asked, err))
	}
	return sqlite, nil
}

// count asks how many rows wait, how many are parked, and how many milliseconds the oldest has waited.
func (d dialect) count() string {
	return "SELECT count(CASE WHEN parked IS NULL THEN 1 END), count(parked), " + d.clock() +
		" - min(CASE WHEN parked IS NULL THEN created END) FROM lethe_outbox"
}

// clock is the time in milliseconds by the clock that lethe_outbox.created is set by.
func (d dialect) clock() string {
	if d == postgres {
		return "(extract(epoch FROM clock_timestamp()) * 1000)::BIGINT"
	}
	return "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"
}
