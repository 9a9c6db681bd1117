package outbox

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/lethe-cache/lethe/pkg/event"
)

// Bounds of what a worker does at a time.
const (
	batchMost = 256 // rows read
	lanesMost = 16  // published at a time, one row of each
	holdsMost = 64  // lanes that wait because a row of theirs could not be published; then all wait

	rememberMost = 1 << 14 // rows

	publishFor = 30 * time.Second // one event; a publisher that hangs is not waited for
)

// work is what the worker's goroutine remembers between its rounds.
type work struct {
	term   int                   // of which what is owed has been paid
	told   map[int64]bool        // rows whose targets the publisher was told to forget
	acked  map[int64]event.Token // rows that are stored in the stream and still in the table
	holds  map[string]hold       // lanes that wait
	base   event.Token           // of the last time everything was announced: what came later covers it
	parked parkedPass
	pruned int64
}

// hold is a lane whose first row could not be published.
type hold struct {
	fails int
	until time.Duration
}

func (w *work) init() {
	w.told, w.acked, w.holds = map[int64]bool{}, map[int64]event.Token{}, map[string]hold{}
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

// drain publishes until nothing is left that could be.
func (r *Relay) drain() {
	w := &r.work
	if h, held := w.holds[""]; held && r.now() < h.until {
		return
	}
	for {
		at, term, ok := r.may()
		if !ok {
			return
		}
		if term != w.term {
			if !r.pay(at) {
				return
			}
			r.failing.Store(0)
			w.term = term
			w.parked.begin(r.now() + r.times.parked)
		}
		more, err := r.round(at)
		if err != nil {
			if r.late.Err() == nil {
				r.log.Warn("rows of the outbox can't be read or taken away; they stay until they can", "error", err)
			}
			r.hold("")
			return
		}
		delete(w.holds, "")
		if !more {
			return
		}
	}
}

// round publishes what stands first, and says whether it is worth to look again at once.
func (r *Relay) round(at place) (more bool, err error) {
	w := &r.work
	rows, err := r.waiting(r.late)
	if err != nil {
		return false, err
	}
	if w.parked.due(r.now()) {
		again, err := r.parkedRows(r.late)
		if err != nil {
			return false, err
		}
		rows = append(rows, again...)
		more = len(again) == batchMost
		w.parked.went(again, r.now()+r.times.parked)
	}
	if len(rows) == 0 {
		return false, nil
	}
	r.tell(rows)
	tried := r.publish(at, rows)
	r.progress(tried)
	done, err := r.settle(r.late, at, tried)
	return more || done > 0, err
}

// progress notes since when nothing that was tried could be published.
func (r *Relay) progress(tried []*queued) {
	failed := false
	for _, q := range tried {
		if q.acked || permanent(q.failed) {
			r.failing.Store(0)
			return
		}
		failed = true
	}
	if failed {
		r.failing.CompareAndSwap(0, int64(r.now()))
	}
}

// stuck says that rows have waited for as long as another relay would be given up for silent.
func (r *Relay) stuck() bool {
	since := r.failing.Load()
	return since != 0 && r.now()-time.Duration(since) >= r.times.silent
}

// tell lets the publisher forget what was committed, each row once: nobody waits for the bus with it.
func (r *Relay) tell(rows []*queued) {
	w := &r.work
	if len(w.told) > rememberMost { // of rows that another relay has published
		clear(w.told)
		clear(w.acked)
	}
	for _, q := range rows {
		if r.forget != nil && q.bad == nil && !w.told[q.number] {
			r.forget(q.e.Targets...)
		}
		w.told[q.number] = true
	}
}

// pay announces everything on a bus that the database has moved to, before any row. It says whether rows may follow.
func (r *Relay) pay(at place) bool {
	err := r.payOwed(at)
	if err == nil {
		return true
	}
	if r.late.Err() == nil {
		r.log.Warn("the database has moved to this bus, and everything can't be announced on it yet; rows wait", "error", err)
	}
	r.failing.CompareAndSwap(0, int64(r.now()))
	r.hold("")
	return false
}

func (r *Relay) payOwed(at place) error {
	r.work.base = event.Token{}
	if r.stream == nil {
		return nil
	}
	var owed int
	row := r.db.QueryRowContext(r.late, "SELECT owed FROM lethe_outbox_bus WHERE fleet = $1 AND epoch = $2", at.fleet, at.epoch)
	if err := row.Scan(&owed); err != nil || owed == 0 {
		return err
	}
	ctx, cancel := context.WithTimeout(r.late, publishFor)
	defer cancel()
	token, err := r.pub.Publish(ctx, event.Event{
		ID: event.NewID(), Source: sourceOf(at.fleet), Time: time.Now(), Targets: []event.Target{event.All()},
		Reason: "the outbox has moved to this bus, which may have missed what another was told",
	})
	if err != nil {
		return err
	}
	if !r.stored(at, token) {
		return errors.New("the stream was made anew meanwhile")
	}
	r.work.base = token
	_, err = r.db.ExecContext(r.late, "UPDATE lethe_outbox_bus SET owed = 0 WHERE fleet = $1 AND epoch = $2", at.fleet, at.epoch)
	return err
}

// stored says whether an event that was acknowledged is where it should be.
func (r *Relay) stored(at place, token event.Token) bool {
	return r.stream == nil || token.IsZero() || token.Epoch() == at.epoch && token.Fleet() == at.fleet
}

// hold lets a lane wait, longer each time; "" is all of them.
func (r *Relay) hold(lane string) {
	h := r.work.holds[lane]
	h.fails++
	most := r.times.backoff << min(h.fails-1, 6)
	h.until = r.now() + most/2 + rand.N(most/2+1) //nolint:gosec // jitter is no secret
	r.work.holds[lane] = h
}

// waiting reads the rows that stand first and whose lanes do not wait. It always begins at the first: a slower transaction
// commits a lower number later.
func (r *Relay) waiting(ctx context.Context) ([]*queued, error) {
	held, all := r.held()
	if all {
		return nil, nil
	}
	query := "SELECT number, id, ticket, subject, event FROM lethe_outbox WHERE parked IS NULL"
	args := make([]any, 0, len(held))
	if len(held) > 0 {
		held = padded(held)
		query += " AND subject NOT IN " + list(len(held))
		for _, subject := range held {
			args = append(args, subject)
		}
	}
	return r.read(ctx, query+" ORDER BY number LIMIT 256", args...)
}

// held has the subjects of the lanes that wait.
func (r *Relay) held() (subjects []string, all bool) {
	w := &r.work
	now := r.now()
	var waiting int
	for lane, h := range w.holds {
		if now >= h.until || lane == "" {
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
		if err := rows.Scan(&q.number, &q.id, &q.ticket, &q.subject, &q.event); err != nil {
			return nil, err
		}
		q.open(at.fleet)
		found = append(found, q)
	}
	return found, rows.Err()
}
