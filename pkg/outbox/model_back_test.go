package outbox_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

// The model's database goes back to a copy, while relays go on that remember what is gone. What is there again is announced. That everything
// is, too, is asked of real servers (restore_test.go): a database that goes back by less than a beat, with nothing published in between,
// shows no sign.
func TestRowsGoOutWhenTheDatabaseGoesBack(t *testing.T) {
	t.Parallel()
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := newModel(t, seed, seed%2 == 1)
				m.backs = true
				m.live()
				if m.back.IsZero() {
					t.Error("it never went back")
				}
			})
		})
	}
}

// keep copies the database.
func (m *model) keep() {
	m.kept = filepath.Join(m.TempDir(), "kept.db")
	if _, err := m.db.ExecContext(m.Context(), "VACUUM INTO $1", m.kept); err != nil {
		m.Fatal(err)
	}
	m.had = make(map[string]bool)
	for family, n := range m.next {
		for i := range n {
			m.had[fmt.Sprintf("%s:%d", family, i+1)] = true
		}
	}
}

// goBack makes it what it was.
func (m *model) goBack() {
	if !m.backs {
		return
	}
	conn, err := m.db.Conn(m.Context())
	if err != nil {
		m.Fatal(err)
	}
	defer conn.Close()
	statements := []string{"ATTACH '" + m.kept + "' AS kept", "BEGIN IMMEDIATE"}
	for _, table := range []string{"lethe_outbox", "lethe_outbox_announced", "lethe_outbox_done", "lethe_outbox_bus", "lethe_outbox_home", "lethe_outbox_relays", "sqlite_sequence"} {
		statements = append(statements, "DELETE FROM main."+table, "INSERT INTO main."+table+" SELECT * FROM kept."+table)
	}
	for _, statement := range append(statements, "COMMIT", "DETACH kept") {
		if _, err := conn.ExecContext(m.Context(), statement); err != nil {
			m.Fatalf("%s: %v", statement, err)
		}
	}
	m.back = time.Now()
	for name := range m.wrote {
		if !m.had[name] {
			delete(m.wrote, name) // it is lost with the database
		}
	}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
