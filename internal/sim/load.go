package sim

import (
	"errors"
	"slices"

	"github.com/lethe-cache/lethe/internal/depend"
	"github.com/lethe-cache/lethe/internal/fence"
	"github.com/lethe-cache/lethe/internal/flight"
)

var (
	errLoad   = errors.New("the loader failed")
	errLate   = errors.New("the load took too long")
	errCycle  = errors.New("the key waits for itself")
	errAbsent = errors.New("there is none")
	errGaveUp = errors.New("the caller gave up")
)

// outcome is what a flight brings to all who wait for it.
type outcome struct {
	value   value
	err     error
	absent  bool // a batch that left the key out
	life    fence.Life
	labels  []depend.Label
	expires int64 // as a parent has to count it: 0 where nothing was stored
}

// flown is a flight under way, and who waits for it.
type flown struct {
	thing   int
	f       *flight.Flight[*outcome]
	began   int32 // as the truth has it
	at      int64 // when
	waiters []*reading
	value   value // of its own row
	absent  bool
}

// loading is one run of a loader, of one thing or of several rows.
type loading struct {
	n       *node
	rng     rnd
	load    *flight.Load
	how     how
	start   int64
	keep    bool
	flights []*flown
	rec     *depend.Record

	value    value // of what was read through other functions
	err      error
	row      int // the next of flights to be read from the database, or child of a compound
	open     []*reading
	settled  bool // by its end or by its timeout
	recorded depend.Recorded
	stored   int // of the flights
	crowd    bool
}

// Codes of a loading.
const (
	loadRow = iota
	loadChild
	loadSettle
	loadOverdue
)

// lead starts a load.
func (n *node) lead(load *flight.Load, h how, start int64, keep bool, seed uint64, flights []*flown) {
	n.w.count.Loads++
	h.load = load
	l := &loading{n: n, rng: rnd{seed}, load: load, how: h, start: start, keep: keep, flights: flights, rec: depend.NewRecord(n)}
	at := n.w.mark()
	for _, f := range flights {
		f.began, f.at = at, n.w.now
		n.flown = append(n.flown, f)
	}
	n.w.at(n.w.now+n.w.cl.maxLoad, n, l, loadOverdue)
	if flights[0].thing < rows {
		l.then(loadRow)
		return
	}
	l.crowd = l.rng.chance(3000)
	l.then(loadChild)
}

// then goes on after as long as a loader takes.
func (l *loading) then(code int) {
	w := l.n.w
	d := l.rng.span(10*usec, 2*msec)
	if l.rng.chance(w.cl.slow) {
		d = l.rng.span(0, w.cl.maxLoad+w.cl.maxLoad/4)
		if l.rng.chance(6000) {
			d /= 16
		}
	}
	w.at(w.now+d, l.n, l, code)
}

func (l *loading) act(code int) {
	switch code {
	case loadRow:
		l.readRow()
	case loadChild:
		l.readChild()
	case loadSettle:
		l.settle()
	case loadOverdue:
		l.fail()
	}
}

// readRow reads one row of the database.
func (l *loading) readRow() {
	f := l.flights[l.row]
	f.value.ver[f.thing] = l.n.w.db[f.thing]
	f.absent = len(l.flights) > 1 && l.rng.chance(1000)
	l.rec.AddTags(l.n.w.cl.names.tag[f.thing])
	l.row++
	if l.row < len(l.flights) {
		l.then(loadRow)
		return
	}
	if l.rng.chance(l.n.w.cl.errors) {
		l.err = errLoad
	}
	l.then(loadSettle)
}

// readChild reads what the compound is made of: one after the other, or all at once.
func (l *loading) readChild() {
	thing := l.flights[0].thing
	g := &l.n.w.graph
	children := g.of[thing-rows]
	first, last := l.row == 0, l.row == len(children) && len(l.open) == 0
	if g.wide[thing-rows] && (first && thing%2 == 0 || last && thing%2 == 1) {
		l.rec.AddTags(l.n.w.cl.names.padTags...)
	}
	for l.row < len(children) {
		r := &reading{n: l.n, rng: rnd{l.rng.u64()}, thing: children[l.row], how: l.how, parent: l}
		l.row++
		l.open = append(l.open, r)
		r.then(readBegin)
		if !l.crowd {
			return
		}
	}
	if len(l.open) == 0 {
		if l.rng.chance(l.n.w.cl.errors) {
			l.err = errLoad
		}
		l.then(loadSettle)
	}
}

// child is told what a read of the loader has brought. A loader may make do without what it could not have.
func (l *loading) child(r *reading, o *outcome, labels []depend.Label, expires int64) {
	l.rec.Read(l.n, labels, expires)
	if i := slices.Index(l.open, r); i >= 0 {
		l.open = slices.Delete(l.open, i, i+1)
	}
	switch {
	case o.err == nil:
		l.value.add(&o.value)
	case l.rng.chance(7000):
		l.err = o.err
	}
	if len(l.open) == 0 {
		l.then(loadChild)
	}
}

// settle ends the recording and begins to store what was loaded.
func (l *loading) settle() {
	l.recorded = l.rec.Close()
	if l.settled {
		return
	}
	l.settled = true
	l.keep = l.keep && l.n.h.mono()-l.start < l.n.w.cl.maxLoad
	l.keepNext()
}

// keepNext completes an outcome and stores it, if it may be; then its flight ends.
func (l *loading) keepNext() {
	n, cl := l.n, l.n.w.cl
	f := l.flights[l.stored]
	o := &outcome{err: l.err, absent: l.err == nil && f.absent}
	o.value = l.value
	own := f.value
	own.begun[f.thing] = f.began
	o.value.add(&own)

	var set depend.Set
	set.Add(cl.names.function[function(f.thing)], cl.names.key[f.thing])
	set.Add(l.recorded.Set.Labels()...)
	o.labels = set.Labels()
	if l.recorded.Set.Collapsed() {
		n.w.count.Collapsed++
	}
	fn := &cl.functions[function(f.thing)]
	ttl := fn.ttl - l.rng.span(0, fn.ttl/10+1)
	ttl = min(ttl, cl.maxTTL)
	e := &entry{labels: o.labels, value: &o.value}
	e.Birth, e.Start = f.f.Start, l.start
	e.End = l.start + min(ttl+fn.stale, cl.maxTTL)
	e.Expires = min(l.start+ttl, l.recorded.Expires)
	e.carry(cl.names.all)
	o.life = e.Life
	if l.keep && !o.absent && o.err == nil && n.h.mono() < e.Expires && n.store(f.thing, e) {
		o.expires = e.Expires
	}
	f.value = o.value
	l.end(f, o)
}

// end arranges for the flight to end with o.
func (l *loading) end(f *flown, o *outcome) {
	n := l.n
	n.w.at(n.w.now+l.rng.span(usec, 30*usec), n, &ending{l, f, o}, 0)
}

// ending is a flight about to end.
type ending struct {
	l *loading
	f *flown
	o *outcome
}

func (e *ending) act(int) {
	l := e.l
	l.n.land(e.f, e.o)
	l.stored++
	if l.stored < len(l.flights) {
		l.keepNext()
	}
}

// land ends a flight and wakes who waits for it.
func (n *node) land(f *flown, o *outcome) {
	n.groups[function(f.thing)].End(f.thing, f.f, o)
	if i := slices.Index(n.flown, f); i >= 0 {
		n.flown = slices.Delete(n.flown, i, i+1)
	}
	for _, r := range f.waiters {
		r.then(readEnded)
	}
	f.waiters = nil
}

// fail ends the flights of a load whose time is up; what it reads gives up with it.
func (l *loading) fail() {
	if l.settled {
		return
	}
	l.settled = true
	l.n.w.count.Overran++
	l.rec.Close()
	for _, f := range l.flights {
		l.n.land(f, &outcome{err: errLate})
	}
	for _, r := range slices.Clone(l.open) {
		r.then(readGiveUp)
	}
}
