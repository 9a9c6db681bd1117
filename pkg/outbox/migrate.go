package outbox

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/pressly/goose/v3/database"

	"github.com/lethe-cache/lethe/internal/migrate"
)

// versions is the table in which the migrations done are kept, in goose's form; another tool's are left alone.
const versions = "lethe_outbox_version"

// Migrate creates or updates the tables of Schema, and keeps in lethe_outbox_version what it did. It may be called at every
// start, by several processes at once, and where Schema was run by hand. On tables as they should be it only reads, and waits for nobody. A
// database whose tables are newer than the program is refused.
func Migrate(ctx context.Context, db *sql.DB) error {
	d, err := ask(ctx, db)
	if err != nil {
		return err
	}
	kind := database.DialectSQLite3
	if d == postgres {
		kind = database.DialectPostgres
	}
	// Schema only adds to what there is: each version runs it once more.
	if err := (migrate.Set{Table: versions, Steps: []string{Schema, Schema}}).Up(ctx, db, kind); err != nil {
		return fmt.Errorf("outbox: migrate: %w", err)
	}
	return nil
}
