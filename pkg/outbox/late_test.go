package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/outbox"
)

// lines keeps what is logged with an event.
type lines struct {
	slog.Handler
	mu  sync.Mutex // guards what follows
	all []string
}

func (l *lines) Enabled(context.Context, slog.Level) bool { return true }

func (l *lines) Handle(_ context.Context, r slog.Record) error {
	text := r.Level.String()
	r.Attrs(func(a slog.Attr) bool {
		text += fmt.Sprintf(" %s=%v", a.Key, a.Value)
		return true
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	if strings.Contains(text, "event=") {
		l.all = append(l.all, text)
	}
	return nil
}

func (l *lines) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := l.all
	l.all = nil
	return all
}

func TestRowsThatWaitForHalfAMinuteAreLoggedOnceAMinuteWithTheReason(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newModel(t, 1, false)
		said := new(lines)
		r, err := outbox.StartRelayWith(t.Context(), m.db, m.roads[0],
			outbox.RelayConfig{Name: "writer-1", Logger: slog.New(said)}, outbox.Times{Look: time.Second}, outbox.Hooks{})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = r.Close() }()
		m.close() // the model's own
		m.roads[0].set(refusing)
		m.pass(10 * time.Second)
		m.commit("user:1")
		m.commit("user:2")
		m.age(20 * time.Second)
		m.pass(10 * time.Second)
		if got := said.take(); got != nil {
			t.Errorf("rows of 20 s: %q", got)
		}
		m.age(31 * time.Second)
		for i := range 3 {
			m.pass(time.Minute)
			got := said.take()
			if len(got) != 1 {
				t.Fatalf("in minute %d: %q", i, got)
			}
			for _, want := range []string{"WARN", "event=outbox_waits", "rows=2", "oldest=3", "worker=writer-1.", "worker_for=", "failing_for=", "last_error=no connection"} {
				if !strings.Contains(got[0], want) {
					t.Errorf("%q does not say %q", got[0], want)
				}
			}
		}
		s, err := r.Status(t.Context())
		if err != nil || s.Depth != 2 || !s.Working || !strings.HasPrefix(s.Worker, "writer-1.") || s.WorkerFor < time.Minute || s.Err == nil {
			t.Errorf("%+v, %v", s, err)
		}
		m.roads[0].set(free)
		m.pass(backFor)
		if got := said.take(); len(got) == 0 || !strings.Contains(got[len(got)-1], "event=outbox_drained") {
			t.Errorf("%q", got)
		}
		if s, err := r.Status(t.Context()); err != nil || s.Depth != 0 || s.Err != nil {
			t.Errorf("%+v, %v", s, err)
		}
	})
}

// No other relay takes the rows from it, so the pauses of its own lanes have to end in time.
func TestARelayThatIsAloneGoesOnWithinTenSecondsOfTheBusesReturn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newModel(t, 1, false)
		r, err := outbox.StartRelayWith(t.Context(), m.db, m.roads[0], outbox.RelayConfig{}, outbox.Times{Look: time.Second}, outbox.Hooks{})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = r.Close() }()
		m.close() // the model's own
		for i := range 12 {
			m.roads[0].set(refusing)
			for _, family := range []string{"user", "team", "order"} {
				m.commit(fmt.Sprintf("%s:%d", family, i))
			}
			m.pass(time.Minute + m.some(time.Minute))
			m.roads[0].set(free)
			m.pass(backFor)
			if s, err := r.Status(t.Context()); err != nil || s.Depth != 0 {
				t.Errorf("after outage %d: %+v, %v", i, s, err)
			}
		}
	})
}

// close ends the model's own relays.
func (m *model) close() {
	for _, p := range m.roads {
		if err := p.Close(); err != nil {
			m.Error(err)
		}
	}
}

// commit commits one row.
func (m *model) commit(tag string) {
	tx, err := m.db.BeginTx(m.Context(), nil)
	if err != nil {
		m.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := outbox.Append(m.Context(), tx, event.Tag(tag)); err != nil {
		m.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		m.Fatal(err)
	}
}

// age makes the rows that wait so old by the database's clock, which is not that of the bubble.
func (m *model) age(d time.Duration) {
	run(m, m.db, "UPDATE lethe_outbox SET created = CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER) - $1", d.Milliseconds())
}

func TestATrialParksNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newModel(t, 2, false)
		worker := m.worker()
		worker.set(refusing)
		for _, p := range m.roads {
			if p != worker {
				p.set(forbidden)
			}
		}
		m.commit("user:1")
		m.pass(time.Minute)
		if s, err := worker.Status(t.Context()); err != nil || s.Parked != 0 || s.Depth != 1 || !s.Working {
			t.Errorf("%+v, %v", s, err)
		}
		worker.set(free)
		m.pass(backFor)
		if s, err := worker.Status(t.Context()); err != nil || s.Depth != 0 || !s.Working {
			t.Errorf("%+v, %v", s, err)
		}
	})
}

// worker is the process that has the lease, once one has it.
func (m *model) worker() *road {
	m.pass(10 * time.Second)
	for _, p := range m.roads {
		if s, err := p.Status(m.Context()); err == nil && s.Working {
			return p
		}
	}
	m.Fatal("nobody works")
	return nil
}

var errForbidden = fmt.Errorf("not published: %w", errors.Join(refusal{}))
