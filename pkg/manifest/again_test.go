package manifest_test

import (
	"database/sql"
	"sync"
	"testing"

	"github.com/lethe-cache/lethe/internal/pgtest"
	"github.com/lethe-cache/lethe/pkg/lethe/lethetest"
	"github.com/lethe-cache/lethe/pkg/manifest"
)

// As after a restart of the server: the store holds connections that are dead, and does not know it.
func TestReadsSurviveThatAllConnectionsWereLost(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	p := openAt(t, dsn, lethetest.Fleet(t, 1)[0])
	must(p.bots.Apply(t.Context(), bot("helper", Bot{Account: "acme"})))
	var wg sync.WaitGroup
	for range 32 { // a pool full of connections
		wg.Go(func() { must(p.bots.Get(t.Context(), "acme", "helper")) })
	}
	wg.Wait()
	admin := must(sql.Open("pgx", dsn))
	defer func() { _ = admin.Close() }()
	for range 3 {
		if _, err := admin.ExecContext(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"); err != nil {
			t.Fatal(err)
		}
		if _, err := p.bots.Get(t.Context(), "acme", "helper"); err != nil {
			t.Error(err)
		}
		if _, _, err := p.store.List(t.Context(), "Bot", manifest.ListOptions{}); err != nil {
			t.Error(err)
		}
	}
}
