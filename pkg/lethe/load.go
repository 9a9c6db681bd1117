package lethe

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
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
	absent  bool // a batch that left the key out
	fence   fence.Life
	labels  []depend.Label
	expires int64 // as a parent has to count it: 0 where nothing was stored

	encoded []byte // of value, for those who joined a load WithoutHot: value itself is the leader's, who may change it
	badCopy error
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
	// run calls the loader and returns what it brought for each task.
	run func(context.Context) (func(i int) (V, bool), error)

	filled []task[K, V]               // of a Fill, set by run
	ended  func([]*outcome[V], error) // of a Fill: told once what was kept, or why nothing was

	place place       // among the loads that run at once
	waits atomic.Bool // for its turn

	refresh  permit      // of a load in the background
	settled  atomic.Bool // by its end or by its timeout, whichever comes first
	settling bool        // by its end, and not done with it
}

// maxAbsent is how often a read shares batches that leave its key out before it loads by itself.
const maxAbsent = 2

// fly loads k, or shares a load that is good for this caller.
func (c *core[K, V]) fly(ctx context.Context, frame *depend.Frame, rd reading, k K, text string, ask *flight.Ask) (Result[V], error) {
	absent := 0
	for {
		if err := ctx.Err(); err != nil {
			return Result[V]{}, c.giveUp(frame, err)
		}
		start := c.n.now()
		f, step := c.enter(text, ask, absent)
		switch step {
		case flight.Cycle:
			return Result[V]{}, c.giveUp(frame, &Error{Op: "get", Name: c.name, Err: ErrCycle})
		case flight.Lead, flight.Alone:
			c.single(ctx, rd, k, text, f, start, ask)
		default:
			c.loadsShared.Add(1)
		}
		o, err := c.wait(ctx, rd, ask, f)
		if err != nil {
			return Result[V]{}, c.giveUp(frame, err)
		}
		switch {
		case step == flight.Queue:
		case o.absent:
			absent++
		case step != flight.Check, o.err == nil && c.n.gate.Valid(&o.fence):
			return c.answer(frame, ask, f, o, step == flight.Lead || step == flight.Alone)
		}
	}
}

// enter asks what to do about a key, or loads it alone where batches have left it out too often.
func (c *core[K, V]) enter(text string, ask *flight.Ask, absent int) (*flight.Flight[*outcome[V]], flight.Step) {
	if absent > maxAbsent {
		return c.group.Alone(text, ask), flight.Alone
	}
	return c.group.Enter(text, ask, nil)
}

// wait returns what f brought, unless ctx ends first.
func (c *core[K, V]) wait(ctx context.Context, rd reading, ask *flight.Ask, f *flight.Flight[*outcome[V]]) (*outcome[V], error) {
	defer c.n.graph.Leave(ask.Parent, f.Load)
	if rd.nested() {
		c.herd.need(f.Load)
		defer c.herd.spare(f.Load)
	}
	select {
	case <-f.Done():
		return f.Result(), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// giveUp returns an error of a read whose labels are not known.
func (c *core[K, V]) giveUp(frame *depend.Frame, err error) error {
	c.note(frame, nil, 0)
	c.requests[resultError].add(0)
	return err
}

// answer hands an outcome to one caller.
func (c *core[K, V]) answer(frame *depend.Frame, ask *flight.Ask, f *flight.Flight[*outcome[V]], o *outcome[V], led bool) (Result[V], error) {
	c.note(frame, o.labels, o.expires)
	res := Result[V]{Value: o.value, Cache: Miss, Age: time.Duration(max(c.n.now()-max(o.fence.Start, 0), 0))}
	result := resultMiss
	if !ask.Leased || ask.Need > 0 {
		res.Cache, result = Bypassed, resultBypass
	}
	if o.err != nil {
		result = resultError
		if c.s.remembers(o.err) > 0 {
			result = resultNegative
		}
	}
	c.requests[result].add(f.Start)
	if o.err == nil && !led && c.s.withoutHot {
		v, err := c.copy(o)
		if err != nil {
			return Result[V]{}, &Error{Op: "get", Name: c.name, Err: err}
		}
		res.Value = v
	}
	return res, o.err
}

// pack encodes what joiners will copy, before the leader has it.
func (c *core[K, V]) pack(o *outcome[V]) {
	if c.s.withoutHot && o.err == nil && !o.absent {
		o.badCopy = guard(func() (err error) { o.encoded, err = c.codec.Append(nil, o.value); return err })
	}
}

// copy returns a value of a joiner's own.
func (c *core[K, V]) copy(o *outcome[V]) (own V, err error) {
	if o.badCopy != nil {
		return own, o.badCopy
	}
	err = guard(func() error { return c.codec.Decode(o.encoded, &own) })
	return own, err
}

// single starts the load of one key.
func (c *core[K, V]) single(ctx context.Context, rd reading, k K, text string, f *flight.Flight[*outcome[V]], start int64, ask *flight.Ask) {
	c.job(rd, k, text, f, start, ask).begin(ctx)
}

func (c *core[K, V]) job(rd reading, k K, text string, f *flight.Flight[*outcome[V]], start int64, ask *flight.Ask) *job[K, V] {
	j := &job[K, V]{
		c: c, rd: rd, load: f.Load, start: start, ordinary: ask.Need == 0, store: ask.Leased && ask.Need == 0,
		tasks: []task[K, V]{{k, text, f, f.Start}},
	}
	j.run = func(ctx context.Context) (func(int) (V, bool), error) {
		v, err := c.load(ctx, k)
		return func(int) (V, bool) { return v, true }, err
	}
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
		rd.load, rd.node = nil, nil // nobody's load waits for it
		j := c.job(rd, k, text, f, start, ask)
		j.refresh = p.hand()
		j.begin(ctx)
	}
}

// begin runs the job on a goroutine of the node, with a context that keeps the caller's values and not its cancellation. When
// its time is up the flights end for their waiters and free their keys, even if the loader ignores its context; what it
// brings later is not stored. A load that no other load asked for may have to wait for its turn, in its time.
func (j *job[K, V]) begin(ctx context.Context) {
	rec := depend.NewRecord(j.c.n)
	rd, turns := j.rd, !j.rd.nested()
	j.waits.Store(turns)
	rd.node, rd.load = j.c.n, j.load
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), j.c.s.timeout)
	stop := context.AfterFunc(ctx, func() { j.fail(rec, j.overdue()) })
	run := func() {
		defer cancel()
		defer j.refresh.release()
		defer func() {
			stop()
			j.abandon(rec, &Error{Op: "load", Name: j.c.name, Err: errGoexit}) // does nothing after an ordinary end
		}()
		if turns {
			defer j.leave()
			if !j.turn(ctx) {
				j.fail(rec, j.overdue())
				return
			}
		}
		j.settle(depend.With(ctx, &depend.Frame{Record: rec, Reading: &rd}), rec)
	}
	if !j.c.n.goLoad(run) { // closed meanwhile
		j.ordinary, j.store = false, false
		run()
	}
}

// settle runs the loader and ends the flights with what it brought.
func (j *job[K, V]) settle(ctx context.Context, rec *depend.Record) {
	var get func(int) (V, bool)
	err := guard(func() (err error) { get, err = j.run(ctx); return err })
	recorded := rec.Close()
	if !j.settled.CompareAndSwap(false, true) {
		return // out of time
	}
	j.settling = true
	took := time.Duration(j.c.n.now() - j.start)
	j.c.loadSeconds.Observe(took.Seconds())
	j.store = j.store && took < j.c.s.timeout
	if recorded.Illegal != "" {
		j.c.n.illegalTag(j.c.name, recorded.Illegal)
	}
	ttl := j.c.ttlOf(recorded)
	tasks := slices.Concat(j.tasks, j.filled)
	outcomes := make([]*outcome[V], 0, len(tasks))
	for i, t := range tasks {
		t.born = max(t.born, j.born)
		o := &outcome[V]{err: err}
		if err == nil {
			var ok bool
			o.value, ok = get(i)
			o.absent = !ok
		}
		j.keep(t, o, recorded, ttl)
		if t.f != nil {
			j.c.pack(o)
			j.c.group.End(t.text, t.f, o)
		}
		outcomes = append(outcomes, o)
	}
	j.settling = false
	if j.ended != nil {
		j.ended(outcomes, err)
	}
}

// fail ends the flights of a load whose time is up.
func (j *job[K, V]) fail(rec *depend.Record, err error) {
	if j.settled.CompareAndSwap(false, true) {
		rec.Close()
		j.end(err)
	}
}

// abandon ends what is left to end when the job's goroutine ends, however that came about: the loader, WithTags and the codec
// can end it.
func (j *job[K, V]) abandon(rec *depend.Record, err error) {
	if j.settling {
		j.end(err)
		return
	}
	j.fail(rec, err)
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

// guard runs user code: a panic becomes an error with the stack.
func guard(fn func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return fn()
}
