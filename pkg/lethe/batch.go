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

// waiter is a key of GetMany that somebody loads.
type waiter[K comparable, V any] struct {
	key  K
	text string
	f    *flight.Flight[*outcome[V]]
	step flight.Step
	ask  *flight.Ask
}

func (c *core[K, V]) getMany(ctx context.Context, ks []K) (map[K]V, error) {
	found := make(map[K]V, len(ks))
	if c.batch == nil || c.n.closed.Load() {
		return found, c.each(ctx, ks, found)
	}
	frame := depend.From(ctx)
	rd := c.reading(frame)
	asked := c.ask(ctx, &rd)
	buf := buffer()
	defer release(buf)
	var missing []K
	var texts []string
	var errs []error
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
		if asked.Need == 0 {
			if a, ok, err := c.cached(ctx, frame, &rd, k, buf, true); ok {
				if err == nil {
					found[k] = *a.value
				} else {
					errs = append(errs, err)
				}
				continue
			}
		}
		missing, texts = append(missing, k), append(texts, string(text))
	}
	if len(missing) > 0 {
		errs = append(errs, c.many(ctx, frame, &rd, &asked, missing, texts, found))
	}
	return found, errors.Join(errs...)
}

// many enters every missing key, loads those it leads in one batch, and only then waits for what others load: two batches that
// want each other's keys would otherwise wait for ever.
func (c *core[K, V]) many(ctx context.Context, frame *depend.Frame, rd *reading, asked *flight.Ask, ks []K, texts []string, found map[K]V) error {
	if err := ctx.Err(); err != nil {
		return c.giveUp(frame, err)
	}
	asked.Clock, asked.Leased = c.n.gate.Ask()
	load := c.n.graph.Begin(rd.load)
	j := &job[K, V]{c: c, rd: *rd, load: load, start: c.n.now(), ordinary: asked.Need == 0, store: asked.Leased && asked.Need == 0}
	var errs []error
	var own, others []waiter[K, V]
	for i, k := range ks {
		ask := *asked
		f, step := c.group.Enter(texts[i], &ask, load)
		w := waiter[K, V]{k, texts[i], f, step, &ask}
		switch step {
		case flight.Cycle:
			errs = append(errs, c.giveUp(frame, &Error{Op: "get", Name: c.name, Err: ErrCycle}))
		case flight.Lead:
			j.tasks = append(j.tasks, task[K, V]{k, texts[i], f, f.Start})
			own = append(own, w)
		case flight.Alone:
			c.single(ctx, rd, k, texts[i], f, j.start, &ask)
			others = append(others, w)
		default:
			c.loadsShared.Add(1)
			others = append(others, w)
		}
	}
	if len(j.tasks) > 0 {
		j.run = c.runBatch(j)
		j.begin(ctx)
	}
	take := func(k K, a answer[V], err error) {
		if err != nil {
			errs = append(errs, err)
			return
		}
		found[k] = *a.value
	}
	for i, w := range own {
		select {
		case <-w.f.Done():
		case <-ctx.Done():
		}
		if ctx.Err() != nil && !ended(w.f) {
			c.n.graph.Leave(rd.load, load)
			for _, o := range others {
				c.n.graph.Leave(o.ask.Parent, o.f.Load)
			}
			return errors.Join(append(errs, c.giveUp(frame, ctx.Err()))...)
		}
		o := w.f.Result()
		if o.absent {
			c.note(frame, o.fence.Labels, 0)
			continue
		}
		a, err := c.answer(frame, w.ask, o, true)
		if err != nil && i > 0 {
			continue // one error for the batch
		}
		take(w.key, a, err)
	}
	c.n.graph.Leave(rd.load, load)
	for _, w := range others {
		r, ok, err := c.share(ctx, frame, rd, w)
		if ok {
			take(w.key, r, err)
		}
	}
	return errors.Join(errs...)
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

// share waits for a key that somebody else loads. A batch's answer that there is none is good as a value would be.
func (c *core[K, V]) share(ctx context.Context, frame *depend.Frame, rd *reading, w waiter[K, V]) (r answer[V], ok bool, err error) {
	o, err := c.wait(ctx, rd, w.ask, w.f)
	if err != nil {
		return r, true, c.giveUp(frame, err)
	}
	good := w.step == flight.Share || w.step == flight.Alone || w.step == flight.Check && o.err == nil && c.n.gate.Valid(&o.fence)
	switch {
	case good && o.absent:
		c.note(frame, o.fence.Labels, 0)
		return r, false, nil
	case good:
		r, err = c.answer(frame, w.ask, o, w.step == flight.Alone)
		return r, true, err
	}
	r, err = c.fly(ctx, frame, rd, w.key, w.text, w.ask)
	return r, true, err
}

// each reads every key by itself.
func (c *core[K, V]) each(ctx context.Context, ks []K, found map[K]V) error {
	var mu sync.Mutex // guards found and errs
	var errs []error
	var wg sync.WaitGroup
	slots := make(chan struct{}, maxParallel)
	seen := make(map[K]struct{}, len(ks))
	for _, k := range ks {
		if _, dup := seen[k]; dup {
			continue
		}
		seen[k] = struct{}{}
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			v, err := c.get(ctx, k)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				errs = append(errs, err)
				return
			}
			found[k] = v
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
