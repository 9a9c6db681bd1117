package outbox

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/lethe-cache/lethe/pkg/event"
)

// Bounds of what a worker does at a time.
const (
	batchMost = 256     // rows read
	lanesMost = 16      // published at a time, one row of each
	holdsMost = 1 << 12 // lanes that wait because a row of theirs could not be published; then all wait

	rememberMost = 1 << 14 // rows

	publishFor = 6 * time.Second // one event; a publisher that hangs is not waited for
	roundFor   = 3 * time.Second // no publish begins later than that in its round: lanes that hang keep the others no longer

	laneFor = 200 * time.Millisecond // nor the second of a lane, so long after the lane's first: other lanes may have new rows
)

// work is what the worker's goroutine remembers between its rounds. Rows are known by their ids: a database that was restored
// gives their numbers to others.
type work struct {
	term     int                    // of which what is owed has been paid
	told     map[string]bool        // rows whose targets the publisher was told to forget
	acked    map[string]event.Token // rows that are stored in the stream and still in the table
	holds    map[string]hold        // lanes that wait, or are tried again
	again    bool                   // it is their turn
	base     event.Token            // of the last time everything was announced: what came later covers it
	parked   parkedPass
	unpruned int    // rows taken away since what was announced lately was last cut down
	other    string // subject at which the last look behind a full batch ended
	down     bool   // nothing went in the last round
	rand     *rand.Rand
	batch    int // rows read at a time: halved when the database fails, so that a slow one is not asked for the same again and again
}

// hold is a lane whose first row could not be published.
type hold struct {
	fails int
	until time.Duration
}

func (w *work) init(seed uint64) {
	if seed == 0 {
		seed = rand.Uint64() //nolint:gosec // jitter is no secret
	}
	w.rand = rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // the same
	w.told, w.acked, w.holds, w.batch = map[string]bool{}, map[string]event.Token{}, map[string]hold{}, batchMost
	w.unpruned = doneMost / 10
}

// works publishes when woken, and looks every Poll whether there is something.
func (r *Relay) works() {
	timer := time.NewTimer(r.cfg.Poll)
	defer timer.Stop()
	for {
		select {
		case <-r.life.Done():
			return
		case <-r.wake:
		case <-timer.C:
		}
		r.drain()
		timer.Reset(r.pause())
	}
}

// pause is how long nothing is to be done unless it is asked for: until a lane may be tried again.
func (r *Relay) pause() time.Duration {
	wait := r.cfg.Poll
	for _, h := range r.work.holds {
		wait = min(wait, max(h.until-r.now(), time.Millisecond))
	}
	return wait
}

// drain publishes until nothing is left that could be, or one row where it is a trial.
func (r *Relay) drain() {
	w := &r.work
	if h, held := w.holds[""]; held && r.now() < h.until {
		return
	}
	for {
		now, ok := r.may()
		if !ok {
			return
		}
		if now.term != w.term {
			if !r.pay(now.at) {
				return
			}
			w.term = now.term
			if now.trial == 0 {
				w.parked.begin()
			}
		}
		more, err := r.round(now)
		if err != nil {
			if r.late.Err() == nil {
				r.log.Warn("rows of the outbox can't be read or taken away; they stay until they can", "error", err)
			}
			w.batch = max(w.batch/2, 1)
			r.failed(err)
			r.hold("")
			return
		}
		delete(w.holds, "")
		w.batch = min(2*w.batch, batchMost)
		if !more || now.trial > 0 {
			return
		}
	}
}

// round publishes what stands first, and says whether it is worth to look again at once.
func (r *Relay) round(now turn) (more bool, err error) {
	w := &r.work
	rows, err := r.next(now)
	if err != nil {
		return false, err
	}
	if now.trial == 0 && w.parked.due(r.now(), r.times) {
		again, err := r.parkedRows()
		if err != nil {
			return false, err
		}
		rows = append(rows, again...)
		more = len(again) == w.batch
		w.parked.went(again, w.batch, r.now(), r.times)
	}
	if len(rows) == 0 {
		return false, nil
	}
	if err := r.remember(rows); err != nil {
		return false, err
	}
	r.tell(rows)
	tried := r.publish(now, rows)
	published := r.progress(now, tried)
	done, err := r.settle(now, tried)
	if err == nil && published && now.trial > 0 {
		r.proven.Store(true)
		poke(r.beatNow)
	}
	return more || done > 0, err
}

// progress notes what came of a round. When something goes after nothing did, the bus is back: no lane waits any longer.
func (r *Relay) progress(now turn, tried []*queued) (published bool) {
	var why error
	for _, q := range tried {
		switch {
		case q.acked:
			published = true
		case now.trial > 0 || !permanent(q.failed):
			why = q.failed
		}
	}
	if published && r.work.down {
		clear(r.work.holds)
	}
	switch {
	case why != nil:
		r.work.down = !published
		r.failed(why)
	case published:
		r.work.down = false
		r.trouble.Store(nil)
	}
	return published
}

// tell lets the publisher forget what was committed, each row once: nobody waits for the bus with it.
func (r *Relay) tell(rows []*queued) {
	w := &r.work
	if len(w.told) > rememberMost { // of rows that another relay has published
		clear(w.told)
		clear(w.acked)
	}
	for _, q := range rows {
		if r.forget != nil && q.bad == nil && !w.told[q.id] {
			r.forget(q.e.Targets...)
		}
		w.told[q.id] = true
	}
}

// pay announces everything on a bus that the database has moved to, before any row. It says whether rows may follow.
func (r *Relay) pay(at place) bool {
	err := r.payOwed(at)
	if err == nil {
		return true
	}
	if r.late.Err() == nil {
		r.log.Warn("everything is to be announced before any row, and can't be yet; rows wait", "error", err)
	}
	r.failed(err)
	r.hold("")
	return false
}

func (r *Relay) payOwed(at place) error {
	owed, err := r.owed(at)
	if err != nil || owed == 0 {
		return err
	}
	clear(r.work.told) // what stands in the table was told before, of another state
	ctx, cancel := context.WithTimeout(r.late, publishFor)
	defer cancel()
	token, err := r.pub.Publish(ctx, event.Event{
		ID: event.NewID(), Source: sourceOf(at.fleet), Time: time.Now(), Targets: []event.Target{event.All()},
		Reason: "the outbox has moved to this bus, which may have missed what another was told, or its database has gone back to an earlier state",
	})
	if err != nil {
		return err
	}
	if !r.stored(at, token) {
		return errors.New("the stream was made anew meanwhile")
	}
	r.work.base = token
	ctx, cancel = r.answering()
	defer cancel()
	done, err := r.db.ExecContext(ctx, "UPDATE lethe_outbox_bus SET owed = 0 WHERE fleet = $1 AND epoch = $2 AND owed = $3", at.fleet, at.epoch, owed)
	if err != nil {
		return err
	}
	if n, err := done.RowsAffected(); err == nil && n == 0 && r.stream != nil {
		return errors.New("there is another reason for it meanwhile")
	}
	r.post.paid()
	return nil
}

// owed is not 0 where everything is to be announced on a bus. A publisher that tells nothing of its bus is taken to be on the recorded one.
func (r *Relay) owed(at place) (owed int, err error) {
	ctx, cancel := r.answering()
	defer cancel()
	query, args := "SELECT owed FROM lethe_outbox_bus WHERE fleet = $1 AND epoch = $2", []any{at.fleet, at.epoch}
	if r.stream == nil {
		query, args = "SELECT owed FROM lethe_outbox_bus WHERE one = 1", nil
	}
	err = r.db.QueryRowContext(ctx, query, args...).Scan(&owed)
	return owed, err
}

// answering bounds one question to the database.
func (r *Relay) answering() (context.Context, context.CancelFunc) {
	return context.WithTimeout(r.late, r.times.answer)
}

// stored says whether an event that was acknowledged is where it should be.
func (r *Relay) stored(at place, token event.Token) bool {
	return r.stream == nil || token.IsZero() || token.Epoch() == at.epoch && token.Fleet() == at.fleet
}

// hold lets a lane wait, longer each time; "" is all of them.
func (r *Relay) hold(lane string) {
	w := &r.work
	h := w.holds[lane]
	h.fails++
	most := r.times.backoff << min(h.fails-1, 5)
	h.until = r.now() + most/2 + time.Duration(w.rand.Int64N(int64(most/2)+1))
	if len(w.holds) >= holdsMost {
		for lane, h := range w.holds { // many of them have no rows any more
			if r.now() >= h.until {
				delete(w.holds, lane)
			}
		}
	}
	w.holds[lane] = h
}

// next reads the rows to be tried. Those of lanes that have not failed and those of lanes that are to be tried again take turns,
// so that however many fail, and however long that takes, the others go out.
func (r *Relay) next(now turn) (rows []*queued, err error) {
	w := &r.work
	if len(w.holds) > 0 && !w.again {
		w.again = true
		if rows, err = r.waiting(now, true); err != nil || len(rows) > 0 {
			return rows, err
		}
	}
	w.again = false
	return r.waiting(now, false)
}

// waiting reads the rows that stand first and whose lanes do not wait; with sound only those of lanes that have not failed. It
// always begins at the first: a slower transaction commits a lower number later.
func (r *Relay) waiting(now turn, sound bool) ([]*queued, error) {
	held, all := r.held(sound)
	if all {
		return nil, nil
	}
	query, limit := "SELECT "+columns+" FROM lethe_outbox WHERE parked IS NULL", r.work.batch
	args := make([]any, 0, len(held)+1)
	if len(held) > 0 {
		held = padded(held)
		query += " AND subject NOT IN " + list(len(held))
		for _, subject := range held {
			args = append(args, subject)
		}
	}
	if now.trial > 0 {
		args, limit = append(args, now.trial), 1
		query += " AND number <= $" + strconv.Itoa(len(args))
	}
	ctx, cancel := r.answering()
	defer cancel()
	rows, err := r.read(ctx, query+" ORDER BY number LIMIT "+strconv.Itoa(limit), args...)
	if err != nil || now.trial > 0 || len(rows) < limit {
		return rows, err
	}
	more, err := r.others(ctx, rows, held)
	return append(rows, more...), err
}

// held has the subjects of the lanes that wait; with failed also of those that are due.
func (r *Relay) held(failed bool) (subjects []string, all bool) {
	w := &r.work
	now := r.now()
	var waiting int
	for lane, h := range w.holds {
		if lane == "" || now >= h.until && !failed {
			continue
		}
		waiting++
		subjects = append(subjects, subjectsOf(lane)...)
	}
	return subjects, waiting >= holdsMost
}

// read reads rows, and what they say.
func (r *Relay) read(ctx context.Context, query string, args ...any) ([]*queued, error) {
	rows, err := r.db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	at, _ := r.where()
	var found []*queued
	for rows.Next() {
		q := new(queued)
		if err := rows.Scan(&q.number, &q.id, &q.ticket, &q.subject, &q.event, &q.life); err != nil {
			return nil, err
		}
		q.open(at.fleet)
		found = append(found, q)
	}
	return found, rows.Err()
}
