package manifest

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations/*.sql
var migrations embed.FS

// versionTable is goose's, apart from that of the program the database may belong to.
const versionTable = "lethe_manifest_version"

// migrate creates or updates the tables. Several processes may do so at once: PostgreSQL makes them queue; in SQLite the one that
// comes second fails, and finds everything done when it tries again.
func (d *database) migrate(ctx context.Context) error {
	const tries = 20
	for try := 1; ; try++ {
		err := d.migrateOnce(ctx)
		if err == nil || try == tries || d.dialect != goose.DialectSQLite3 || ctx.Err() != nil {
			return err
		}
		pause(ctx, time.Duration(try)*10*time.Millisecond)
	}
}

func (d *database) migrateOnce(ctx context.Context) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("manifest: %w", err)
	}
	options := []goose.ProviderOption{goose.WithTableName(versionTable), goose.WithDisableGlobalRegistry(true)}
	if d.dialect == goose.DialectPostgres {
		locker, err := lock.NewPostgresSessionLocker()
		if err != nil {
			return fmt.Errorf("manifest: %w", err)
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	provider, err := goose.NewProvider(d.dialect, d.write, files, options...)
	if err != nil {
		return fmt.Errorf("manifest: %w", err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("manifest: the database's tables could not be made: %w", err)
	}
	at, err := provider.GetDBVersion(ctx)
	if err != nil {
		return fmt.Errorf("manifest: %w", err)
	}
	if newest := provider.ListSources(); at > newest[len(newest)-1].Version {
		return fmt.Errorf("manifest: the database was made by a newer program (version %d of its tables, this program knows %d): use that one",
			at, newest[len(newest)-1].Version)
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
