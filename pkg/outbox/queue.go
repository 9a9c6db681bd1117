package outbox

import (
	"context"
	"database/sql"
	"time"
)

// queue is what a beat sees of the rows that wait.
type queue struct {
	first  int64         // number of the first; 0 = none waits
	oldest time.Duration // its age, by the database's clock
	last   int64         // the highest number there is
	debt   int           // not 0: everything is to be announced before them
}

// queueWatch tells which rows have waited for too long, by the relay's own clock.
type queueWatch struct {
	first   int64
	stood   time.Duration // how long that has been the first
	debt    int
	owed    time.Duration // how long there has been one
	watched time.Duration // how long this relay has watched at all
	marks   []mark        // oldest first; at most as many as beats in times.silent, and a few
}

// mark is the highest number that there was at a moment: rows up to it are older than that.
type mark struct {
	at     time.Duration
	number int64
}

func (w *queueWatch) observe(passed time.Duration, t times, q queue) {
	w.watched += passed
	if q.first != 0 && q.first == w.first {
		w.stood += passed
	} else {
		w.first, w.stood = q.first, 0
	}
	if q.debt != 0 && w.debt != 0 { // it may be another: a reason more does not put off what is owed already
		w.owed += passed
	} else {
		w.owed = 0
	}
	w.debt = q.debt
	if n := len(w.marks); n == 0 || w.watched-w.marks[n-1].at >= t.beat/2 {
		w.marks = append(w.marks, mark{w.watched, q.last})
	}
	for len(w.marks) > 1 && w.marks[1].at <= w.watched-t.silent {
		w.marks = w.marks[1:]
	}
}

// overdue is the highest number of a row that has waited for as long as a worker may be silent, 0 when the first has not. What is
// owed becomes overdue as a row does, and by itself: rows come and go, or stand behind it.
func (w *queueWatch) overdue(t times) int64 {
	rows, debt := w.first != 0 && w.stood >= t.silent, w.debt != 0 && w.owed >= t.silent
	if !rows && !debt {
		return 0
	}
	return max(w.first, w.marks[0].number, 1)
}

// queued reads what waits, at little cost however much it is.
func (r *Relay) queued(ctx context.Context, tx *sql.Tx) (queue, error) {
	var (
		q       queue
		created int64
		now     int64
	)
	//nolint:gosec // the clock is one of two constants
	row := tx.QueryRowContext(ctx, "SELECT number, created, "+r.dialect.clock()+", (SELECT max(number) FROM lethe_outbox) "+
		"FROM lethe_outbox WHERE parked IS NULL ORDER BY number LIMIT 1")
	switch err := row.Scan(&q.first, &created, &now, &q.last); {
	case err == sql.ErrNoRows:
		return queue{}, nil
	case err != nil:
		return queue{}, err
	}
	q.oldest = max(0, time.Duration(now-created)*time.Millisecond)
	return q, nil
}
