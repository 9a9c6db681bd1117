package sim

import "github.com/lethe-cache/lethe/internal/flight"

// many is a read of several rows at once: each looks into the cache, and those that are missing are loaded in one batch.
type many struct {
	n       *node
	rng     rnd
	how     how
	missing []*reading
	open    int // readings that have not looked yet
}

func (n *node) readMany(r *rnd, h how) {
	m := &many{n: n, rng: rnd{r.u64()}, how: h}
	n.w.count.Manys++
	picked := map[int]bool{}
	for range 2 + r.below(4) {
		thing := r.below(rows)
		if picked[thing] {
			continue
		}
		picked[thing] = true
		m.open++
		rd := &reading{n: n, rng: rnd{r.u64()}, thing: thing, how: h, many: m}
		rd.then(readBegin)
	}
}

// miss is told by a reading that nothing was in the cache.
func (m *many) miss(r *reading) {
	m.missing = append(m.missing, r)
	m.looked()
}

// looked is told that one reading has its answer, or needs a load; after the last, the batch begins.
func (m *many) looked() {
	m.open--
	if m.open == 0 && len(m.missing) > 0 {
		m.n.w.at(m.n.w.now+m.rng.span(usec, 40*usec), m.n, m, 0)
	}
}

// act enters every missing key, and loads those it leads in one batch.
func (m *many) act(int) {
	n := m.n
	var asked flight.Ask
	n.stall = true
	asked.Clock, asked.Leased = n.gate.Ask()
	n.stall = false
	if n.dead {
		return
	}
	start := n.h.mono()
	load := n.graph.Begin(nil)
	var batch []*flown
	for _, r := range m.missing {
		if r.over {
			continue
		}
		r.ask.Clock, r.ask.Leased = asked.Clock, asked.Leased
		var f *flight.Flight[*outcome]
		f, r.step = n.groups[0].Enter(r.thing, &r.ask, load)
		switch r.step { //nolint:exhaustive // the others wait
		case flight.Lead:
			fl := &flown{thing: r.thing, f: f, waiters: []*reading{r}}
			r.flown = fl
			batch = append(batch, fl)
			continue
		case flight.Alone:
			fl := &flown{thing: r.thing, f: f}
			n.lead(f.Load, m.how, start, r.ask.Leased && r.ask.Need == 0, r.rng.u64(), []*flown{fl})
		}
		r.waitFor(f)
	}
	if len(batch) > 0 {
		n.lead(load, m.how, start, asked.Leased && m.missing[0].ask.Need == 0, m.rng.u64(), batch)
	}
}
