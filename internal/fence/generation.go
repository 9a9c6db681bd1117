package fence

import "sync/atomic"

// generation is the stamps of a span of time.
type generation struct {
	tab    atomic.Pointer[table]
	opened int64  // the writer's, as what follows
	hard   uint64 // highest stamps
	soft   uint64
}

func newGeneration(now int64) *generation {
	g := &generation{opened: now}
	g.tab.Store(newTable(minCells))
	return g
}

func (g *generation) raise(label, stamp uint64, soft bool) {
	t := g.tab.Load()
	if t.full() {
		t = t.grown()
		g.tab.Store(t)
	}
	t.raise(label, stamp, soft)
	if soft {
		g.soft = stamp
	} else {
		g.hard = stamp
	}
}

func (g *generation) labels() int { return g.tab.Load().used }

// generations hang on one pointer: a reader that loaded the two separately could miss a current fence that moved between.
type generations struct {
	cur, old             *generation
	floorHard, floorSoft uint64
}

func (g *generations) stamps(label uint64) (hard, soft uint64) {
	h1, s1 := g.cur.tab.Load().find(label)
	h2, s2 := g.old.tab.Load().find(label)
	return max(h1, h2, g.floorHard), max(s1, s2, g.floorSoft)
}

// next closes cur and drops old. No stamp of old is later than the opening of cur; where less than rotate has passed since,
// something born before may still live, and old leaves its highest stamps behind as the floor.
func (g *generations) next(now, rotate int64) *generations {
	n := &generations{cur: newGeneration(now), old: g.cur, floorHard: g.floorHard, floorSoft: g.floorSoft}
	if now-g.cur.opened < rotate {
		n.floorHard = max(n.floorHard, g.old.hard)
		n.floorSoft = max(n.floorSoft, g.old.soft)
	}
	return n
}
