package outbox

import (
	"context"
	"database/sql"
	"sync"
)

// memory is what a relay knows that its database has held, beside the relay's own row. It is shared by the worker's goroutine and the
// beats'. Each fact is of the life in which it was read: a later life was drawn by a relay that has everything announced, which covers it.
type memory struct {
	mu   sync.Mutex // guards what follows
	last known      // the row with the highest number of all that this relay has read
	lost loss       // what is not as it was, and no beat has reported yet
}

// known is a row that was read.
type known struct {
	number           int64
	id, ticket, life string // no id: none
}

// loss says what of a life is gone; no text: nothing.
type loss struct{ life, what string }

func (m *memory) latest() known {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.last
}

// replace keeps next unless another goroutine has changed was meanwhile.
func (m *memory) replace(was, next known) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.last == was {
		m.last = next
	}
}

// note keeps a loss until a beat has reported it. Of two that of the later life is kept.
func (m *memory) note(l loss) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.lost.what == "" || lifeNumber(l.life) > lifeNumber(m.lost.life) {
		m.lost = l
	}
}

func (m *memory) noted() loss {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.lost
}

// reported drops a loss that a beat has committed, and with it the row that belongs to another life.
func (m *memory) reported(l loss, life string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.lost == l {
		m.lost = loss{}
	}
	if m.last.life != life {
		m.last = known{}
	}
}

// remember keeps the row with the highest number. That what it replaces is still there is asked first, so that no row of a later
// state hides that one of an earlier state is gone.
func (r *Relay) remember(rows []*queued) error {
	top := rows[0]
	for _, q := range rows {
		if q.number > top.number {
			top = q
		}
	}
	was, next := r.memory.latest(), known{top.number, top.id, string(top.ticket), top.life}
	switch older := lifeNumber(next.life) < lifeNumber(was.life); {
	case was.id == next.id || was.life == next.life && next.number < was.number:
		return nil
	case was.id != "" && older:
		r.memory.note(loss{was.life, lostLife})
		poke(r.beatNow)
		return nil
	case was.id != "" && was.life == next.life:
		ctx, cancel := r.answering()
		defer cancel()
		there, err := was.there(ctx, r.db)
		if err != nil {
			return err
		}
		if !there {
			r.memory.note(loss{was.life, lostRead})
			poke(r.beatNow)
		}
	}
	r.memory.replace(was, next)
	return nil
}

// What a loss may be.
const (
	lostPublished = "a row that was published is gone"
	lostRead      = "a row that was read is gone, and nobody has announced it"
	lostLife      = "it is of an earlier life"
	lostBeat      = "what another relay wrote into it is gone"
)

// there says whether a row waits, is parked or was announced. One that is older than what is kept of the announced ones counts as
// there.
func (k known) there(ctx context.Context, db interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
},
) (there bool, err error) {
	row := db.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM lethe_outbox WHERE id = $1) OR EXISTS (SELECT 1 FROM lethe_outbox_announced WHERE id = $1) "+
		"OR EXISTS (SELECT 1 FROM lethe_outbox_done WHERE ticket = $2) OR coalesce((SELECT max(number) FROM lethe_outbox_announced), 0) >= $3",
		k.id, k.ticket, k.number+doneMost)
	err = row.Scan(&there)
	return there, err
}
