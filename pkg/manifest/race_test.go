package manifest_test

import (
	"database/sql"
	"errors"
	"slices"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/manifest"
)

// stopped is a PostgreSQL in which changes stop before their last statement, the one that writes the announcement, until they are
// let go on.
type stopped struct {
	t  *testing.T
	db *sql.DB
	tx *sql.Tx
}

func stop(t *testing.T, dsn string) *stopped {
	t.Helper()
	db := must(sql.Open("pgx", dsn))
	t.Cleanup(func() { _ = db.Close() })
	tx := must(db.BeginTx(t.Context(), nil))
	must(tx.ExecContext(t.Context(), "LOCK TABLE lethe_outbox IN SHARE MODE"))
	return &stopped{t, db, tx}
}

// waiting waits until n changes are stopped, or wait for one that is. The relay's own work on the table is not counted.
func (s *stopped) waiting(n int) {
	s.t.Helper()
	eventually(s.t, "changes wait", func() bool {
		var have int
		if err := s.db.QueryRowContext(s.t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "+
			"AND wait_event_type = 'Lock' AND (query LIKE 'INSERT INTO lethe_outbox (%' OR query LIKE '%pg_advisory_xact_lock%')").Scan(&have); err != nil {
			s.t.Fatal(err)
		}
		return have >= n
	})
}

// blocked waits until n changes wait for a lock of others.
func (s *stopped) blocked(n int) {
	s.t.Helper()
	eventually(s.t, "a change waits for a lock", func() bool {
		var have int
		if err := s.db.QueryRowContext(s.t.Context(), "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted "+
			"AND database = (SELECT oid FROM pg_database WHERE datname = current_database())").Scan(&have); err != nil {
			s.t.Fatal(err)
		}
		return have == n
	})
}

func (s *stopped) goOn() { _ = s.tx.Rollback() }

func TestAReferenceThatIsBeingWrittenIsNotMissed(t *testing.T) {
	t.Parallel()
	e := engines()[2]
	for name, tc := range map[string]struct {
		before func(*place)
		writer func(*place) error
		change func(*place) (event.Token, error)
		want   []string
	}{
		"to what is changed": {
			before: func(p *place) { must(p.plugins.Apply(t.Context(), plugin("search", Plugin{}))) },
			writer: func(p *place) error {
				_, err := p.bots.Apply(t.Context(), bot("helper", Bot{Account: "a", Plugins: []string{"search"}}))
				return err
			},
			change: func(p *place) (event.Token, error) {
				r, err := p.plugins.Apply(t.Context(), plugin("search", Plugin{Endpoint: "new"}))
				return r.Token, err
			},
			want: []string{"tag/bot:acme/helper"},
		},
		"to what does not exist yet": {
			before: func(*place) {},
			writer: func(p *place) error {
				_, err := p.bots.Apply(t.Context(), bot("helper", Bot{Account: "a", Plugins: []string{"search"}}))
				return err
			},
			change: func(p *place) (event.Token, error) {
				r, err := p.plugins.Apply(t.Context(), plugin("search", Plugin{Endpoint: "new"}))
				return r.Token, err
			},
			want: []string{"tag/bot:acme/helper"},
		},
		"to what refers to what is changed": {
			before: func(p *place) {
				must(p.plugins.Apply(t.Context(), plugin("search", Plugin{Provider: "p1"})))
				must(p.bots.Apply(t.Context(), bot("friend", Bot{Account: "a", Friend: "helper"})))
			},
			writer: func(p *place) error {
				_, err := p.bots.Apply(t.Context(), bot("helper", Bot{Account: "a", Plugins: []string{"search"}}))
				return err
			},
			change: func(p *place) (event.Token, error) {
				r, err := p.providers.Apply(t.Context(), provider("p1", "eu"))
				return r.Token, err
			},
			want: []string{"tag/bot:acme/friend", "tag/bot:acme/helper", "tag/plugin:acme/search"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dsn := e.dsn(t)
			ps := places(t, engine{e.name, func(testing.TB) string { return dsn }, false}, 2)
			tc.before(ps[0])
			h := listen(t, ps[0].node, ps[0].store)
			h.events(t)
			s := stop(t, dsn)
			written, changed := make(chan error, 1), make(chan error, 1)
			go func() { written <- tc.writer(ps[0]) }()
			s.waiting(1)
			go func() {
				_, err := tc.change(ps[1])
				changed <- err
			}()
			s.waiting(2)
			s.goOn()
			if err := <-written; err != nil {
				t.Error(err)
			}
			if err := <-changed; err != nil {
				t.Error(err)
			}
			r, err := ps[1].bots.InvalidateCache(t.Context(), "acme", "last") // announced after both
			token(t, ps[1].store, r, err)
			// What is announced of the change, not of the writer: its own event about an object, and those beside it.
			var said []event.Event
			for _, e := range h.events(t) {
				if e.Manifest == nil {
					said = append(said, e)
				}
			}
			for _, want := range tc.want {
				if !slices.ContainsFunc(said, func(e event.Event) bool { return slices.Contains(targets([]event.Event{e}), want) }) {
					t.Errorf("%s is not announced beside the change: %q", want, targets(said))
				}
			}
		})
	}
}

// Every kind of write waits for its object, so that the numbers of the outbox rise in the order of its versions.
func TestANumberIsDrawnWhileTheObjectIsLocked(t *testing.T) {
	t.Parallel()
	e := engines()[2]
	dsn := e.dsn(t)
	ps := places(t, engine{e.name, func(testing.TB) string { return dsn }, false}, 2)
	h := listen(t, ps[0].node, ps[0].store)
	must(ps[0].bots.Apply(t.Context(), bot("helper", Bot{Account: "a"})))
	h.events(t)
	s := stop(t, dsn)
	first, second := make(chan manifest.Result[Bot], 1), make(chan manifest.Result[Bot], 1)
	go func() { first <- must(ps[0].bots.Delete(t.Context(), "acme", "helper")) }()
	s.waiting(1)
	go func() { second <- must(ps[1].bots.Apply(t.Context(), bot("helper", Bot{Account: "b"}))) }()
	s.waiting(2)
	s.goOn()
	gone, made := <-first, <-second
	if gone.Action != manifest.Deleted || made.Action != manifest.Created || len(made.Manifest.Metadata.ResourceVersion) < len(gone.Manifest.Metadata.ResourceVersion) ||
		made.Manifest.Metadata.ResourceVersion <= gone.Manifest.Metadata.ResourceVersion {
		t.Errorf("%+v\n%+v", gone, made)
	}
	token(t, ps[1].store, made, nil)
	objects, _ := apart(h.events(t))
	if len(objects) != 2 || objects[0].Type != event.TypeManifestDeleted || objects[1].Manifest.Action != "created" {
		t.Errorf("%+v", objects)
	}
}

// While a kind is being changed, nobody writes an object that only the old one takes.
func TestAKindAndItsObjectsChangeOneAfterTheOther(t *testing.T) {
	t.Parallel()
	e := engines()[2]
	strict := strings.Replace(strings.Replace(teamKind, "required: [lead]", "required: [lead, room]", 1), "size: {type", "room: {type: string}\n      size: {type", 1)
	for name, text := range map[string]string{
		"an object alone":                teamRed,
		"an object with its kind beside": teamKind + "---" + teamRed,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dsn := e.dsn(t)
			ps := places(t, engine{e.name, func(testing.TB) string { return dsn }, false}, 2)
			must(ps[0].store.Apply(t.Context(), []byte(teamKind)))
			s := stop(t, dsn)
			stricter, object := make(chan error, 1), make(chan error, 1)
			go func() {
				_, err := ps[0].store.Apply(t.Context(), []byte(strict))
				stricter <- err
			}()
			s.waiting(1)
			go func() {
				_, err := ps[1].store.Apply(t.Context(), []byte(text))
				object <- err
			}()
			s.waiting(2)
			s.goOn()
			if err := <-stricter; err != nil {
				t.Error(err)
			}
			if err := <-object; err != nil && !errors.Is(err, manifest.ErrInvalid) {
				t.Error(err)
			}
			k := must(ps[0].store.Get(t.Context(), "kind", "", "team"))
			k.Metadata.ResourceVersion, k.Metadata.Annotations = "", map[string]string{"note": "x"} // asks all that is stored
			if _, err := ps[0].store.DryRun(t.Context(), must(manifestText(k))); err != nil {
				t.Error(err)
			}
		})
	}
}
