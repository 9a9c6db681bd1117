package sim

import (
	"io"
	"time"
)

// Options of a run. The zero value of each field is its default.
type Options struct {
	Steps int       // about how many steps a run has; 20,000
	Trace io.Writer // what happens is written there; nil = nowhere
}

// Result of a run.
type Result struct {
	Seed      uint64
	Steps     int
	Virtual   time.Duration // how long it lasted in the world
	Digest    uint64        // of every step: two runs that have the same did the same
	Counts    Counts
	Violation *Violation // the first; nil = every promise was kept
	Decisions int        // of the plan
}

// Simulator runs worlds. The zero value is not usable; it is not safe for concurrent use.
type Simulator struct{ names *names }

// New returns a Simulator.
func New() *Simulator { return &Simulator{newNames()} }

// Run lets the world of a seed run: its plan, and then a calm sea in which everything has to come right. The same seed and
// options do the same, bit for bit.
func (s *Simulator) Run(seed uint64, o Options) Result {
	cl := newClimate(seed, s.names)
	return s.run(seed, cl, newPlan(seed, cl, o.steps()), o)
}

func (o Options) steps() int {
	if o.Steps == 0 {
		return 20_000
	}
	return o.Steps
}

func (s *Simulator) run(seed uint64, cl *climate, plan []item, o Options) Result {
	w := newWorld(seed, cl)
	if o.Trace != nil {
		w.trace = &trace{o.Trace}
	}
	p := &play{w: w, plan: plan}
	p.begin()
	end := 2 * sec
	if len(plan) > 0 {
		end += plan[len(plan)-1].at
	}
	for w.bad == nil && w.next(end) {
	}
	if w.bad == nil {
		w.settle()
	}
	w.count.Runs = 1
	return Result{
		Seed: seed, Steps: w.steps, Virtual: time.Duration(w.now), Digest: w.digest, Counts: w.count, Violation: w.bad, Decisions: len(plan),
	}
}

func newWorld(seed uint64, cl *climate) *world {
	w := &world{seed: seed, cl: cl, digest: 14695981039346656037, now: sec}
	r := rnd{mix(seed, 3)}
	w.graph = newReads(&r, cl.circles)
	w.server.w = w
	w.server.create(1 + uint64(r.below(3)))
	for i := range cl.nodes {
		h := &host{w: w, i: i, rng: rnd{r.u64()}}
		h.base = h.rng.span(sec, 1000*sec)
		h.wallOff = h.rng.span(-50, 50) * msec
		w.hosts = append(w.hosts, h)
		w.at(w.now+h.rng.span(0, 300*msec), nil, h, hostStart)
	}
	return w
}
