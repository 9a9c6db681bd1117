package outbox_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/outbox"
)

// The relays of this file are real, on one SQLite file, in the time of a synctest bubble; the ways from them to the bus fail as
// a seed says, and so do their clocks and pauses. They take turns at one connection: SQLite itself would sleep outside of the
// bubble. A seed replays but for the order in which goroutines get that connection at one moment.

// backFor is what the outbox promises: a row is stored so soon after some relay has the bus again, or after its commit.
const backFor = 10 * time.Second

func TestRowsGoOutWithinTenSecondsOfTheBusesReturnWhateverHasFailedBefore(t *testing.T) {
	t.Parallel()
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { newModel(t, seed, false).live() })
		})
	}
}

func TestOneRelayThatHasTheBusIsEnoughWhateverTheOthersDo(t *testing.T) {
	t.Parallel()
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { newModel(t, seed, true).live() })
		})
	}
}

// stream stores what arrives, and drops repetitions.
type stream struct {
	mu     sync.Mutex // guards what follows
	stored map[string]time.Time
	order  []string
	by     map[string][]*road // the processes whose publish of it was stored, or answered
	all    []time.Time        // when everything was announced
}

func newStream() *stream { return &stream{stored: map[string]time.Time{}, by: map[string][]*road{}} }

func (s *stream) store(p *road, e event.Event) event.Token {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := e.Targets[0].Name()
	if e.Targets[0] == event.All() {
		s.all = append(s.all, time.Now())
		return event.NewToken(fleet, "E1", uint64(len(s.order)))
	}
	s.by[name] = append(s.by[name], p)
	if _, again := s.stored[name]; !again {
		s.stored[name] = time.Now()
		s.order = append(s.order, name)
	}
	return event.NewToken(fleet, "E1", uint64(len(s.order)))
}

// How a road is.
const (
	free = iota
	refusing
	silent
	swallowing // the event is stored, the answer is lost
	states

	forbidden // refused for good
)

// road is one process, with its way to the bus.
type road struct {
	*outbox.Relay
	to   *stream
	name string

	mu     sync.Mutex // guards what follows
	state  int
	bad    map[string]int // how it is for tags that begin so, whatever it is for others
	frozen chan struct{}  // not nil: the process stands still until it is closed
}

func (p *road) Stream() (name, epoch string) { return fleet, "E1" }

// Name is what the relay's row begins with.
func (p *road) Name() string { return p.name }

// is says how the road is for an event.
func (p *road) is(e event.Event) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	for prefix, state := range p.bad {
		if strings.HasPrefix(e.Targets[0].Name(), prefix) {
			return state
		}
	}
	return p.state
}

func (p *road) set(state int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state = state
}

// freeze lets the process stand still, thaw ends that.
func (p *road) freeze() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.frozen == nil {
		p.frozen = make(chan struct{})
	}
}

func (p *road) thaw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.frozen != nil {
		close(p.frozen)
		p.frozen = nil
	}
}

func (p *road) step() {
	p.mu.Lock()
	frozen := p.frozen
	p.mu.Unlock()
	if frozen != nil {
		<-frozen
	}
}

// Publish tries for five seconds, as the bus does: an attempt that is not answered is repeated after two.
func (p *road) Publish(ctx context.Context, events ...event.Event) (event.Token, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	for {
		p.step()
		switch p.is(events[0]) {
		case free:
			return p.to.store(p, events[0]), nil
		case refusing:
			return event.Token{}, errors.New("no connection")
		case forbidden:
			return event.Token{}, errForbidden
		case swallowing:
			p.to.store(p, events[0])
		}
		select {
		case <-ctx.Done():
			return event.Token{}, ctx.Err()
		case <-time.After(2 * time.Second):
		}
	}
}

type model struct {
	*testing.T
	rand  *rand.Rand
	db    *sql.DB
	to    *stream
	roads []*road
	one   bool // one road comes back, the others go on failing
	wrote map[string]time.Time
	next  map[string]int

	began int             // processes
	exact bool            // the clocks of those that begin are right
	backs bool            // the database goes back now and then
	kept  string          // the copy that it goes back to
	had   map[string]int  // the last of each family that had been written by then
	gone  map[string]bool // what was lost with the database
	back  time.Time       // when it went back last
	owed  []debt
}

func newModel(t *testing.T, seed uint64, one bool) *model {
	t.Helper()
	m := &model{
		T: t, rand: rand.New(rand.NewPCG(seed, 1)), one: one, to: newStream(),
		wrote: map[string]time.Time{}, next: map[string]int{}, gone: map[string]bool{},
	}
	dsn := "file:" + filepath.Join(t.TempDir(), "shop.db") + "?_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)&_txlock=immediate"
	m.db = openSQLite(t, dsn)
	m.db.SetMaxOpenConns(1)
	if err := outbox.Migrate(t.Context(), m.db); err != nil {
		t.Fatal(err)
	}
	for range 2 + m.rand.IntN(3) {
		m.roads = append(m.roads, m.begin())
		m.pass(time.Millisecond + m.some(100*time.Millisecond))
	}
	return m
}

// begin starts a process whose clock is up to a tenth too slow or too fast.
func (m *model) begin() *road {
	m.began++
	p := &road{to: m.to, name: fmt.Sprintf("process%d", m.began)}
	drift := func(d time.Duration) time.Duration {
		if m.exact {
			return d
		}
		return d*9/10 + m.some(d/5)
	}
	r, err := outbox.StartRelayWith(m.Context(), m.db, p, outbox.RelayConfig{},
		outbox.Times{Look: drift(300 * time.Millisecond), Beat: drift(time.Second), Silent: drift(5 * time.Second), Fresh: drift(3 * time.Second)},
		outbox.Hooks{Beat: p.step, Published: p.step, Seed: m.rand.Uint64()})
	if err != nil {
		m.Fatal(err)
	}
	p.Relay = r
	m.Cleanup(func() {
		p.thaw()
		_ = r.Close()
	})
	return p
}

// live is a few outages, and the time after each.
func (m *model) live() {
	for range 3 {
		if m.backs {
			m.pass(m.some(3 * time.Second))
			m.keep()
		}
		outage := 5*time.Second + m.some(115*time.Second)
		for end := time.Now().Add(outage); time.Now().Before(end); {
			m.mishap(m.roads[m.rand.IntN(len(m.roads))])
			m.write()
			m.pass(m.some(4 * time.Second))
		}
		good := m.rand.IntN(len(m.roads))
		for i, p := range m.roads {
			if !m.one || i == good {
				p.thaw()
				p.set(free)
			}
		}
		m.after(m.roads[good])
	}
	m.inOrder()
}

// mishap is what may become of a process and its way to the bus.
func (m *model) mishap(p *road) {
	switch n := m.rand.IntN(8); {
	case n == 0:
		p.freeze()
	case n == 1:
		p.thaw()
	case n == 2: // another program writes for long
		tx, err := m.db.BeginTx(m.Context(), nil)
		if err != nil {
			m.Fatal(err)
		}
		m.pass(m.some(8 * time.Second))
		_ = tx.Rollback()
	case n == 3 && m.backs:
		m.goBack()
	case n == 4 && m.backs:
		m.restart(p)
	default:
		p.set(refusing + m.rand.IntN(states-refusing))
	}
}

// after watches that everything goes out, while the others go on failing where only one has come back.
func (m *model) after(good *road) {
	back, turn := time.Now(), m.some(20*time.Second)
	for time.Since(back) < 40*time.Second {
		m.write()
		m.pass(m.some(2 * time.Second))
		if turn > 0 && time.Since(back) > turn {
			m.goBack()
			turn = 0
		}
		if p := m.roads[m.rand.IntN(len(m.roads))]; m.one && p != good {
			p.set(refusing + m.rand.IntN(states-refusing))
			if m.rand.IntN(4) == 0 {
				p.freeze()
			}
		}
		m.inTime(back, good)
	}
	m.pass(backFor)
	m.inTime(back, good)
}

func (m *model) inTime(back time.Time, good *road) {
	m.to.mu.Lock()
	defer m.to.mu.Unlock()
	m.paid(back, good)
	back = later(back, m.back)
	for name, at := range m.wrote {
		if at.Before(back) {
			at = back
		}
		stored, done := m.to.stored[name]
		if !done {
			stored = time.Now()
		}
		if stored.Sub(at) > backFor {
			m.Fatalf("%s has waited for %v (stored: %v)", name, stored.Sub(at), done)
		}
		if done {
			delete(m.wrote, name)
		}
	}
}

// write commits rows of a few subjects.
func (m *model) write() {
	if m.rand.IntN(3) == 0 {
		return
	}
	tx, err := m.db.BeginTx(m.Context(), nil)
	if err != nil {
		m.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	var names []string
	for range 1 + m.rand.IntN(3) {
		family := string(rune('a' + m.rand.IntN(5)))
		m.next[family]++
		name := fmt.Sprintf("%s:%d", family, m.next[family])
		if _, err := outbox.Append(m.Context(), tx, event.Tag(name)); err != nil {
			m.Fatal(err)
		}
		names = append(names, name)
	}
	if err := tx.Commit(); err != nil {
		m.Fatal(err)
	}
	for _, name := range names {
		m.wrote[name] = time.Now()
	}
	m.roads[m.rand.IntN(len(m.roads))].Wake()
}

// inOrder checks that of each subject first appearances came in the order of the rows, each of which came. A row that was lost with its
// database may be on its way at that moment: it comes whenever it does, or not at all.
func (m *model) inOrder() {
	last := map[string]int{}
	for _, name := range m.to.order {
		if m.gone[name] {
			continue
		}
		family, n := name[:1], 0
		if _, err := fmt.Sscanf(name[2:], "%d", &n); err != nil {
			m.Fatal(err)
		}
		want := last[family] + 1
		for m.gone[fmt.Sprintf("%s:%d", family, want)] {
			want++
		}
		if n != want {
			m.Errorf("%s follows %d", name, last[family])
		}
		last[family] = n
	}
}

// pass lets time go by in the bubble.
func (m *model) pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// some is a span below d.
func (m *model) some(d time.Duration) time.Duration { return time.Duration(m.rand.Int64N(int64(d))) }
