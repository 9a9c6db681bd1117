package lethe

import (
	"context"
	"errors"
	"sync"

	"github.com/lethe-cache/lethe/internal/depend"
	"github.com/lethe-cache/lethe/internal/flight"
)

// maxParallel is how many loads one GetMany without a batch loader runs at a time.
const maxParallel = 16

// negativeAbsent stands where the index of a remembered error would: a batch has left the key out.
const negativeAbsent = 255

// waiter is a key of GetMany that somebody loads.
type waiter[K comparable, V any] struct {
	key    K
	text   string
	ask    flight.Ask
	f      *flight.Flight[*outcome[V]]
	step   flight.Step
	until  int64 // when its patience is over; 0 is never
	failed bool  // it has shared a load of one key that failed

	uncopied  int  // how often what others loaded could not be copied
	impatient bool // it asks again because its patience was over
}

// many is one call of GetMany.
type many[K comparable, V any] struct {
	c     *core[K, V]
	ctx   context.Context //nolint:containedctx // of the call
	frame *depend.Frame
	rd    reading
	asked flight.Ask
	found map[K]V
	errs  []error
}

func (c *core[K, V]) getMany(ctx context.Context, ks []K) (map[K]V, error) {
	found := make(map[K]V, len(ks))
	if c.batch == nil || c.n.closed.Load() {
		return found, c.each(ctx, ks, found)
	}
	m := &many[K, V]{c: c, ctx: ctx, frame: depend.From(ctx), found: found}
	m.rd = c.reading(m.frame)
	m.asked = c.ask(ctx, &m.rd)
	buf := buffer()
	defer release(buf)
	var missing []*waiter[K, V]
	seen := make(map[K]struct{}, len(ks))
	for _, k := range ks {
		if _, dup := seen[k]; dup {
			continue
		}
		seen[k] = struct{}{}
		*buf = (*buf)[:0]
		text, err := c.text(buf, k)
		if err != nil {
			return found, err
		}
		if m.asked.Need == 0 {
			if a, ok, err := c.cached(ctx, m.frame, &m.rd, k, buf, byGetMany); ok {
				if err == nil && a.value != nil { // an error that is remembered is the answer that there is none
					found[k] = *a.value
				}
				continue
			}
		}
		missing = append(missing, &waiter[K, V]{key: k, text: string(text)})
	}
	if len(missing) > 0 {
		m.load(missing)
	}
	return found, errors.Join(m.errs...)
}

// load loads keys in one batch, and again those that others have loaded and that were not good for this call.
func (m *many[K, V]) load(ws []*waiter[K, V]) {
	n := m.c.n
	m.asked.Clock, m.asked.Leased = n.gate.Ask()
	if m.rd.tree == nil && !trusted(&m.asked) {
		m.rd.tree = new(readTree).begin(n)
		defer m.rd.tree.end()
	}
	for _, w := range ws {
		w.ask = m.asked
	}
	for len(ws) > 0 {
		if err := m.ctx.Err(); err != nil {
			m.errs = append(m.errs, m.c.giveUp(m.frame, err))
			return
		}
		ws = m.round(ws)
	}
}

// round enters every key, loads those it leads in one batch, and only then waits for what others load: two batches that want each
// other's keys would otherwise wait for ever. It returns the keys that have to be asked for again.
func (m *many[K, V]) round(ws []*waiter[K, V]) (again []*waiter[K, V]) {
	c := m.c
	load := c.n.graph.Begin(m.rd.load)
	j := &job[K, V]{c: c, rd: m.rd, load: load, start: c.n.now(), ordinary: m.asked.Need == 0, store: trusted(&m.asked)}
	var own, others []*waiter[K, V]
	for _, w := range ws {
		if o := c.recall(&m.rd, &w.ask, w.text); o != nil && m.take(w, o, false) {
			c.loadsShared.Add(1)
			continue
		}
		w.f, w.step = m.enter(w, load)
		switch w.step {
		case flight.Cycle:
			m.errs = append(m.errs, c.giveUp(m.frame, &Error{Op: "get", Name: c.name, Err: ErrCycle}))
			continue
		case flight.Lead:
			j.tasks = append(j.tasks, task[K, V]{w.key, w.text, w.f, w.f.Start})
			own = append(own, w)
			continue
		case flight.Alone:
			c.single(m.ctx, &m.rd, w.key, w.text, w.f, j.start, &w.ask)
		default:
			if !w.impatient {
				c.loadsShared.Add(1)
			}
		}
		w.until = c.until(j.start, w.step)
		others = append(others, w)
	}
	if len(j.tasks) > 0 {
		j.run = c.runBatch(j)
		j.begin(m.ctx)
	}
	over := m.waitOwn(own)
	c.n.graph.Leave(m.rd.load, load)
	for _, w := range others {
		if over {
			c.n.graph.Leave(w.ask.Parent, w.f.Load)
			continue
		}
		o, err := c.wait(m.ctx, &m.rd, &w.ask, w.f, w.until)
		w.impatient = o == nil
		switch {
		case err != nil:
			m.errs = append(m.errs, c.giveUp(m.frame, err))
			over = true
		case m.good(w, o) && m.take(w, o, w.step == flight.Alone):
		default:
			again = append(again, w)
		}
	}
	if over {
		return nil
	}
	return again
}

// enter asks what to do about a key. One whose value could not be copied goes into the call's own batch, if nobody loads it then, and
// else is loaded alone.
func (m *many[K, V]) enter(w *waiter[K, V], load *flight.Load) (*flight.Flight[*outcome[V]], flight.Step) {
	if w.uncopied > 1 {
		return m.c.group.Alone(w.text, &w.ask), flight.Alone
	}
	return m.c.group.Enter(w.text, &w.ask, load)
}

// waitOwn takes what the call's own batch brings; it reports whether the call's context has ended before.
func (m *many[K, V]) waitOwn(own []*waiter[K, V]) (over bool) {
	failed := false
	for _, w := range own {
		select {
		case <-w.f.Done():
		case <-m.ctx.Done():
		}
		if m.ctx.Err() != nil && !ended(w.f) {
			m.errs = append(m.errs, m.c.giveUp(m.frame, m.ctx.Err()))
			return true
		}
		o := w.f.Result()
		if o.err != nil && failed {
			continue // one error for the batch
		}
		failed = failed || o.err != nil
		m.take(w, o, true)
	}
	return false
}

// good reports whether what somebody else has loaded is good for this call. A batch's answer that there is none is good as a value
// would be; the error of a load of one key is not a batch's answer, and may be how that loader says that there is none.
func (m *many[K, V]) good(w *waiter[K, V], o *outcome[V]) bool {
	switch {
	case o == nil || w.step == flight.Queue || w.step == flight.Check && !m.c.good(&w.ask, o):
		return false
	case o.err != nil && o.single && !w.failed && w.step == flight.Share && m.c.s.remembers(o.err) == 0:
		w.failed = true
		return false
	}
	return true
}

// take adds an outcome to what the call returns. There is none where the batch has left the key out, or its error is one that
// WithNegative names. It reports false, and adds nothing, where the value is for others only.
func (m *many[K, V]) take(w *waiter[K, V], o *outcome[V], led bool) bool {
	c := m.c
	v, ok := c.own(o, led)
	if !ok {
		w.uncopied++
		return false
	}
	c.keepBelow(&m.rd, &w.ask, w.text, o)
	if o.absent {
		c.note(m.frame, o.fence.Labels, o.expires)
		if trusted(&w.ask) {
			c.requests.add(resultMiss)
		} else {
			c.requests.add(resultBypass)
		}
		return true
	}
	switch a, err := c.answer(m.frame, &w.ask, o, v); {
	case err == nil:
		m.found[w.key] = *a.value
	case c.s.remembers(err) == 0:
		m.errs = append(m.errs, err)
	}
	return true
}

func ended[V any](f *flight.Flight[*outcome[V]]) bool {
	select {
	case <-f.Done():
		return true
	default:
		return false
	}
}

// runBatch calls the batch loader for the tasks of j.
func (c *core[K, V]) runBatch(j *job[K, V]) func(context.Context) (func(int) (V, bool), error) {
	ks := make([]K, len(j.tasks))
	for i, t := range j.tasks {
		ks[i] = t.key
	}
	return func(ctx context.Context) (func(int) (V, bool), error) {
		m, err := c.batch(ctx, ks)
		return func(i int) (V, bool) { v, ok := m[j.tasks[i].key]; return v, ok }, err
	}
}

// each reads every key by itself.
func (c *core[K, V]) each(ctx context.Context, ks []K, found map[K]V) error {
	var mu sync.Mutex // guards found and errs
	var errs []error
	var wg sync.WaitGroup
	ctx, end := c.belowOne(ctx)
	defer end()
	slots := make(chan struct{}, maxParallel)
	seen := make(map[K]struct{}, len(ks))
	for _, k := range ks {
		if _, dup := seen[k]; dup {
			continue
		}
		seen[k] = struct{}{}
		slots <- struct{}{}
		wg.Go(func() {
			var v V
			err := error(&Error{Op: "get", Name: c.name, Err: errGoexit})
			defer func() {
				<-slots
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					found[k] = v
				case c.s.remembers(err) == 0:
					errs = append(errs, err)
				}
			}()
			v, err = c.get(ctx, k)
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// fill is a load whose keys are known when it has ended. It goes the way of every load: its own context and time, born before it
// began, recorded, stored only where nothing was invalidated or loaded later.
func (c *core[K, V]) fill(ctx context.Context, load func(context.Context) (map[K]V, error)) (map[K]V, error) {
	if load == nil {
		return nil, &Error{Op: "fill", Name: c.name, Err: errors.New("nil loader")}
	}
	frame := depend.From(ctx)
	rd := c.reading(frame)
	ask := c.ask(ctx, &rd)
	ask.Clock, ask.Leased = c.n.gate.Ask()
	start := c.n.now()
	l := c.n.graph.Begin(rd.load)
	defer c.n.graph.Leave(rd.load, l)
	type ending struct {
		outcomes []*outcome[V]
		err      error
	}
	done := make(chan ending, 1)
	j := &job[K, V]{c: c, rd: rd, load: l, start: start, ordinary: ask.Need == 0, store: ask.Leased && ask.Need == 0}
	j.ended = func(os []*outcome[V], err error) { done <- ending{os, err} }
	born := c.n.fence.Clock()
	var filled map[K]V // written before ended is called
	j.run = func(ctx context.Context) (func(int) (V, bool), error) {
		m, err := load(ctx)
		if err != nil {
			return nil, err
		}
		for k := range m {
			text, err := c.textOf(k)
			if err != nil {
				return nil, err
			}
			j.filled = append(j.filled, task[K, V]{key: k, text: text, born: born})
		}
		filled = m
		return func(i int) (V, bool) { return m[j.filled[i].key], true }, nil
	}
	j.begin(ctx)
	select {
	case e := <-done:
		for _, o := range e.outcomes {
			c.note(frame, o.fence.Labels, o.expires)
		}
		if len(e.outcomes) == 0 { // what load has read stands in no outcome
			c.note(frame, nil, 0)
		}
		if e.err != nil {
			return nil, c.giveUp(frame, e.err)
		}
		return filled, nil
	case <-ctx.Done():
		return nil, c.giveUp(frame, ctx.Err())
	}
}
