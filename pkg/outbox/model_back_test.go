package outbox_test

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// The model's database goes back to a copy, while relays go on that remember what is gone, end, and begin anew. What is there again is
// announced, in order, and so is everything where a relay can tell that something was lost.
func TestRowsGoOutWhenTheDatabaseGoesBack(t *testing.T) {
	t.Parallel()
	from, to := seeds(t)
	for seed := from; seed < to; seed++ {
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

// seeds are the first few, or those that the environment names: OUTBOX_MODEL=100-400.
func seeds(t *testing.T) (from, to uint64) {
	t.Helper()
	asked := os.Getenv("OUTBOX_MODEL")
	if asked == "" {
		return 0, 8
	}
	if _, err := fmt.Sscanf(asked, "%d-%d", &from, &to); err != nil || from >= to {
		t.Fatalf("OUTBOX_MODEL=%q: use FROM-TO", asked)
	}
	return from, to
}

// debt is that everything has to be announced, because of what was lost at a moment.
type debt struct {
	at  time.Time
	all int            // how often everything had been announced by then
	can map[*road]bool // the processes that can tell
}

// keep copies the database.
func (m *model) keep() {
	m.kept = filepath.Join(m.TempDir(), "kept.db")
	if _, err := m.db.ExecContext(m.Context(), "VACUUM INTO $1", m.kept); err != nil {
		m.Fatal(err)
	}
	m.had = make(map[string]int)
	for family, n := range m.next {
		m.had[family] = n
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
	exec := func(statement string) {
		if _, err := conn.ExecContext(m.Context(), statement); err != nil {
			m.Fatalf("%s: %v", statement, err)
		}
	}
	exec("ATTACH '" + m.kept + "' AS kept")
	can := m.shown(conn)
	exec("BEGIN IMMEDIATE")
	for _, table := range []string{"lethe_outbox", "lethe_outbox_announced", "lethe_outbox_done", "lethe_outbox_bus", "lethe_outbox_home", "lethe_outbox_relays", "sqlite_sequence"} {
		exec("DELETE FROM main." + table)
		exec("INSERT INTO main." + table + " SELECT * FROM kept." + table)
	}
	exec("COMMIT")
	exec("DETACH kept")
	m.back = time.Now()
	m.lose(can) // before the relays go on: this has the one connection
}

// shown are the processes that have shown themselves since the copy was made, in rows that the copy has as they were before.
func (m *model) shown(conn *sql.Conn) map[*road]bool {
	can := make(map[*road]bool)
	rows, err := conn.QueryContext(m.Context(), "SELECT m.id FROM main.lethe_outbox_relays m JOIN kept.lethe_outbox_relays k ON k.id = m.id WHERE m.beat > k.beat")
	if err != nil {
		m.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			m.Fatal(err)
		}
		for _, p := range m.roads {
			can[p] = can[p] || strings.HasPrefix(id, p.name+".")
		}
	}
	if err := rows.Err(); err != nil {
		m.Fatal(err)
	}
	return can
}

// lose notes which rows were lost, and that everything has to be announced if one was that somebody has published, or if one of
// those that can tell has shown itself since.
func (m *model) lose(can map[*road]bool) {
	m.to.mu.Lock()
	defer m.to.mu.Unlock()
	lost := 0
	for family, n := range m.next {
		for i := m.had[family] + 1; i <= n; i++ {
			name := fmt.Sprintf("%s:%d", family, i)
			if m.gone[name] {
				continue
			}
			lost++
			m.gone[name] = true
			delete(m.wrote, name)
			for _, p := range m.to.by[name] {
				can[p] = true
			}
		}
	}
	if lost > 0 {
		m.owed = append(m.owed, debt{m.back, len(m.to.all), can})
	}
}

// paid checks that everything was announced in time, after each moment at which that came to be owed.
func (m *model) paid(back time.Time, good *road) {
	for _, d := range m.owed {
		able := d.can[good]
		for _, p := range m.roads {
			able = able || !m.one && d.can[p]
		}
		if !able {
			continue
		}
		paid, due := time.Now(), later(back, d.at).Add(backFor)
		if len(m.to.all) > d.all {
			paid = m.to.all[d.all]
		}
		if paid.After(due) {
			m.Fatalf("the database went back at %v, the bus was back at %v; everything was not announced until %v; at %v", d.at, back, paid, m.to.all)
		}
	}
}

// restart ends a process, and another begins in its place, which knows nothing.
func (m *model) restart(p *road) {
	p.thaw()
	if err := p.Close(); err != nil {
		m.Fatal(err)
	}
	m.roads[slices.Index(m.roads, p)] = m.begin()
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
