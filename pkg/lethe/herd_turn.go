package lethe

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lethe-cache/lethe/internal/flight"
)

// errNoTurn is of a load whose time was up before it had begun.
var errNoTurn = errors.New("it waited for its turn among the loads that run at once after a Reset (Config.MaxLoads)")

// nested reports whether a load makes the read, of this node or of another.
func (r *reading) nested() bool { return r.node != nil }

// turn waits for the job's turn, and reports false when its time was up before. A load that had to wait begins when its turn has
// come: it is born then, it is stored if the node has its lease then, and its age counts from then.
func (j *job[K, V]) turn(ctx context.Context) bool {
	n, h := j.c.n, &j.c.herd
	if !h.enter(&j.place, j.load, n.now(), n.surge.calm.Load()) {
		j.waits.Store(false)
		return true
	}
	j.eachFlight(j.c.group.Delay)
	tick := time.NewTicker(surgeEases)
	defer tick.Stop()
	for {
		select {
		case <-j.place.turn:
			j.waits.Store(false)
			j.start = n.now()
			born, leased := n.gate.Ask()
			j.born, j.store = born, leased && j.ordinary
			j.eachFlight(j.c.group.Began)
			return true
		case <-tick.C:
			h.ease(n.now(), n.surge.calm.Load())
		case <-ctx.Done():
			return false
		}
	}
}

func (j *job[K, V]) eachFlight(do func(*flight.Flight[*outcome[V]])) {
	for _, t := range j.tasks {
		do(t.f)
	}
}

// overdue is the error of a job whose time is up.
func (j *job[K, V]) overdue() error {
	err := context.DeadlineExceeded
	if j.waits.Load() {
		err = fmt.Errorf("%w: %w", errNoTurn, err)
	}
	return &Error{Op: "load", Name: j.c.name, Err: err}
}

// leave gives the job's place to the next.
func (j *job[K, V]) leave() { j.c.herd.leave(&j.place, j.c.n.now(), j.c.n.surge.calm.Load()) }
