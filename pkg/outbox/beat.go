package outbox

import (
	"context"
	"database/sql"
	"log/slog"
	"math/rand/v2"
	"time"
)

// beats shows that this relay is alive, and finds out from the others' rows what it has to do.
func (r *Relay) beats() {
	var (
		w     = watch{id: r.id, times: r.times, seen: make(map[string]sight)}
		late  lateness
		own   stamp
		last  place
		due   time.Duration
		gone  absence
		timer = time.NewTimer(0)
	)
	defer timer.Stop()
	for {
		asked := false
		select {
		case <-r.life.Done():
			return
		case <-r.beatNow:
			asked = true
		case <-timer.C:
		}
		at, _ := r.where()
		if asked || at != last || r.now() >= due {
			r.hooks.beat.call()
			err := r.beat(&w, &own, &late)
			if r.life.Err() == nil {
				gone.say(r.log, r.now(), err)
			}
			last, due = at, r.now()+r.times.beat
		}
		timer.Reset(min(r.times.look, r.times.beat))
	}
}

// absence is what has been logged of a database that does not answer.
type absence struct {
	lost  bool
	since time.Duration
	again time.Duration
}

// say logs that the database is lost, once a minute while it is, and that it is back.
func (a *absence) say(log *slog.Logger, now time.Duration, err error) {
	switch {
	case err == nil && a.lost:
		log.Info("the outbox's database answers again", "event", "database_back", "gone_for", (now - a.since).Round(time.Millisecond))
		*a = absence{}
	case err != nil && (!a.lost || now >= a.again):
		if !a.lost {
			a.lost, a.since = true, now
		}
		a.again = now + sayEvery
		log.Warn("the outbox's database does not answer; nothing is announced until it does", "event", "database_lost",
			"gone_for", (now - a.since).Round(time.Millisecond), "error", err)
	}
}

// beat is one look at the others, in one transaction that is alone from its first statement on.
func (r *Relay) beat(w *watch, own *stamp, late *lateness) error {
	ctx, cancel := context.WithTimeout(r.life, r.times.fresh) // later than that it would be worth nothing
	defer cancel()
	began := r.now()
	at, known := r.where()
	proven := r.proven.Load()
	home := r.home(ctx)
	var (
		found verdict
		q     queue
		mine  int64
		lost  loss
	)
	err := r.transact(ctx, func(tx *sql.Tx) error {
		bus, relays, was, err := r.enter(ctx, tx, at, own)
		if err != nil {
			return err
		}
		if err := r.look(ctx, tx, w, own, relays, was); err != nil {
			return err
		}
		lost, mine = r.memory.noted(), was.own+1
		if q, err = r.queued(ctx, tx); err != nil {
			return err
		}
		if was.gone {
			mine = own.beat + 1
		}
		from := own.origin(r.now(), r.times.lapse, lost, home, was)
		if from.life != own.life {
			w.queue = queueWatch{debt: w.queue.debt, owed: w.queue.owed} // it knows rows by their numbers
		}
		q.debt = was.owed
		if from.back != "" {
			q.debt = newDebt()
		}
		found = w.judge(r.now(), at, known, proven, bus, relays, q)
		if found.debt = q.debt; found.owed && from.back == "" {
			found.debt = newDebt()
		}
		found.origin = from
		return found.apply(ctx, tx, r.id, at)
	})
	if err != nil {
		return err
	}
	r.proven.CompareAndSwap(proven, false)
	r.memory.reported(lost, found.origin.life)
	*own = stamp{mine, found.origin.life, r.now()}
	w.agreed(found, at)
	if r.post.set(at, &found, began) {
		poke(r.wake)
	}
	if found.left != "" {
		r.log.Warn("the database moves to another bus: everything is announced there before anything else", "to", at.String(), "from", found.left)
	}
	if found.origin.back != "" {
		r.log.Warn("the database has gone back to an earlier state: everything is announced before anything else", "event", "database_restored",
			"found", found.origin.back)
	}
	r.saw(q.first != 0, q.oldest)
	r.sayLate(late, q)
	return nil
}

// newDebt is the number of a reason to announce everything. No two have the same: who pays one may be slow, and must not pay for another.
func newDebt() int {
	const most = 1 << 30
	return 1 + rand.IntN(most) //nolint:gosec // it is no secret
}

// look notes what a beat finds gone, beside this relay's own row. It stays noted when the beat does not commit.
func (r *Relay) look(ctx context.Context, tx *sql.Tx, w *watch, own *stamp, relays []other, was origins) error {
	for _, o := range relays {
		if s, known := w.seen[o.id]; known && o.id != r.id && o.beat < s.beat {
			r.memory.note(loss{own.life, lostBeat})
		}
	}
	last := r.memory.latest()
	switch {
	case last.id == "" || lifeNumber(last.life) < lifeNumber(was.life):
		return nil
	case last.life != was.life:
		r.memory.note(loss{last.life, lostLife})
		return nil
	}
	there, err := last.there(ctx, tx)
	if err == nil && !there {
		r.memory.note(loss{last.life, lostRead})
	}
	return err
}

// enter locks the record of the bus, reads all, and raises the beat in this relay's own row. It goes on from what this relay wrote
// last where others have taken the row away, so that no beat is ever lower than one before.
func (r *Relay) enter(ctx context.Context, tx *sql.Tx, at place, own *stamp) (bus record, relays []other, was origins, err error) {
	if _, err = tx.ExecContext(ctx, "INSERT INTO lethe_outbox_bus (one) VALUES (1) ON CONFLICT (one) DO UPDATE SET one = 1"); err != nil {
		return bus, nil, was, err
	}
	row := tx.QueryRowContext(ctx, "SELECT b.fleet, b.epoch, b.worker, b.owed, h.home, h.life FROM lethe_outbox_bus b, lethe_outbox_home h WHERE b.one = 1 AND h.one = 1")
	if err := row.Scan(&bus.fleet, &bus.epoch, &bus.worker, &was.owed, &was.home, &was.life); err != nil {
		return bus, nil, was, err
	}
	rows, err := tx.QueryContext(ctx, "SELECT id, fleet, epoch, beat FROM lethe_outbox_relays ORDER BY id")
	if err != nil {
		return bus, nil, was, err
	}
	defer func() { _ = rows.Close() }()
	was.gone = true
	for rows.Next() {
		var o other
		if err := rows.Scan(&o.id, &o.at.fleet, &o.at.epoch, &o.beat); err != nil {
			return bus, nil, was, err
		}
		if relays = append(relays, o); o.id == r.id {
			was.own, was.gone = o.beat, false
		}
	}
	if err := rows.Err(); err != nil {
		return bus, nil, was, err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO lethe_outbox_relays (id, fleet, epoch, beat) VALUES ($1, $2, $3, $4)
		ON CONFLICT (id) DO UPDATE SET fleet = excluded.fleet, epoch = excluded.epoch, beat = lethe_outbox_relays.beat + 1`,
		r.id, at.fleet, at.epoch, own.beat+1)
	return bus, relays, was, err
}

// leave takes this relay's row away and gives the work back, so that nobody has to wait for its silence.
func (r *Relay) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), r.times.grace)
	defer cancel()
	err := r.transact(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "UPDATE lethe_outbox_bus SET worker = '' WHERE worker = $1", r.id); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "DELETE FROM lethe_outbox_relays WHERE id = $1", r.id)
		return err
	})
	if err != nil {
		r.log.Debug("the relay could not sign off; the others will notice its silence", "error", err)
	}
}

// transact runs do in a transaction.
func (r *Relay) transact(ctx context.Context, do func(*sql.Tx) error) (err error) {
	options := &sql.TxOptions{}
	if r.dialect == postgres { // whatever the database's default: what is read after a lock has to be the latest
		options.Isolation = sql.LevelReadCommitted
	}
	tx, err := r.db.BeginTx(ctx, options)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if r.dialect == postgres {
		// A process that is stopped in here keeps others waiting for its locks no longer than this.
		if _, err := tx.ExecContext(ctx, "SET LOCAL idle_in_transaction_session_timeout = '3s'"); err != nil {
			return err
		}
	}
	if err := do(tx); err != nil {
		return err
	}
	return tx.Commit()
}
