package manifest_test

import (
	"context"
	"database/sql"
	"sync"
	"testing"

	"github.com/lethe-cache/lethe/pkg/lethe/lethetest"
	"github.com/lethe-cache/lethe/pkg/manifest"
)

// Where the tables are there, ten nodes start while another program migrates and does not come to an end: they only read, and wait neither for it nor
// for each other.
func TestTenNodesStartOnATableThatNobodyMayWriteTo(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, e engine) {
		if e.one {
			return
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		dsn, nodes := e.dsn(t), lethetest.Fleet(t, 10)
		if err := must(manifest.Open(ctx, dsn, nodes[0])).Close(); err != nil {
			t.Fatal(err)
		}
		if e.name == "postgres" {
			other := must(sql.Open("pgx", dsn))
			defer func() { _ = other.Close() }()
			tx := must(other.BeginTx(ctx, nil))
			defer func() { _ = tx.Rollback() }()
			must(tx.ExecContext(ctx, "LOCK TABLE lethe_manifest_version, lethe_outbox_version, lethe_manifests, lethe_outbox IN EXCLUSIVE MODE"))
			must(tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock(4097083626)")) // goose's own
		}
		var wg sync.WaitGroup
		for _, node := range nodes {
			wg.Go(func() {
				s, err := manifest.Open(ctx, dsn, node)
				if err != nil {
					t.Error(err)
					return
				}
				if err := s.Ready(ctx); err != nil {
					t.Error(err)
				}
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	})
}

// BenchmarkTenNodesStart is how long it takes until ten nodes are ready on one database: an empty one, and one whose tables are there.
func BenchmarkTenNodesStart(b *testing.B) {
	for _, e := range engines()[1:] {
		for name, made := range map[string]bool{"fresh": false, "made": true} {
			b.Run(e.name+"/"+name, func(b *testing.B) {
				nodes := lethetest.Fleet(b, 10)
				for b.Loop() {
					b.StopTimer()
					dsn := e.dsn(b)
					if made {
						_ = must(manifest.Open(b.Context(), dsn, nodes[0])).Close()
					}
					stores := make([]*manifest.Store, len(nodes))
					b.StartTimer()
					var wg sync.WaitGroup
					for i, node := range nodes {
						wg.Go(func() {
							s := must(manifest.Open(b.Context(), dsn, node))
							if err := s.Ready(b.Context()); err != nil {
								b.Error(err)
							}
							stores[i] = s
						})
					}
					wg.Wait()
					b.StopTimer()
					for _, s := range stores {
						_ = s.Close()
					}
					b.StartTimer()
				}
			})
		}
	}
}
