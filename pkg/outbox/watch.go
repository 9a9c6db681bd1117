package outbox

import (
	"cmp"
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
	id    string
	times times
	seen  map[string]sight
	last  time.Duration // of the last look
	was   place         // the bus that was agreed on last; zero = none yet
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
	err      error
	left     string   // the bus that is left, and why, for the log
	bus      bool     // the record becomes ours
	owed     bool     // and everything is owed to it
	worker   string   // who works from now on; the same as before, mostly
	changed  bool     // the worker has to be written
	gone     []string // relays nobody has heard of for long
}

// judge looks at what stands in the tables. stuck says that this relay can't publish what waits.
func (w *watch) judge(now time.Duration, at place, known, stuck bool, bus record, relays []other) verdict {
	w.observe(now, relays)
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
		if next := w.next(at); stuck && next != "" {
			v.worker, v.changed, v.work = next, true, false
		}
	case v.ok && w.idle(bus.worker):
		v.worker, v.changed, v.work = w.id, true, true
	}
	return v
}

// observe counts how long each row has been the same. What passed while nobody looked does not count: a machine that stands
// still hears nobody.
func (w *watch) observe(now time.Duration, relays []other) {
	passed := min(now-w.last, 2*w.times.beat)
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
}

// idle says that nobody does the work: the worker has signed off, or has been silent for too long.
func (w *watch) idle(worker string) bool {
	s, there := w.seen[worker]
	return !there || s.silent >= w.times.silent
}

// next is the relay after this one, in the order of ids, that is alive on the same bus: what one can't publish another may.
func (w *watch) next(at place) string {
	first, after := "", ""
	for id, s := range w.seen {
		if s.at != at || s.silent >= w.times.silent {
			continue
		}
		if first == "" || id < first {
			first = id
		}
		if id > w.id && (after == "" || id < after) {
			after = id
		}
	}
	return cmp.Or(after, first)
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
		owed := 0
		if v.owed {
			owed = 1
		}
		if _, err := tx.ExecContext(ctx, "UPDATE lethe_outbox_bus SET fleet = $1, epoch = $2, owed = $3 WHERE one = 1", at.fleet, at.epoch, owed); err != nil {
			return err
		}
	}
	if v.changed {
		if _, err := tx.ExecContext(ctx, "UPDATE lethe_outbox_bus SET worker = $1 WHERE one = 1", v.worker); err != nil {
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
