package outbox

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// record is the row of lethe_outbox_bus, other one of lethe_outbox_relays.
type (
	record struct {
		place
		worker string
	}
	other struct {
		id   string
		at   place
		beat int64
	}
)

// watch is what a relay knows of the others. It compares beats by its own clock, so that clocks need not agree: neither those of
// machines nor the database's.
type watch struct {
	id      string
	times   times
	seen    map[string]sight
	last    time.Duration // of the last look
	was     place         // the bus that was agreed on last; zero = none yet
	queue   queueWatch
	against string        // the worker beside whom this relay tries what is overdue
	holder  string        // the worker of the last look
	held    time.Duration // how long it has been seen there
}

// sight is how long another relay's row has been seen unchanged.
type sight struct {
	at     place
	beat   int64
	silent time.Duration
}

// verdict is what a look has led to.
type verdict struct {
	ok, work bool
	overdue  int64 // without the lease: rows up to this number have waited for too long, this relay tries them as well
	err      error
	left     string        // the bus that is left, and why, for the log
	bus      bool          // the record becomes ours
	owed     bool          // and everything is owed to it
	worker   string        // who works from now on; the same as before, mostly
	held     time.Duration // how long it has been seen to
	changed  bool          // the worker has to be written
	gone     []string      // relays nobody has heard of for long
	origin   origin
	debt     int // not 0: everything is owed, now or since before
}

// judge looks at what stands in the tables. proven says that this relay has published what was overdue beside the worker.
//
// The lease keeps two relays from doing the same work. It is no permission: a relay that sees a row wait for too long tries to
// publish it, whoever works, and the work passes to it when that succeeds. No relay gives the work up because it can't publish.
// So rows go out as soon as any relay has the database and the bus, whatever has become of the others.
func (w *watch) judge(now time.Duration, at place, known, proven bool, bus record, relays []other, q queue) verdict {
	passed := w.observe(now, relays)
	w.queue.observe(passed, w.times, q)
	v := verdict{worker: bus.worker}
	for id, s := range w.seen {
		if s.silent >= w.times.lapse {
			v.gone = append(v.gone, id)
		}
	}
	if known {
		w.agree(&v, at, bus)
	}
	switch {
	case !v.ok && bus.worker == w.id:
		v.worker, v.changed = "", true
	case v.ok && bus.worker == w.id:
		v.work = true
	case v.ok && (w.idle(bus.worker) || proven && bus.worker == w.against):
		v.worker, v.changed, v.work = w.id, true, true
	case v.ok:
		v.overdue, w.against = w.queue.overdue(w.times), bus.worker
	}
	if v.worker != w.holder {
		w.holder, w.held = v.worker, 0
	} else {
		w.held += passed
	}
	v.held = w.held
	return v
}

// observe counts how long each row has been the same. What passed while nobody looked does not count: a machine that stands
// still hears nobody.
func (w *watch) observe(now time.Duration, relays []other) (passed time.Duration) {
	passed = min(now-w.last, 2*w.times.beat)
	w.last = now
	seen := make(map[string]sight, len(relays))
	for _, o := range relays {
		if o.id == w.id {
			continue
		}
		s, known := w.seen[o.id]
		if !known || s.beat != o.beat || s.at != o.at {
			s = sight{at: o.at, beat: o.beat}
		} else {
			s.silent += passed
		}
		seen[o.id] = s
	}
	w.seen = seen
	return passed
}

// idle says that nobody does the work: the worker has signed off, or has been silent for too long.
func (w *watch) idle(worker string) bool {
	s, there := w.seen[worker]
	return !there || s.silent >= w.times.silent
}

// agree settles whether the database is announced where this process is.
func (w *watch) agree(v *verdict, at place, bus record) {
	switch {
	case at == bus.place, at == place{}:
		v.ok = true
	case bus.place == place{}:
		v.ok, v.bus = true, true
	case bus.place == w.was: // this process saw its own node go from there to here
		v.ok, v.bus, v.owed = true, true, true
		v.left = fmt.Sprintf("%s: this node has left it", bus.place)
	default:
		for id, s := range w.seen {
			if s.at != at && s.at.epoch != "" && s.silent < w.times.lapse {
				v.err = errOtherBus(bus.place, at, id, s.at, w.times.lapse)
				return
			}
		}
		v.ok, v.bus, v.owed = true, true, true
		v.left = fmt.Sprintf("%s: no relay is left there", bus.place)
	}
}

// agreed remembers what was settled once it is committed.
func (w *watch) agreed(v verdict, at place) {
	if v.ok {
		w.was = at
	}
}

// apply writes v.
func (v *verdict) apply(ctx context.Context, tx *sql.Tx, id string, at place) error {
	if v.bus {
		if _, err := tx.ExecContext(ctx, "UPDATE lethe_outbox_bus SET fleet = $1, epoch = $2 WHERE one = 1", at.fleet, at.epoch); err != nil {
			return err
		}
	}
	if v.changed {
		if _, err := tx.ExecContext(ctx, "UPDATE lethe_outbox_bus SET worker = $1 WHERE one = 1", v.worker); err != nil {
			return err
		}
	}
	if v.owed || v.origin.back != "" {
		if _, err := tx.ExecContext(ctx, "UPDATE lethe_outbox_bus SET owed = $1 WHERE one = 1", v.debt); err != nil {
			return err
		}
	}
	if v.origin.write {
		if _, err := tx.ExecContext(ctx, "UPDATE lethe_outbox_home SET home = $1, life = $2 WHERE one = 1", v.origin.home, v.origin.life); err != nil {
			return err
		}
	}
	for _, gone := range v.gone {
		if _, err := tx.ExecContext(ctx, "DELETE FROM lethe_outbox_relays WHERE id = $1 AND id <> $2", gone, id); err != nil {
			return err
		}
	}
	return nil
}
