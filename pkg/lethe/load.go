package lethe

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/lethe-cache/lethe/internal/depend"
	"github.com/lethe-cache/lethe/internal/fence"
	"github.com/lethe-cache/lethe/internal/flight"
)

// outcome is what a flight brings to all who wait for it.
type outcome[V any] struct {
	value   V
	err     error
	absent  bool       // a batch that left the key out
	single  bool       // of the loader of one key
	fence   fence.Life // with the labels of an entry, any hashes behind
	expires int64      // as a parent has to count it: 0 where nothing was stored

	keepable bool // it would be stored, if only the node had its lease and nobody bypassed

	encoded  []byte // of value, for those who joined a load WithoutHot: value itself is the leader's, who may change it
	uncopied bool   // the codec can't write the value, or not all of it: only the leader can have it
}

// task is one key of a load.
type task[K comparable, V any] struct {
	key  K
	text string
	f    *flight.Flight[*outcome[V]] // nil in a Fill: nobody waits
	born uint64
}

// job is one run of a loader: of one key, of a batch, or of a Fill, whose keys are known afterwards. All go through here.
type job[K comparable, V any] struct {
	c        *core[K, V]
	rd       reading
	load     *flight.Load
	start    int64  // read before the birth of every task
	born     uint64 // of tasks that were born earlier: the load had to wait for its turn
	ordinary bool   // no read that bypasses asked for it
	store    bool   // ordinary, and the node had its lease when it began
	tasks    []task[K, V]
	// run calls the loader and returns what it brought for each task; nil where the loader of one key is to be called for one.
	run func(context.Context) (func(i int) (V, bool), error)

	one     [1]task[K, V] // the tasks of a load of one key, and what it brought
	brought outcome[V]

	filled []task[K, V]               // of a Fill, set by run
	ended  func([]*outcome[V], error) // of a Fill: told once what was kept, or why nothing was

	ctx      loadContext
	rec      *depend.Record
	frame    depend.Frame
	tree     readTree // where it is the load of an outermost read
	deadline deadline

	turns bool        // no other load asked for it
	place place       // among the loads that run at once
	waits atomic.Bool // for its turn

	refresh  permit      // of a load in the background
	settled  atomic.Bool // by its end or by its timeout, whichever comes first
	settling bool        // by its end, and not done with it
}

// maxAbsent is how often a read shares batches that leave its key out before it loads by itself.
const maxAbsent = 2

// fly loads k, or shares a load that is good for this caller.
func (c *core[K, V]) fly(ctx context.Context, frame *depend.Frame, rd *reading, k K, text string, ask *flight.Ask) (answer[V], error) {
	absent := 0
	for impatient := false; ; {
		if err := ctx.Err(); err != nil {
			return answer[V]{}, c.giveUp(frame, err)
		}
		if o := c.recall(rd, ask, text); o != nil && !o.absent {
			if v, ok := c.own(o, false); ok {
				c.loadsShared.Add(1)
				return c.answer(frame, ask, o, v)
			}
		}
		start := c.n.now()
		f, step := c.enter(text, ask, absent)
		switch step {
		case flight.Cycle:
			return answer[V]{}, c.giveUp(frame, &Error{Op: "get", Name: c.name, Err: ErrCycle})
		case flight.Lead, flight.Alone:
			c.single(ctx, rd, k, text, f, start, ask)
		default:
			if !impatient {
				c.loadsShared.Add(1)
			}
		}
		o, err := c.wait(ctx, rd, ask, f, c.until(start, step))
		if err != nil {
			return answer[V]{}, c.giveUp(frame, err)
		}
		impatient = o == nil
		switch {
		case impatient:
		case step == flight.Queue:
		case o.absent:
			absent++
		case step != flight.Check, c.good(ask, o):
			v, ok := c.own(o, step == flight.Lead || step == flight.Alone)
			if !ok {
				absent = maxAbsent + 1 // what others load would not help either
				continue
			}
			c.keepBelow(rd, ask, text, o)
			return c.answer(frame, ask, o, v)
		}
	}
}

// enter asks what to do about a key, or loads it alone where batches have left it out too often, or the value can't be copied.
func (c *core[K, V]) enter(text string, ask *flight.Ask, absent int) (*flight.Flight[*outcome[V]], flight.Step) {
	if absent > maxAbsent {
		return c.group.Alone(text, ask), flight.Alone
	}
	return c.group.Enter(text, ask, nil)
}

// until is when a caller that was told to do so at start loses its patience; 0 is never.
func (c *core[K, V]) until(start int64, step flight.Step) int64 {
	if step == flight.Check || step == flight.Queue {
		return start + int64(c.usual.patience(c.s.timeout))
	}
	return 0
}

// wait returns what f brought, unless ctx ends first; nil where the time until has come before.
func (c *core[K, V]) wait(ctx context.Context, rd *reading, ask *flight.Ask, f *flight.Flight[*outcome[V]], until int64) (*outcome[V], error) {
	defer c.n.graph.Leave(ask.Parent, f.Load)
	if rd.nested() {
		c.herd.need(f.Load)
		defer c.herd.spare(f.Load)
	}
	gone := ctx.Done()
	if gone == nil && until == 0 { // a receive is cheaper than a choice
		<-f.Done()
		return f.Result(), nil
	}
	var over <-chan time.Time
	if until != 0 {
		timer := time.NewTimer(time.Duration(until - c.n.now()))
		defer timer.Stop()
		over = timer.C
	}
	select {
	case <-f.Done():
		return f.Result(), nil
	case <-gone:
		return nil, ctx.Err()
	case <-over:
		if ended(f) {
			return f.Result(), nil
		}
		return nil, nil //nolint:nilnil // neither a result nor an error
	}
}

// giveUp returns an error of a read whose labels are not known.
func (c *core[K, V]) giveUp(frame *depend.Frame, err error) error {
	c.note(frame, nil, 0)
	c.requests.add(resultError)
	return err
}

// answer hands an outcome to one caller, with the value that is the caller's own.
func (c *core[K, V]) answer(frame *depend.Frame, ask *flight.Ask, o *outcome[V], value *V) (answer[V], error) {
	c.note(frame, o.fence.Labels, o.expires)
	a, result := answer[V]{value: value, cache: Miss, start: o.fence.Start}, resultMiss
	if !ask.Leased || ask.Need > 0 {
		a.cache, result = Bypassed, resultBypass
	}
	if o.err != nil {
		result = resultError
		if c.s.remembers(o.err) > 0 {
			result = resultNegative
		}
	}
	c.requests.add(result)
	return a, o.err
}

// pack encodes what joiners will copy, before the leader has it. A value that can't be written, or would come back different, is
// for nobody else.
func (c *core[K, V]) pack(o *outcome[V]) {
	if !c.s.withoutHot || o.err != nil || o.absent || c.isNil(&o.value) {
		return
	}
	err := c.guard("codec", func() (err error) {
		if o.encoded, err = appendValue(c.codec, nil, o.value); err != nil {
			c.tellUnwritten(err)
			return err
		}
		return comesBack(c.codec, o.encoded, &o.value)
	})
	if err != nil {
		o.encoded, o.uncopied, o.keepable = nil, true, false
	}
}

// own is the value of an outcome for one caller: a copy of its own where callers share none. It reports false where there can be
// no faithful one, and the caller has to load for itself.
func (c *core[K, V]) own(o *outcome[V], led bool) (*V, bool) {
	if o.err == nil && !led && c.s.withoutHot {
		v := new(V)
		if o.uncopied || c.isNil(&o.value) {
			return v, !o.uncopied
		}
		if err := c.decode(o.encoded, v); err != nil {
			c.tellUnread(err)
			return v, false
		}
		return v, true
	}
	return &o.value, true
}

// single starts the load of one key.
func (c *core[K, V]) single(ctx context.Context, rd *reading, k K, text string, f *flight.Flight[*outcome[V]], start int64, ask *flight.Ask) {
	c.job(rd, k, text, f, start, ask).begin(ctx)
}

func (c *core[K, V]) job(rd *reading, k K, text string, f *flight.Flight[*outcome[V]], start int64, ask *flight.Ask) *job[K, V] {
	j := &job[K, V]{c: c, rd: *rd, load: f.Load, start: start, ordinary: ask.Need == 0, store: ask.Leased && ask.Need == 0}
	j.one[0] = task[K, V]{k, text, f, f.Start}
	j.tasks = j.one[:]
	return j
}

// maxRefreshes bounds how many loads a node runs in the background. Over it none is started, and the value that is there is
// served on until one is, or until its end of life.
const maxRefreshes = 256

// refresh starts a load of k in the background, unless one is under way, the node has no lease, or too many are.
func (c *core[K, V]) refresh(ctx context.Context, rd reading, k K, text string) {
	p, ok := acquire(&c.n.refreshes, maxRefreshes)
	if !ok {
		return
	}
	defer p.release()
	ask := &flight.Ask{}
	ask.Clock, ask.Leased = c.n.gate.Ask()
	if !ask.Leased {
		return
	}
	start := c.n.now()
	if f, step := c.group.Enter(text, ask, nil); step == flight.Lead {
		rd.load, rd.node, rd.tree = nil, nil, nil // nobody's load waits for it
		j := c.job(&rd, k, text, f, start, ask)
		j.refresh = p.hand()
		j.begin(ctx)
	}
}

// begin runs the job on a goroutine of the node, with a context that keeps the caller's values and not its cancellation. When
// its time is up the flights end for their waiters and free their keys, even if the loader ignores its context; what it
// brings later is not stored. A load that no other load asked for may have to wait for its turn, in its time.
func (j *job[K, V]) begin(ctx context.Context) {
	n := j.c.n
	j.rec, j.turns = depend.NewRecord(n), !j.rd.nested()
	j.waits.Store(j.turns)
	if j.rd.node, j.rd.load = n, j.load; j.rd.tree == nil {
		j.rd.tree = j.tree.begin(n)
	}
	j.frame = depend.Frame{Record: j.rec, Reading: &j.rd}
	j.deadline.load = j
	j.c.deadlines.add(n, &j.deadline, j.c.s.timeout)
	j.ctx.begin(ctx, n.base.Add(time.Duration(j.deadline.at)))
	if !n.functions.loaders.begin(n, j) { // closed meanwhile
		j.ordinary, j.store = false, false
		j.work()
	}
}

// work is the job itself.
func (j *job[K, V]) work() {
	defer j.ctx.end()
	defer j.refresh.release()
	defer j.tree.end()
	defer func() {
		j.c.deadlines.done(j.c.n, &j.deadline)
		j.abandon() // does nothing after an ordinary end
	}()
	if j.turns {
		defer j.leave()
		if !j.turn(&j.ctx) {
			j.overrun()
			return
		}
	}
	j.settle(depend.With(&j.ctx, &j.frame))
}

// bring runs the loader.
func (j *job[K, V]) bring(ctx context.Context) (get func(int) (V, bool), err error) {
	defer j.c.n.caught("loader", j.c.name, &err)
	if j.run == nil {
		j.brought.value, err = j.c.load(ctx, j.one[0].key)
		return nil, err
	}
	return j.run(ctx)
}

// settle runs the loader and ends the flights with what it brought.
func (j *job[K, V]) settle(ctx context.Context) {
	get, err := j.bring(ctx)
	recorded := j.rec.Close()
	if !j.settled.CompareAndSwap(false, true) {
		return // out of time
	}
	j.settling = true
	took := time.Duration(j.c.n.now() - j.start)
	j.c.loadSeconds.of(j.c.name).Observe(took.Seconds())
	if err == nil {
		j.c.usual.add(took)
	}
	j.store = j.store && took < j.c.s.timeout
	j.c.n.illegalTags(j.c.name, recorded.Illegals, recorded.Illegal)
	ttl := j.c.ttlOf(&recorded)
	if j.run == nil {
		o := &j.brought
		o.single = true
		if o.err = err; err != nil {
			o.value = *new(V)
		}
		j.bringTo(&j.tasks[0], o, &recorded, ttl)
	} else {
		j.settleAll(get, err, &recorded, ttl)
	}
	j.settling = false
}

// settleAll does so for a job whose keys are several, or known only now.
func (j *job[K, V]) settleAll(get func(int) (V, bool), err error, recorded *depend.Recorded, ttl time.Duration) {
	tasks := slices.Concat(j.tasks, j.filled)
	outcomes := make([]*outcome[V], 0, len(tasks))
	for i := range tasks {
		o := &outcome[V]{err: err}
		if err == nil {
			var ok bool
			o.value, ok = get(i)
			o.absent = !ok
		}
		j.bringTo(&tasks[i], o, recorded, ttl)
		outcomes = append(outcomes, o)
	}
	j.settling = false
	if j.ended != nil {
		j.ended(outcomes, err)
	}
}

// bringTo keeps what was brought for one task, and ends its flight with it.
func (j *job[K, V]) bringTo(t *task[K, V], o *outcome[V], recorded *depend.Recorded, ttl time.Duration) {
	t.born = max(t.born, j.born)
	j.keep(t, o, recorded, ttl)
	if t.f != nil {
		j.c.pack(o)
		if !j.store && o.keepable { // before others find that nobody loads it
			j.rd.tree.keep(t.text, o)
		}
		j.c.group.End(t.text, t.f, o)
	}
}

// overrun ends the flights of a load whose time is up.
func (j *job[K, V]) overrun() { j.fail(j.overdue()) }

// fail ends the flights with an error, if they have not ended.
func (j *job[K, V]) fail(err error) {
	if j.settled.CompareAndSwap(false, true) {
		j.rec.Close()
		j.end(err)
	}
}

// abandon ends what is left to end when the job's goroutine ends, however that came about: the loader, WithTags and the codec
// can end it.
func (j *job[K, V]) abandon() {
	if j.settling || !j.settled.Load() {
		err := &Error{Op: "load", Name: j.c.name, Err: errGoexit}
		if j.settling {
			j.end(err)
			return
		}
		j.fail(err)
	}
}

// end ends the flights that have not ended.
func (j *job[K, V]) end(err error) {
	for _, t := range j.tasks {
		j.c.group.End(t.text, t.f, &outcome[V]{err: err})
	}
	if j.ended != nil {
		j.ended(nil, err)
	}
}

var errGoexit = errors.New("the loader, WithTags or the codec ended its goroutine (runtime.Goexit)")
