package outbox_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/outbox"
)

// newBackModel is a model whose database can go back, with processes that have just shown themselves.
func newBackModel(t *testing.T, processes int) *model {
	t.Helper()
	m := newModel(t, 1, false)
	m.close()
	m.backs, m.exact, m.roads = true, true, nil
	for range processes {
		m.roads = append(m.roads, m.begin())
	}
	m.pass(3 * time.Second)
	m.beaten()
	m.keep()
	return m
}

// beaten waits until each process has just beaten.
func (m *model) beaten() {
	m.Helper()
	for range m.roads {
		was := count(m, m.db, "SELECT sum(beat) FROM lethe_outbox_relays")
		for range 400 {
			if count(m, m.db, "SELECT sum(beat) FROM lethe_outbox_relays") > was {
				break
			}
			m.pass(5 * time.Millisecond)
		}
	}
}

// alls is how often everything was announced.
func (m *model) alls() int {
	m.to.mu.Lock()
	defer m.to.mu.Unlock()
	return len(m.to.all)
}

func (m *model) announced(name string) bool {
	m.to.mu.Lock()
	defer m.to.mu.Unlock()
	return !m.to.stored[name].IsZero()
}

// Between two beats nothing is written into the relay's own row: a row that was committed, announced and taken away in that time is all
// that the relay knows of what is gone.
func TestADatabaseThatGoesBackBetweenTwoBeatsIsFoundByARowThatWasAnnounced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newBackModel(t, 1)
		m.commit("user:1")
		m.roads[0].Wake()
		m.pass(time.Millisecond)
		if !m.announced("user:1") || count(t, m.db, "SELECT count(*) FROM lethe_outbox") != 0 {
			t.Fatal("the row was not announced between two beats")
		}
		m.goBack()
		m.commit("user:2") // it is given the same number
		m.roads[0].Wake()
		m.pass(3 * time.Second)
		if m.alls() != 1 || !m.announced("user:2") {
			t.Errorf("everything was announced %d times", m.alls())
		}
	})
}

// The bus is away, so a row that the relay has read is all that it knows of. A node may have read what was committed with it.
func TestADatabaseThatGoesBackBetweenTwoBeatsIsFoundByARowThatWasRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newBackModel(t, 1)
		m.roads[0].set(refusing)
		m.commit("user:1")
		m.roads[0].Wake()
		m.pass(time.Millisecond)
		m.goBack()
		m.roads[0].set(free)
		m.pass(3 * time.Second)
		if m.alls() != 1 || m.announced("user:1") {
			t.Errorf("everything was announced %d times", m.alls())
		}
	})
}

// A process that stood still does not know whether others have taken its row away, or the database is of before it began. Rows of others
// that are lower than it has seen them tell.
func TestADatabaseThatGoesBackIsFoundByTheRowOfAnotherRelay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newBackModel(t, 1)
		m.roads = append(m.roads, m.begin())
		m.pass(10 * time.Second)
		m.roads[0].freeze()
		m.roads[1].freeze()
		m.pass(45 * time.Second)
		m.goBack()
		m.roads[1].thaw()
		m.pass(backFor)
		if m.alls() != 1 {
			t.Errorf("everything was announced %d times", m.alls())
		}
	})
}

// A process that stood still for so long that the others took its row away goes on counting where it was: to the others its row is never
// lower than before, and nothing is announced that was not lost.
func TestARelayThatWakesAfterLongShowsNothingThatIsGone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newBackModel(t, 3)
		m.pass(time.Minute)
		m.roads[0].freeze()
		m.pass(10 * time.Second)
		m.roads[1].freeze() // it has seen the first one's row, and does not see that it is taken away
		m.pass(3 * time.Minute)
		if n := count(t, m.db, "SELECT count(*) FROM lethe_outbox_relays"); n != 1 {
			t.Fatalf("%d rows of relays", n)
		}
		m.roads[0].thaw()
		m.pass(5 * time.Second)
		m.roads[1].thaw()
		m.pass(20 * time.Second)
		if m.alls() != 0 {
			t.Errorf("everything was announced %d times", m.alls())
		}
	})
}

// The database goes back once more before the relay has seen, with a beat, that what was owed is paid.
func TestADatabaseThatGoesBackTwiceIsAnnouncedTwice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newBackModel(t, 1)
		for i := range 2 {
			m.commit("user:1")
			m.roads[0].Wake()
			m.pass(time.Millisecond)
			m.goBack()
			for range 400 {
				m.pass(5 * time.Millisecond)
				if m.alls() > i {
					break
				}
			}
			if m.alls() != i+1 {
				t.Fatalf("everything was announced %d times, want %d", m.alls(), i+1)
			}
		}
	})
}

// waiting gives the answer for everything late.
type waiting struct {
	*road
	mu   sync.Mutex // guards what follows
	gate chan struct{}
}

func (w *waiting) Publish(ctx context.Context, events ...event.Event) (event.Token, error) {
	token, err := w.road.Publish(ctx, events...)
	w.mu.Lock()
	gate := w.gate
	w.mu.Unlock()
	if events[0].Targets[0] == event.All() && gate != nil {
		<-gate
	}
	return token, err
}

// Everything is announced, the answer is late, and the database goes back once more meanwhile: what is owed now was not paid by that.
func TestALateAnswerPaysOnlyForWhatWasOwedWhenItWasAskedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newBackModel(t, 1)
		gate := make(chan struct{})
		w := &waiting{road: &road{to: m.to, name: "late"}, gate: gate}
		m.close()
		r, err := outbox.StartRelayWith(t.Context(), m.db, w, outbox.RelayConfig{}, outbox.Times{}, outbox.Hooks{})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = r.Close() }()
		m.pass(2500 * time.Millisecond)
		m.keep()
		m.pass(time.Second)
		m.goBack()
		m.pass(1500 * time.Millisecond)
		if m.alls() != 1 {
			t.Fatalf("everything was announced %d times", m.alls())
		}
		m.goBack()
		m.pass(1500 * time.Millisecond)
		w.mu.Lock()
		w.gate = nil
		w.mu.Unlock()
		close(gate)
		m.pass(backFor)
		if m.alls() != 2 {
			t.Errorf("everything was announced %d times", m.alls())
		}
	})
}

// The worker has no bus, another process has. Rows that come meanwhile do not put off what is owed before them.
func TestWhatIsOwedIsNotPutOffByRowsThatCome(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newBackModel(t, 2)
		worker := m.worker()
		m.keep()
		worker.set(refusing)
		m.pass(2 * time.Second)
		m.goBack()
		m.pass(4800 * time.Millisecond)
		if m.alls() != 0 {
			t.Fatal("it was announced by a process that has no bus")
		}
		m.commit("user:1")
		m.pass(4 * time.Second)
		if m.alls() != 1 || !m.announced("user:1") {
			t.Errorf("everything was announced %d times", m.alls())
		}
	})
}
