package outbox_test

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/lethe-cache/lethe/internal/pgtest"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/outbox"
)

// back is a database of a real server that goes back to an earlier state.
type back struct {
	t  *testing.T
	c  *pgtest.Cluster
	db *sql.DB
	at []string // the servers it may be on
}

// ways are those in which a database goes back. keep is called when the state is reached that it goes back to, back when it does.
type way struct {
	name       string
	keep, back func(*back)
	repeats    bool // numbers are drawn again from where they were
	told       bool // the server tells, also those who did not see it
}

func ways() []way {
	return []way{
		{
			name: "a cold copy", repeats: true,
			keep: func(b *back) { b.c.Stop("one", "fast"); b.c.Copy("one", "kept"); b.c.Start("one") },
			back: func(b *back) { b.c.Stop("one", "immediate"); b.c.Copy("kept", "one"); b.c.Start("one") },
		},
		{
			name: "pg_restore in place", repeats: true, told: true,
			keep: func(b *back) { b.c.Run(b.c.Client("pg_dump", "one") + " -Fc -f dump shop") },
			back: func(b *back) { b.c.Run(b.c.Client("pg_restore", "one") + " --clean --if-exists -1 -d shop dump") },
		},
		{
			name: "a base backup", told: true,
			keep: func(b *back) {
				b.c.Run(b.c.Client("pg_basebackup", "one") + " -D kept -X stream -c fast --no-sync")
				b.c.Run(`printf '%s\n' "restore_command = 'false'" 'recovery_target = immediate' 'recovery_target_action = promote' >>kept/postgresql.conf && touch kept/recovery.signal`)
			},
			back: func(b *back) { b.c.Stop("one", "immediate"); b.c.Copy("kept", "one"); b.c.Start("one"); b.writable() },
		},
		{
			name: "a failover to a standby that lags", told: true,
			keep: func(b *back) { b.c.Standby("one", "two"); b.c.CutOff("two"); b.at = []string{"one", "two"} },
			back: func(b *back) { b.c.Stop("one", "immediate"); b.c.Promote("two"); b.writable() },
		},
	}
}

// writable waits until the server takes changes.
func (b *back) writable() {
	b.c.Run(fmt.Sprintf(`until [ "$(%s -Atd shop -c 'SELECT pg_is_in_recovery()')" = f ]; do sleep 0.1; done`, b.c.Client("psql", b.at[len(b.at)-1])))
}

// write commits a row, once the server lets it.
func (b *back) write(tag string) (ticket outbox.Ticket, number int64) {
	b.t.Helper()
	eventually(b.t, tag+" is committed", func() bool {
		tx, err := b.db.BeginTx(b.t.Context(), nil)
		if err != nil {
			return false
		}
		defer func() { _ = tx.Rollback() }()
		if ticket, err = outbox.Append(b.t.Context(), tx, event.Tag(tag)); err != nil {
			return false
		}
		if err := tx.QueryRowContext(b.t.Context(), "SELECT number FROM lethe_outbox WHERE ticket = $1", string(ticket)).Scan(&number); err != nil {
			return false
		}
		return tx.Commit() == nil
	})
	return ticket, number
}

func newBack(t *testing.T) *back {
	t.Helper()
	b := &back{t: t, c: pgtest.NewCluster(t), at: []string{"one"}}
	first := openWith(t, "pgx", b.c.DSN("one"))
	if err := outbox.Migrate(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	b.db = first
	b.write("user:before")
	return b
}

// open opens the database wherever it is.
func (b *back) open() *sql.DB { return openWith(b.t, "pgx", b.c.DSN(b.at...)) }

// all are the positions in the stream's order at which everything was announced.
func all(lines []string) (at []int) {
	for i, line := range lines {
		if line == fmt.Sprint([]event.Target{event.All()}) {
			at = append(at, i)
		}
	}
	return at
}

// beats waits until each relay has shown itself n times more.
func (b *back) beats(n int) {
	b.t.Helper()
	was := make(map[string]int)
	eventually(b.t, "relays beat", func() bool {
		rows, err := b.db.QueryContext(b.t.Context(), "SELECT id, beat FROM lethe_outbox_relays")
		if err != nil {
			return false
		}
		defer rows.Close()
		done := true
		for rows.Next() {
			var id string
			var beat int
			if err := rows.Scan(&id, &beat); err != nil {
				b.t.Fatal(err)
			}
			if _, seen := was[id]; !seen {
				was[id] = beat
			}
			done = done && beat >= was[id]+n
		}
		return done && rows.Err() == nil && len(was) == 2
	})
}

// A row of a state that the database has gone back from is remembered as published, or as settled, by relays that go on. Numbers are
// drawn again. Every row that is there is announced, so is everything, once, and every ticket is answered for its own row.
func TestADatabaseThatGoesBackIsAnnouncedWholeByRelaysThatGoOn(t *testing.T) {
	t.Parallel()
	for _, w := range ways() {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			b := newBack(t)
			w.keep(b)
			p := settle(t, connect(t, serve(t)))
			var (
				mu    sync.Mutex
				armed bool
			)
			b.db = b.open()
			r := start(t, b.db, p, func(s *setting) {
				s.hooks.Published = func() { // a row is stored, and its database goes back before it is taken away
					mu.Lock()
					defer mu.Unlock()
					if armed {
						armed = false
						w.back(b)
					}
				}
			})
			lost, numbers := map[outbox.Ticket]event.Token{}, map[int64]bool{}
			for i := range 5 {
				ticket, number := b.write(fmt.Sprintf("user:lost-%d", i))
				lost[ticket], numbers[number] = mustWait(t, r, ticket), true
			}
			drained(t, r)
			mu.Lock()
			armed = true
			mu.Unlock()
			last, number := b.write("user:lost-last")
			numbers[number] = true
			eventually(t, "the database goes back", func() bool {
				mu.Lock()
				defer mu.Unlock()
				return !armed
			})
			other := start(t, b.open(), settle(t, p.nc)) // another process, which published none of it
			tickets, again := map[outbox.Ticket]string{}, false
			for i := range 8 {
				tag := fmt.Sprintf("user:new-%d", i)
				ticket, number := b.write(tag)
				tickets[ticket], again = tag, again || numbers[number]
			}
			if w.repeats && !again {
				t.Error("no number was drawn again: nothing is tried here")
			}
			least := uint64(1 << 63)
			for ticket, tag := range tickets {
				for name, relay := range map[string]*outbox.Relay{"its own": r, "another": other} {
					token := mustWait(t, relay, ticket)
					least = min(least, token.Sequence())
					for _, was := range lost {
						if token.Sequence() <= was.Sequence() {
							t.Errorf("%s process answers for %s with %v, which is no later than what was lost", name, tag, token)
						}
					}
				}
			}
			drained(t, r)
			lines := said(t, p.nc)
			for _, tag := range tickets {
				if !slices.Contains(lines, "[tag/"+tag+"]") {
					t.Errorf("%s is committed and was never announced", tag)
				}
			}
			eventually(t, "everything is announced", func() bool { return len(all(said(t, p.nc))) > 0 })
			b.beats(2)
			if at := all(said(t, p.nc)); len(at) != 1 {
				t.Errorf("everything was announced at %v", at)
			}
			soon, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
			defer cancel()
			for ticket, token := range lost { // known, as it was, or not at all
				if got, err := r.Wait(soon, ticket); err == nil && got != token {
					t.Errorf("the ticket of a lost row is answered with %v, it was %v", got, token)
				}
			}
			if token, err := r.Wait(soon, last); err == nil && token.Sequence() >= least {
				t.Errorf("the ticket of the last lost row is answered with %v, as for one of the new rows", token)
			}
		})
	}
}

// A process that starts when the database has gone back has seen nothing. The server tells it, but for a copy of the files.
func TestADatabaseThatWentBackIsToldByItsServer(t *testing.T) {
	t.Parallel()
	for _, w := range ways() {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			b := newBack(t)
			p := settle(t, connect(t, serve(t)))
			r := start(t, b.db, p)
			drained(t, r)
			closed(t, r)
			w.keep(b)
			b.db = b.open()
			r = start(t, b.db, p)
			ticket, _ := b.write("user:lost")
			mustWait(t, r, ticket)
			drained(t, r)
			closed(t, r)
			w.back(b)
			for range 2 { // it is told once
				r = start(t, b.open(), p)
				ticket, _ = b.write("user:new")
				mustWait(t, r, ticket)
				drained(t, r)
				closed(t, r)
			}
			want := 0
			if w.told {
				want = 1
			}
			if at := all(said(t, p.nc)); len(at) != want {
				t.Errorf("everything was announced at %v", at)
			}
		})
	}
}

// A row that another relay has published, too, has been taken away by it; one that nobody has, the database never had.
func TestAPublishedRowThatIsGoneShowsThatTheDatabaseWentBack(t *testing.T) {
	conform(t, func(t *testing.T, e engine) {
		for _, byOther := range []bool{true, false} {
			_, db := e.fresh(t)
			p := settle(t, connect(t, serve(t)))
			var once sync.Once
			r := start(t, db, p, func(s *setting) {
				s.hooks.Published = func() {
					once.Do(func() {
						if byOther {
							run(t, db, "INSERT INTO lethe_outbox_announced (id, number, ticket, fleet, epoch, sequence) SELECT id, number, ticket, 'shop', 'E1', 1 FROM lethe_outbox ORDER BY number LIMIT 1")
						}
						run(t, db, "DELETE FROM lethe_outbox WHERE number = (SELECT min(number) FROM lethe_outbox)")
					})
				}
			})
			mustWait(t, r, e.write(t, db, true, event.Tag("user:1"), event.Tag("team:1"))) // the later one stays
			if !byOther {
				eventually(t, "everything is announced", func() bool { return len(all(said(t, p.nc))) == 1 })
			}
			was := count(t, db, "SELECT max(beat) FROM lethe_outbox_relays")
			eventually(t, "the relay looks again", func() bool { return count(t, db, "SELECT max(beat) FROM lethe_outbox_relays") > was+2 })
			mustWait(t, r, e.write(t, db, true, event.Tag("user:2")))
			if n := len(all(said(t, p.nc))); n != map[bool]int{true: 0, false: 1}[byOther] {
				t.Errorf("everything was announced %d times; another relay has taken the row away: %v", n, byOther)
			}
			closed(t, r)
		}
	})
}
