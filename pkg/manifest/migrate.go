package manifest

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"time"

	"github.com/lethe-cache/lethe/internal/migrate"
)

//go:embed migrations/*.sql
var migrations embed.FS

// versionTable is of goose's form, apart from that of the program the database may belong to.
const versionTable = "lethe_manifest_version"

// migrate creates or updates the tables. Several processes may do so at once; on a database as it should be it only reads.
func (d *database) migrate(ctx context.Context) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("manifest: %w", err)
	}
	steps, err := migrate.Read(files)
	if err != nil {
		return fmt.Errorf("manifest: %w", err)
	}
	err = migrate.Set{Table: versionTable, Steps: steps}.Up(ctx, d.write, d.dialect)
	if newer := (*migrate.NewerError)(nil); errors.As(err, &newer) {
		return fmt.Errorf("manifest: the database was made by a newer program (version %d of its tables, this program knows %d): use that one",
			newer.At, newer.Knows)
	}
	if err != nil {
		return fmt.Errorf("manifest: the database's tables could not be made: %w", err)
	}
	return nil
}

// pause waits for about d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d/2 + rand.N(d)) //nolint:gosec // so that those who wait don't come back together
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
