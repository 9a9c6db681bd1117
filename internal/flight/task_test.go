package flight_test

import (
	"errors"
	"iter"
	"slices"
)

// task is a caller or a load, as a coroutine: it runs until it pauses.
type task struct {
	next    func() (struct{}, bool)
	stop    func()
	yield   func(struct{}) bool
	waiting <-chan struct{}
	until   int64
	gaveUp  bool // the ctx of what it waits for has ended
	patient bool // it waits for what may not be good for it
	lost    bool // its patience
}

type stopped struct{}

func (w *world) start(run func(*task)) {
	t := &task{}
	t.next, t.stop = iter.Pull(func(yield func(struct{}) bool) {
		defer func() {
			if p := recover(); p != nil && p != (stopped{}) {
				panic(p)
			}
		}()
		t.yield = yield
		run(t)
	})
	w.tasks = append(w.tasks, t)
}

func (t *task) pause() {
	if !t.yield(struct{}{}) {
		panic(stopped{})
	}
}

// wait waits until done is closed; false when the caller gave up.
func (t *task) wait(done <-chan struct{}) bool {
	t.waiting = done
	defer func() { t.waiting, t.patient, t.lost = nil, false, false }()
	for !closed(done) {
		if t.gaveUp {
			t.gaveUp = false
			return false
		}
		if t.lost {
			return true
		}
		t.pause()
	}
	return true
}

// sleep lets time pass.
func (t *task) sleep(w *world, until int64) {
	for t.until = until; w.now < until; {
		t.pause()
	}
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func (t *task) runnable(now int64) bool {
	return now >= t.until && (t.waiting == nil || t.gaveUp || t.lost || closed(t.waiting))
}

// step runs one task that can run; false when none can.
func (w *world) step() bool {
	var ready []*task
	for _, t := range w.tasks {
		if t.runnable(w.now) {
			ready = append(ready, t)
		}
	}
	if len(ready) == 0 {
		return false
	}
	t := ready[w.rng.IntN(len(ready))]
	if _, more := t.next(); !more {
		w.tasks = slices.DeleteFunc(w.tasks, func(have *task) bool { return have == t })
	}
	return true
}

// giveUp ends the patience of a task that waits.
func (w *world) giveUp() {
	if len(w.tasks) > 0 {
		t := w.tasks[w.rng.IntN(len(w.tasks))]
		t.gaveUp = t.waiting != nil
	}
}

// losePatience has a task ask again that waits for what may not be good for it.
func (w *world) losePatience() {
	if len(w.tasks) > 0 {
		t := w.tasks[w.rng.IntN(len(w.tasks))]
		t.lost = t.patient && t.waiting != nil
	}
}

var errDeadlock = errors.New("tasks wait for each other")

// drain lets all tasks end.
func (w *world) drain() {
	for n := 0; len(w.tasks) > 0 && w.broken == nil; n++ {
		if n > 20_000 {
			w.fail("%d tasks go on and on", len(w.tasks))
		}
		if w.step() {
			continue
		}
		sleeping := slices.ContainsFunc(w.tasks, func(t *task) bool { return t.until > w.now })
		w.pass()
		if !sleeping {
			w.fail("%w: %d of them", errDeadlock, len(w.tasks))
		}
	}
	if w.broken != nil {
		return
	}
	for _, g := range w.groups {
		if g.Len() != 0 {
			w.fail("%d flights are left", g.Len())
		}
	}
	for _, l := range w.loads {
		if l.Waits() != 0 {
			w.fail("a load still waits for %d others", l.Waits())
		}
	}
}

func (w *world) close() {
	for _, t := range w.tasks {
		t.stop()
	}
}
