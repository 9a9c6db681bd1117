package flight_test

import (
	"errors"
	"slices"

	"github.com/lethe-cache/lethe/internal/depend"
	"github.com/lethe-cache/lethe/internal/fence"
	"github.com/lethe-cache/lethe/internal/flight"
)

var (
	errOverrun = errors.New("the load took too long")
	errLoad    = errors.New("the loader failed")
	errCycle   = errors.New("the key waits for itself")
	errGaveUp  = errors.New("the caller gave up")
)

// loading is a load as the truth knows it: with its keys, and in whose loader it was asked for.
type loading struct {
	load   *flight.Load
	keys   []int
	ended  map[int]bool // keys whose flight has ended: a load given up on may outlive the one that asked for it
	alone  bool         // runs beside the group, which keeps it in the chain when it has ended
	parent *loading
	record *depend.Record
	offer  uint64
	scope  *scope
}

// scope is what the loads below one outermost read share where the cache keeps nothing: what began after it.
type scope struct {
	since uint64
	bound versions // what a read had to know when it began
	began int      // the end of the stream then
	kept  map[int]*outcome
}

// open gives the load its scope.
func (w *world) open(l *loading) {
	if l.parent != nil {
		l.scope = l.parent.scope
		return
	}
	l.scope = &scope{since: w.graph.Begun(), bound: w.bound(l.offer), began: len(w.log), kept: map[int]*outcome{}}
}

func (l *loading) flightLoad() *flight.Load {
	if l == nil {
		return nil
	}
	return l.load
}

func (l *loading) loads(k int) bool {
	return l != nil && (slices.Contains(l.keys, k) && (l.alone || !l.ended[k]) || l.parent.loads(k))
}

// read is one read as its caller sees it.
type read struct {
	key    int
	need   uint64 // 0, a token, or flight.All
	bypass bool
	bound  versions // what it must know at least
	forgot versions // what had been applied when it began
	began  int      // the end of the stream when it began
	ask    flight.Ask
	scope  *scope // nil outside a load
	asked  int    // how often it asked what to do
	loads  int    // flights it led or waited for to their end

	recalled bool
}

// trusts reports whether its clock and the cache are to be trusted.
func (r *read) trusts() bool { return r.ask.Leased && !r.bypass }

// begin decides how k is to be read: a token that was reached is none.
func (w *world) begin(k int, need uint64, parent *loading) *read {
	r := &read{key: k, need: need, bound: w.bound(need), forgot: w.forgot, began: len(w.log)}
	r.bypass = need == flight.All || uint64(w.cursor) < need
	r.ask.Parent = parent.flightLoad()
	if parent != nil {
		r.scope, r.ask.Since = parent.scope, parent.scope.since
		if w.fault == keptValuesOfOlderScopes {
			r.ask.Since = 1
		}
	}
	if r.bypass {
		r.ask.Need, r.ask.Offer = need, need
	}
	return r
}

// get is a read of k, as the library makes it.
func (w *world) get(t *task, k int, need uint64, parent *loading) *outcome {
	r := w.begin(k, need, parent)
	if e := w.cache[k]; e != nil && !r.bypass {
		if at := w.gate.Read(&e.life, &e.memo); at.Verdict == fence.Fresh && at.Leased() && at.Now < e.life.Expires {
			w.hits++
			return w.done(r, parent, &outcome{value: e.value, life: e.life, labels: e.labels})
		}
	}
	t.pause()
	w.note(t, r)
	t.pause()
	if o := w.recall(r); o != nil {
		return w.done(r, parent, o)
	}
	f, step := w.enter(r, parent, nil)
	return w.finish(t, r, parent, f, step)
}

// recall returns what another read below the same outermost one has brought, if it is good for this one.
func (w *world) recall(r *read) *outcome {
	if r.scope == nil || r.trusts() {
		return nil
	}
	k, ok := r.scope.kept[r.key]
	if !ok || !w.recent(k) {
		return nil
	}
	w.recalls++
	r.recalled = true
	return k
}

// recent is the check that a reader makes which can't trust its lease, of what began after the outermost read above it.
func (w *world) recent(o *outcome) bool {
	return w.gate.Recent(&o.life) || w.fault == keptValuesUnchecked
}

// keep lets other reads below the same outermost one have what this one brings.
func (w *world) keep(r *read, o *outcome) *outcome {
	if r.scope != nil && !r.trusts() && o.err == nil {
		r.scope.kept[r.key] = o
	}
	return o
}

// note is how the caller stands before it may have to wait.
func (w *world) note(t *task, r *read) {
	if w.fault == clockNotedBeforeTheLease {
		r.ask.Clock = w.gate.Clock()
		t.pause()
		t.pause()
		_, r.ask.Leased = w.gate.Ask()
		return
	}
	r.ask.Clock, r.ask.Leased = w.gate.Ask()
	r.ask.Leased = r.ask.Leased || w.fault == joinsByClockWithoutALease
}

// enter asks what to do about a key and starts the load that the caller has to run, but for those of a batch.
func (w *world) enter(r *read, parent *loading, b *batch) (*flight.Flight[*outcome], flight.Step) {
	var load *flight.Load
	if b != nil {
		load = b.load.load
	}
	start := w.now
	others := w.lane(r.key, r.bypass)
	g, key := w.group(r.key)
	f, step := g.Enter(key, &r.ask, load)
	w.holdStep(r, step, others)
	r.asked++
	if inChain := parent.loads(r.key); !w.overran && inChain != (step == flight.Cycle) {
		w.fail("key %d: step %d, though it is in its own chain: %v", r.key, step, inChain)
	}
	if step == flight.Alone && !w.crossing && r.trusts() {
		w.fail("key %d: loaded alone, though nothing waits in a circle", r.key)
	}
	fl := flown{r.key, f, r.bypass, step == flight.Alone}
	switch {
	case step == flight.Lead && b != nil:
		b.load.keys, b.flown = append(b.load.keys, r.key), append(b.flown, fl)
		w.flights = append(w.flights, fl)
	case step == flight.Lead || step == flight.Alone:
		l := &loading{load: f.Load, keys: []int{r.key}, parent: parent, offer: r.ask.Offer, ended: map[int]bool{}, alone: step == flight.Alone}
		w.flights = append(w.flights, fl)
		w.run(l, start, r.bypass, []flown{fl})
	}
	return f, step
}

// holdStep holds what a caller is told against what it should be told: no more than two flights of a key, a second one only for a
// caller that the first can't serve or has failed, and then no waiting.
func (w *world) holdStep(r *read, step flight.Step, others []flown) {
	useless := len(others) > 0 && w.fenced(r.key, others[len(others)-1].flight.Start)
	waits := step == flight.Check || step == flight.Queue
	switch {
	case len(others) > 2 || len(others) == 2 && step == flight.Lead:
		w.fail("key %d: step %d, with %d flights", r.key, step, len(others))
	case len(others) == 1 && step == flight.Lead && r.asked == 0 && !useless:
		w.fail("key %d: a second flight for one that asks for the first time, and the first may be good for it", r.key)
	case len(others) == 1 && waits && (r.asked > 0 || useless && r.trusts()):
		w.fail("key %d: step %d, asked %d times, useless: %v: it waits for what is of no use to it", r.key, step, r.asked, useless)
	case step == flight.Check && useless:
		w.fail("key %d: to be checked, though it is fenced", r.key)
	}
}

// finish waits and asks again until the read has its outcome.
func (w *world) finish(t *task, r *read, parent *loading, f *flight.Flight[*outcome], step flight.Step) *outcome {
	for w.broken == nil {
		if step == flight.Cycle {
			return w.done(r, parent, &outcome{err: errCycle})
		}
		t.patient = step == flight.Check || step == flight.Queue
		ended := t.wait(f.Done())
		if ended {
			t.pause() // what happens between the end and the caller's own check
		}
		w.graph.Leave(r.ask.Parent, f.Load)
		if !ended {
			return w.done(r, parent, &outcome{err: errGaveUp})
		}
		if closed(f.Done()) {
			r.loads++
			if o := f.Result(); step != flight.Queue && (step != flight.Check || w.good(r, o)) {
				return w.done(r, parent, w.keep(r, o))
			}
		}
		t.pause()
		if o := w.recall(r); o != nil {
			return w.done(r, parent, o)
		}
		f, step = w.enter(r, parent, nil)
	}
	return &outcome{err: errGaveUp}
}

// good is the check a caller makes itself of a flight that began before it asked.
func (w *world) good(r *read, o *outcome) bool {
	if !r.trusts() {
		return o.err == nil && w.recent(o)
	}
	switch w.fault { //nolint:exhaustive // the other faults are made elsewhere
	case flightsJoinedUnchecked:
		return o.err == nil
	case errorsOfOlderFlightsShared:
		return o.err != nil || w.gate.Valid(&o.life)
	case verdictOfTheFlightShared:
		return o.err == nil && o.valid
	}
	return o.err == nil && w.gate.Valid(&o.life)
}

// done hands what was read to the load that asked, and holds it against the truth.
func (w *world) done(r *read, parent *loading, o *outcome) *outcome {
	if parent != nil && w.fault != childrenHandOnNoLabels {
		expires := o.life.Expires
		if o.err != nil {
			expires = 0
		}
		parent.record.Read(w, o.labels, expires)
	}
	if limit := 2; r.loads > limit && r.trusts() || r.loads > limit+1 {
		w.fail("key %d, bypass %v: %d flights for one read", r.key, r.bypass, r.loads)
	}
	bound, began := r.bound, r.began
	if r.scope != nil && !r.trusts() && (r.bypass || r.asked > 0 || r.recalled) {
		bound, began = r.scope.bound.max(r.forgot), r.scope.began // what the outermost read has to know, and what is forgotten since
	}
	for k, n := range o.value {
		if n < bound[k] {
			w.fail("key %d, need %d: of key %d it knows %d writes and had to know %d (error: %v)", r.key, r.need, k, n, bound[k], o.err)
		}
	}
	after := r.bypass || r.loads > 0 && !r.ask.Leased // only what was loaded after it asked, or the outermost read above it, will do
	if after && o.loaded && began > 0 && o.own < w.log[began-1][r.key] {
		w.fail("key %d, bypass %v, leased %v: its load knew %d writes, of %d when it began", r.key, r.bypass, r.ask.Leased, o.own, w.log[began-1][r.key])
	}
	return o
}

// batch is what a read of many keys loads itself.
type batch struct {
	load  *loading
	flown []flown
}

// getMany enters all its keys, waits for the one load of those it leads, and then for the others'.
func (w *world) getMany(t *task, ks []int, need uint64, parent *loading) []*outcome {
	b := &batch{load: &loading{load: w.graph.Begin(parent.flightLoad()), parent: parent, ended: map[int]bool{}}}
	outcomes := make([]*outcome, len(ks))
	reads := make([]*read, len(ks))
	flights := make([]*flight.Flight[*outcome], len(ks))
	steps := make([]flight.Step, len(ks))
	start := w.now
	for i, k := range ks {
		reads[i] = w.begin(k, need, parent)
		reads[i].ask.Clock, reads[i].ask.Leased = w.gate.Ask()
		b.load.offer = reads[i].ask.Offer
		if outcomes[i] = w.recall(reads[i]); outcomes[i] != nil {
			w.done(reads[i], parent, outcomes[i])
			continue
		}
		flights[i], steps[i] = w.enter(reads[i], parent, b)
	}
	if len(b.flown) > 0 {
		w.run(b.load, start, reads[0].bypass, b.flown)
	}
	for i, f := range flights {
		if outcomes[i] == nil && steps[i] == flight.Lead {
			reads[i].loads++
			if outcomes[i] = (&outcome{err: errGaveUp}); t.wait(f.Done()) {
				outcomes[i] = w.keep(reads[i], f.Result())
			}
			w.done(reads[i], parent, outcomes[i])
		}
	}
	w.graph.Leave(parent.flightLoad(), b.load.load)
	for i, f := range flights {
		if outcomes[i] == nil && steps[i] != flight.Lead {
			outcomes[i] = w.finish(t, reads[i], parent, f, steps[i])
		}
	}
	return outcomes
}
