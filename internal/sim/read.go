package sim

import (
	"slices"

	"github.com/lethe-cache/lethe/internal/depend"
	"github.com/lethe-cache/lethe/internal/fence"
	"github.com/lethe-cache/lethe/internal/flight"
)

// how a read is to be made; it travels to the reads of the loads it causes.
type how struct {
	load   *flight.Load // whose loader asks; nil outside one
	token  *token
	left   *int64 // of the second that the reads of one token wait, all together
	bypass bool
}

// reading is one read, a step at a time.
type reading struct {
	n      *node
	rng    rnd
	thing  int
	how    how
	parent *loading

	ask    flight.Ask
	found  *entry // best so far
	serves serving
	r      fence.Reading
	bulk   *entry
	flown  *flown
	step   flight.Step
	absent int
	told   int // how often it was told to wait
	over   bool
	many   *many // it is one of several
	looked bool  // and has looked into the cache

	// What the truth knows when it begins.
	began      int64
	mono       int64
	drowsy     bool
	hard, soft [things]int32
	must       [rows]int32
	way        string
}

// Codes of a reading.
const (
	readBegin = iota
	readHot
	readHotCheck
	readBulk
	readBulkCheck
	readPromote
	readAsk
	readEnter
	readEnded
	readGiveUp
	readImpatient
)

// load goes on to a load: by itself, or with others of its batch.
func (r *reading) load() {
	if r.many == nil || r.looked {
		r.then(readAsk)
		return
	}
	r.looked = true
	r.many.miss(r)
}

func (r *reading) then(code int) { r.n.w.at(r.n.w.now+r.rng.span(usec, 40*usec), r.n, r, code) }

func (r *reading) act(code int) {
	if r.over {
		return
	}
	switch code {
	case readBegin:
		r.begin()
	case readHot:
		r.found, r.serves = nil, unusable
		if e := r.n.hot[r.thing]; e != nil {
			r.found = e
			r.then(readHotCheck)
			return
		}
		r.then(readBulk)
	case readHotCheck:
		r.hot()
	case readBulk:
		if r.bulk = r.n.bulk[r.thing]; r.bulk != nil {
			r.then(readBulkCheck)
			return
		}
		r.cached()
	case readBulkCheck:
		r.bulkCheck()
	case readPromote:
		r.n.promote(r.thing, r.found)
		r.cached()
	case readAsk:
		r.check(func() { r.ask.Clock, r.ask.Leased = r.n.gate.Ask() })
		r.then(readEnter)
	case readEnter:
		r.enter()
	case readEnded:
		r.ended()
	case readGiveUp:
		r.giveUp()
	case readImpatient:
		r.impatient()
	}
}

// check lets the reader be stopped before the time is read.
func (r *reading) check(do func()) {
	r.n.stall = true
	do()
	r.n.stall = false
}

// begin notes what the read has to know, and waits for its token.
func (r *reading) begin() {
	n := r.n
	n.w.count.Reads++
	r.began, r.mono, r.drowsy = n.w.now, n.h.mono(), n.h.drowsy
	r.hard, r.soft, r.must = n.truth.hard, n.truth.soft, n.truth.must
	r.ask.Parent = r.how.load
	if r.parent == nil && r.rng.chance(n.w.cl.impatient) {
		n.w.at(n.w.now+r.rng.span(usec, sec), n, r, readGiveUp)
	}
	switch {
	case r.how.bypass:
		r.ask.Need, r.ask.Offer = flight.All, flight.All
		r.load()
	case r.how.token == nil || n.reached(r.how.token):
		r.then(readHot)
	case *r.how.left <= 0:
		r.level()
	default:
		begun := n.h.mono()
		n.wait(r.how.token, *r.how.left, func(ok bool) {
			*r.how.left += begun - n.h.mono()
			switch {
			case r.over:
			case ok:
				r.then(readHot)
			default:
				r.level()
			}
		})
	}
}

// level orders bypassing reads: a load made for a later token of the present epoch serves one for an earlier.
func (r *reading) level() {
	r.n.w.count.TokenBypasses++
	r.ask.Need, r.ask.Offer = flight.All, 0
	if v := r.n.view; v.Standing && v.Epoch == r.how.token.epoch {
		r.ask.Need, r.ask.Offer = r.how.token.seq, r.how.token.seq
	}
	r.load()
}

func (r *reading) hot() {
	e := r.found
	r.check(func() { r.r = r.n.gate.Read(&e.Life, &e.memo) })
	r.serves = r.n.w.cl.serve(r.thing, &e.Life, r.r)
	if r.serves == fresh {
		r.cached()
		return
	}
	if r.serves == unusable {
		r.found = nil
	}
	r.then(readBulk)
}

func (r *reading) bulkCheck() {
	e := r.bulk
	var at fence.Reading
	r.check(func() { at = r.n.gate.Read(&e.Life, nil) })
	s := r.n.w.cl.serve(r.thing, &e.Life, at)
	if s == unusable || r.serves != unusable && e.Start <= r.found.Start {
		r.cached()
		return
	}
	r.found, r.serves, r.r = e, s, at
	if s == fresh {
		r.then(readPromote)
		return
	}
	r.cached()
}

// cached answers from memory, if it may.
func (r *reading) cached() {
	if r.serves == unusable {
		r.load()
		return
	}
	n, e := r.n, r.found
	v, expires := *e.value, e.Expires
	switch r.serves {
	case fresh:
		n.w.count.Hits++
		r.way = "hit"
	case byPolicy:
		n.w.count.ByPolicy++
		v.stale, v.lag, expires = true, max(v.lag, n.w.cl.functions[function(r.thing)].limit), 0
		r.way = "by policy"
	default:
		n.w.count.Stale++
		v.stale, expires = true, 0
		r.way = "stale"
	}
	n.checkEnd(r, e)
	ahead := n.w.cl.ahead > 0 && r.serves == fresh && float64(r.r.Now-e.Start) > n.w.cl.ahead*float64(e.Expires-e.Start)
	if r.serves == stale || ahead {
		r.refresh()
	}
	r.finish(&outcome{value: v, labels: e.labels, expires: expires})
}

// refresh starts a load in the background.
func (r *reading) refresh() {
	n := r.n
	var ask flight.Ask
	ask.Clock, ask.Leased = n.gate.Ask()
	if !ask.Leased {
		return
	}
	start := n.h.mono()
	if f, step := n.groups[function(r.thing)].Enter(r.thing, &ask, nil); step == flight.Lead {
		n.w.count.Refreshes++
		h := r.how
		h.load = nil
		n.lead(f.Load, h, start, true, r.rng.u64(), []*flown{{thing: r.thing, f: f}})
	}
}

// enter asks what to do about the thing.
func (r *reading) enter() {
	n := r.n
	start := n.h.mono()
	var f *flight.Flight[*outcome]
	if r.absent > 2 {
		f, r.step = n.groups[function(r.thing)].Alone(r.thing, &r.ask), flight.Alone
	} else {
		f, r.step = n.groups[function(r.thing)].Enter(r.thing, &r.ask, nil)
	}
	switch r.step {
	case flight.Cycle:
		n.w.count.Cycles++
		r.finish(&outcome{err: errCycle})
		return
	case flight.Lead, flight.Alone:
		if r.step == flight.Alone {
			n.w.count.Alone++
		}
		fl := &flown{thing: r.thing, f: f}
		n.lead(f.Load, r.how, start, r.ask.Leased && r.ask.Need == 0, r.rng.u64(), []*flown{fl})
	case flight.Share:
		n.w.count.Shared++
	case flight.Check:
		n.w.count.Checked++
	default:
		n.w.count.Queued++
	}
	r.waitFor(f)
}

// waitFor is told when f has ended.
func (r *reading) waitFor(f *flight.Flight[*outcome]) {
	r.told++
	for _, fl := range r.n.flown {
		if fl.f == f {
			r.flown = fl
			fl.waiters = append(fl.waiters, r)
			if r.step == flight.Check || r.step == flight.Queue {
				r.n.w.at(r.n.w.now+r.n.w.cl.maxLoad/4, r.n, &losing{r, r.told}, 0)
			}
			return
		}
	}
	// Between asking and waiting it has ended.
	r.flown = &flown{thing: r.thing, f: f}
	r.then(readEnded)
}

// ended is the caller after the flight it waited for.
func (r *reading) ended() {
	n := r.n
	o := r.flown.f.Result()
	n.graph.Leave(r.ask.Parent, r.flown.f.Load)
	r.flown = nil
	good := r.step == flight.Lead || r.step == flight.Alone || r.step == flight.Share
	switch {
	case r.step == flight.Queue:
	case o.absent && r.step == flight.Lead: // there is none
		r.finish(&outcome{err: errAbsent, labels: o.labels})
		return
	case o.absent:
		r.absent++
	case r.step == flight.Check && o.err == nil:
		r.check(func() { good = n.gate.Valid(&o.life) })
		if good {
			n.w.count.CheckedGood++
		}
	}
	if r.step != flight.Queue && !o.absent && good && !n.dead {
		if o.err != nil {
			n.w.count.Errors++
		}
		r.way = []string{"lead", "share", "check", "queue", "alone"}[r.step]
		r.finish(o)
		return
	}
	r.then(readEnter)
}

// losing is the patience of a read that waits for what may not be good for it.
type losing struct {
	r    *reading
	told int // how often it had been told to wait
}

func (l *losing) act(int) {
	if r := l.r; !r.over && r.told == l.told && r.flown != nil {
		r.then(readImpatient)
	}
}

// impatient asks again before the flight has ended.
func (r *reading) impatient() {
	if r.flown == nil {
		return
	}
	i := slices.Index(r.flown.waiters, r)
	if i < 0 { // it has ended meanwhile
		return
	}
	r.n.w.count.Impatient++
	r.flown.waiters = slices.Delete(r.flown.waiters, i, i+1)
	r.n.graph.Leave(r.ask.Parent, r.flown.f.Load)
	r.flown = nil
	r.then(readEnter)
}

// giveUp ends a read whose caller no longer waits.
func (r *reading) giveUp() {
	n := r.n
	if r.flown != nil {
		if i := slices.Index(r.flown.waiters, r); i >= 0 {
			r.flown.waiters = slices.Delete(r.flown.waiters, i, i+1)
		}
		n.graph.Leave(r.ask.Parent, r.flown.f.Load)
		r.flown = nil
	}
	n.w.count.GivenUp++
	r.finish(&outcome{err: errGaveUp})
}

// finish hands what was read to the load that asked, and holds it against the truth.
func (r *reading) finish(o *outcome) {
	r.over = true
	n := r.n
	if n.dead {
		return
	}
	if o.err == nil {
		n.checkRead(r, &o.value)
	}
	if n.w.trace != nil {
		n.w.log(n, "read of %d: %s, %v %v", r.thing, r.way, o.err, r.show(&o.value))
	}
	if r.parent != nil {
		var labels []depend.Label
		expires := int64(0)
		if o.labels != nil {
			labels, expires = o.labels, o.expires
		}
		r.parent.child(r, o, labels, expires)
	}
	if r.many != nil && !r.looked {
		r.looked = true
		r.many.looked()
	}
}
