package manifest_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	_ "modernc.org/sqlite"

	"github.com/lethe-cache/lethe/pkg/lethe/lethetest"
	"github.com/lethe-cache/lethe/pkg/manifest"
	"github.com/lethe-cache/lethe/pkg/outbox"
)

func TestSeveralProcessesMayMakeTheTablesAtOnce(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, e engine) {
		dsn, node := e.dsn(t), lethetest.Fleet(t, 1)[0]
		var wg sync.WaitGroup
		for range 6 {
			wg.Go(func() {
				s, err := manifest.Open(t.Context(), dsn, node)
				if err != nil {
					t.Error(err)
					return
				}
				if err := s.Ready(t.Context()); err != nil {
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

func TestADatabaseThatANewerProgramHasMadeIsRefused(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, e engine) {
		if e.one {
			return
		}
		dsn, node := e.dsn(t), lethetest.Fleet(t, 1)[0]
		if err := must(manifest.Open(t.Context(), dsn, node)).Close(); err != nil {
			t.Fatal(err)
		}
		driver, name := "pgx", dsn
		if file, ok := strings.CutPrefix(dsn, "sqlite:"); ok {
			driver, name = "sqlite", file
		}
		db := must(sql.Open(driver, name))
		defer func() { _ = db.Close() }()
		must(db.ExecContext(t.Context(), "INSERT INTO lethe_manifest_version (version_id, is_applied) VALUES (999, true)"))
		if _, err := manifest.Open(t.Context(), dsn, node); err == nil || !strings.Contains(err.Error(), "was made by a newer program (version 999 of its tables, this program knows 1)") {
			t.Error(err)
		}
	})
}

func TestAnAddressOfADatabaseThatIsNoneIsRefusedWithoutShowingIt(t *testing.T) {
	t.Parallel()
	node := lethetest.Fleet(t, 1)[0]
	for dsn, want := range map[string]string{
		"":                                "has to be",
		"lethe.db":                        "has to be",
		"mysql://root:secret@host/db":     `begins with "mysql"`,
		"sqlite:":                         "has to be",
		"sqlite://lethe.db":               "sqlite:relative/path or sqlite:/absolute/path",
		"sqlite:/no/such/folder/lethe.db": "unable to open database file",
		"postgres://u:secret@127.0.0.1:1/db?sslmode=disable":       "refused",
		"postgres://u:secret@h:port/db":                            "",
		"postgresql://u:secret@127.0.0.1:1/db?pool_max_conns=many": "pool_max_conns",
		"postgresql://u:secret@127.0.0.1:1/db?pool_max_conns=1":    "at least 4",
	} {
		s, err := manifest.Open(t.Context(), dsn, node)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", dsn, err)
		}
		if s != nil {
			t.Error(dsn)
		}
	}
	if _, err := manifest.Open(t.Context(), "sqlite::memory:", nil); err == nil || !strings.Contains(err.Error(), "publisher is nil") {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, e := range engines() {
		if _, err := manifest.Open(ctx, e.dsn(t), node); err == nil {
			t.Errorf("%s was opened", e.name)
		}
	}
}

func TestAFileIsTakenByItsVeryName(t *testing.T) {
	t.Parallel()
	node, dir := lethetest.Fleet(t, 1)[0], t.TempDir()
	for _, name := range []string{"a b.db", "a?mode=memory.db", "a#b%41.db", "ä&=.db", "file:x.db"} {
		s, err := manifest.Open(t.Context(), "sqlite:"+filepath.Join(dir, name), node)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
}

func TestTwoDatabasesInMemoryAreTwo(t *testing.T) {
	t.Parallel()
	nodes := lethetest.Fleet(t, 1)
	a, b := openAt(t, "sqlite::memory:", nodes[0]), openAt(t, "sqlite::memory:", nodes[0])
	must(a.bots.Apply(t.Context(), bot("helper", Bot{Account: "a"})))
	if _, err := b.bots.Get(t.Context(), "acme", "helper"); !errors.Is(err, manifest.ErrNotFound) {
		t.Error(err)
	}
}

func TestWhatWasStoredIsThereAfterARestart(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, e engine) {
		if e.one {
			return
		}
		dsn, node := e.dsn(t), lethetest.Fleet(t, 1)[0]
		for n := range 3 {
			s := must(manifest.Open(t.Context(), dsn, node))
			bots := must(manifest.Register(t.Context(), s, botKind()))
			if n > 0 {
				if m := must(bots.Get(t.Context(), "acme", "helper")); m.Metadata.Generation != int64(n) || m.Spec.Account != fmt.Sprint(n-1) {
					t.Errorf("%+v", m)
				}
			}
			must(bots.Apply(t.Context(), bot("helper", Bot{Account: fmt.Sprint(n)})))
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestAProcessOnAnotherBusRefusesToReadAndToWrite(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, e engine) {
		if e.one {
			return
		}
		dsn := e.dsn(t)
		here, there := lethetest.Fleet(t, 1)[0], lethetest.Fleet(t, 1)[0]
		p := openAt(t, dsn, here)
		if err := p.store.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		must(p.bots.Apply(t.Context(), bot("helper", Bot{Account: "a"})))
		q := openAt(t, dsn, there)
		eventually(t, "it is told that it is on another bus", func() bool {
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			err := q.store.Ready(ctx) // it waits: the other bus may be given up
			return errors.Is(err, outbox.ErrOtherBus)
		})
		ctx := t.Context()
		for name, call := range map[string]func() error{
			"apply":      func() error { _, err := q.store.Apply(ctx, []byte(three)); return err },
			"dry run":    func() error { _, err := q.store.DryRun(ctx, []byte(three)); return err },
			"diff":       func() error { _, err := q.store.Diff(ctx, []byte(three)); return err },
			"apply one":  func() error { _, err := q.bots.Apply(ctx, bot("helper", Bot{Account: "b"})); return err },
			"delete":     func() error { _, err := q.bots.Delete(ctx, "acme", "helper"); return err },
			"get":        func() error { _, err := q.bots.Get(ctx, "acme", "helper"); return err },
			"get any":    func() error { _, err := q.store.Get(ctx, "bot", "acme", "helper"); return err },
			"list":       func() error { _, _, err := q.bots.List(ctx, manifest.ListOptions{}); return err },
			"list any":   func() error { _, _, err := q.store.List(ctx, "bots", manifest.ListOptions{}); return err },
			"invalidate": func() error { _, err := q.bots.InvalidateCache(ctx, "acme", "helper"); return err },
			"status":     func() error { _, err := q.bots.SetStatus(ctx, "acme", "helper", 1); return err },
			"kinds":      func() error { _, err := q.store.Kinds(ctx); return err },
			"kind":       func() error { _, err := q.store.Kind(ctx, "bot"); return err },
		} {
			if err := call(); !errors.Is(err, outbox.ErrOtherBus) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if m := must(p.bots.Get(ctx, "acme", "helper")); m.Spec.Account != "a" {
			t.Errorf("%+v", m)
		}
		registry := prometheus.NewRegistry()
		registry.MustRegister(p.store.Collector())
		if found := must(registry.Gather()); len(found) == 0 {
			t.Error("no metrics")
		}
	})
}
