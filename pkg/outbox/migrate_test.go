package outbox_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/outbox"
)

func TestManyProcessesMigrateAtOnceAndOnceMore(t *testing.T) {
	conform(t, func(t *testing.T, e engine) {
		dsn := e.dsn(t)
		var wg sync.WaitGroup
		for range 8 {
			db := e.open(t, dsn)
			wg.Go(func() {
				for range 2 {
					if err := outbox.Migrate(t.Context(), db); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		db := e.open(t, dsn)
		if n := count(t, db, "SELECT count(*) FROM lethe_outbox_version WHERE version_id = 1"); n != 1 {
			t.Errorf("the migration was done %d times", n)
		}
		p := settle(t, connect(t, serve(t)))
		mustWait(t, start(t, db, p), e.write(t, db, true, event.Tag("user:1")))
	})
}

func TestTheSchemaByHandIsTheSameAndMayBeRunAgain(t *testing.T) {
	conform(t, func(t *testing.T, e engine) {
		db := e.open(t, e.dsn(t))
		run(t, db, outbox.Schema)
		run(t, db, outbox.Schema)
		e.write(t, db, true, event.Tag("user:1"))
		if err := outbox.Migrate(t.Context(), db); err != nil {
			t.Fatal(err)
		}
		run(t, db, outbox.Schema)
		p := settle(t, connect(t, serve(t)))
		drained(t, start(t, db, p))
		if n := len(said(t, p.nc)); n != 1 {
			t.Errorf("%d events", n)
		}
	})
}

func TestTablesOfANewerProgramAreLeftAlone(t *testing.T) {
	conform(t, func(t *testing.T, e engine) {
		_, db := e.fresh(t)
		run(t, db, "UPDATE lethe_outbox_version SET version_id = 99 WHERE version_id = 1")
		if err := outbox.Migrate(t.Context(), db); err == nil || !strings.Contains(err.Error(), "update the program") {
			t.Errorf("error %v", err)
		}
	})
}

func TestAnotherToolsMigrationsAreLeftAlone(t *testing.T) {
	conform(t, func(t *testing.T, e engine) {
		db := e.open(t, e.dsn(t))
		run(t, db, "CREATE TABLE goose_db_version (mine TEXT)")
		if err := outbox.Migrate(t.Context(), db); err != nil {
			t.Error(err)
		}
	})
}
