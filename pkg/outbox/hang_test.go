package outbox_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"modernc.org/sqlite"

	"github.com/lethe-cache/lethe/pkg/outbox"
)

// hanging is SQLite on which questions that contain a text get no answer, until the asker gives up.
type hanging struct {
	dsn    string
	text   atomic.Value
	gaveUp atomic.Int32
}

func (h *hanging) Driver() driver.Driver { return &sqlite.Driver{} }

func (h *hanging) Connect(context.Context) (driver.Conn, error) {
	c, err := h.Driver().Open(h.dsn)
	if err != nil {
		return nil, err
	}
	return &hangingConn{c.(sqliteConn), h}, nil //nolint:forcetypeassert,errcheck // it is one
}

type sqliteConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.QueryerContext
	driver.ExecerContext
}

type hangingConn struct {
	sqliteConn
	of *hanging
}

func (c *hangingConn) wait(ctx context.Context, query string) error {
	if text, _ := c.of.text.Load().(string); text == "" || !strings.Contains(query, text) {
		return nil
	}
	<-ctx.Done()
	c.of.gaveUp.Add(1)
	return ctx.Err()
}

func (c *hangingConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if err := c.wait(ctx, query); err != nil {
		return nil, err
	}
	return c.sqliteConn.QueryContext(ctx, query, args)
}

func (c *hangingConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if err := c.wait(ctx, query); err != nil {
		return nil, err
	}
	return c.sqliteConn.ExecContext(ctx, query, args)
}

// A question without an end would keep the rows where they are, with the lease held and renewed.
func TestAQuestionToTheDatabaseThatGetsNoAnswerIsAskedAgain(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"rows are read":         "AS life FROM lethe_outbox WHERE parked IS NULL",
		"rows of many are read": "LIMIT 256",
		"rows are taken away":   "DELETE FROM lethe_outbox WHERE id",
		"what is owed is read":  "SELECT owed",
		"the relay beats":       "INSERT INTO lethe_outbox_relays",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h := &hanging{dsn: "file:" + filepath.Join(t.TempDir(), "shop.db") + "?_pragma=journal_mode(WAL)&_txlock=immediate"}
				db := sql.OpenDB(h)
				defer func() { _ = db.Close() }()
				if err := outbox.Migrate(t.Context(), db); err != nil {
					t.Fatal(err)
				}
				p := &road{to: newStream()}
				if name == "what is owed is read" {
					h.text.Store(text)
				}
				r, err := outbox.StartRelay(t.Context(), db, p, outbox.RelayConfig{})
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = r.Close() }()
				m := &model{T: t, db: db, to: p.to}
				m.pass(10 * time.Second)
				h.text.Store(text)
				m.commit("user:1")
				m.pass(time.Minute)
				if h.gaveUp.Load() == 0 {
					t.Error("nobody has given up")
				}
				if text != "LIMIT 256" { // of fewer rows there is an answer
					h.text.Store("")
				}
				m.pass(backFor)
				if s, err := r.Status(t.Context()); err != nil || s.Depth != 0 || len(p.to.order) != 1 {
					t.Errorf("%+v, %v; published: %v", s, err, p.to.order)
				}
			})
		})
	}
}
