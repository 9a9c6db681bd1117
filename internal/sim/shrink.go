package sim

import (
	"slices"
	"strings"
)

// Plan is the decisions of a run, or what is left of them after shrinking.
type Plan struct {
	seed  uint64
	cl    *climate
	items []item
}

// Len is the number of decisions.
func (p Plan) Len() int { return len(p.items) }

// String lists the decisions, one a line.
func (p Plan) String() string {
	var b strings.Builder
	for _, i := range p.items {
		b.WriteString(i.String())
		b.WriteByte('\n')
	}
	return b.String()
}

// Replay runs a plan. Steps of o are not asked: the plan has its length.
func (s *Simulator) Replay(p Plan, o Options) Result { return s.run(p.seed, p.cl, p.items, o) }

// Shrink looks for fewer decisions that break the same promise as the run of seed does, by delta debugging (Zeller and
// Hildebrandt 2002): it leaves out parts of the plan, larger ones first, as long as that is worth it and at most so many runs
// were made. A run that breaks nothing comes back whole.
func (s *Simulator) Shrink(seed uint64, o Options, runs int) (Plan, Result) {
	cl := newClimate(seed, s.names)
	p := Plan{seed, cl, newPlan(seed, cl, o.steps())}
	r := s.Replay(p, o)
	if r.Violation == nil {
		return p, r
	}
	k := &shrinking{s: s, p: p, promise: r.Violation.Promise, left: runs}
	if at := int64(r.Violation.At); k.promise != Recovers && k.promise != Stuck {
		k.try(slices.DeleteFunc(slices.Clone(p.items), func(i item) bool { return i.at > at }))
	}
	// Troubles first, as there are few of them and each is worth many steps; then all that is left.
	k.reduce(func(i item) bool { return i.trouble })
	k.reduce(func(i item) bool { return !i.trouble })
	k.reduce(func(item) bool { return true })
	return k.p, s.Replay(k.p, o)
}

// shrinking is the search.
type shrinking struct {
	s       *Simulator
	p       Plan
	promise Promise
	left    int
}

// try keeps a smaller plan if it breaks the same promise.
func (k *shrinking) try(items []item) bool {
	if k.left == 0 || len(items) == len(k.p.items) {
		return false
	}
	k.left--
	r := k.s.run(k.p.seed, k.p.cl, items, Options{})
	if r.Violation == nil || r.Violation.Promise != k.promise {
		return false
	}
	k.p.items = items
	return true
}

// reduce leaves out parts of what which names, until nothing more can be left out one by one.
func (k *shrinking) reduce(which func(item) bool) {
	for parts := 2; k.left > 0; {
		var of []int
		for i, it := range k.p.items {
			if which(it) {
				of = append(of, i)
			}
		}
		if len(of) == 0 {
			return
		}
		parts = min(parts, len(of))
		smaller := false
		for chunk := range slices.Chunk(of, (len(of)+parts-1)/parts) {
			lo, hi := chunk[0], chunk[len(chunk)-1]
			n := 0
			rest := slices.DeleteFunc(slices.Clone(k.p.items), func(it item) bool {
				n++
				return n > lo && n <= hi+1 && which(it)
			})
			if k.try(rest) {
				smaller = true
				break
			}
		}
		switch {
		case smaller:
			parts = max(parts-1, 2)
		case parts == len(of):
			return
		default:
			parts *= 2
		}
	}
}
