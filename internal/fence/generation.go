package fence

// generation is the stamps of a span of time.
type generation struct {
	opened     int64 // the writer's
	hard, soft ledger
}

// newGeneration opens a generation after last, nil for none.
func newGeneration(now int64, last *generation) *generation {
	g := &generation{opened: now}
	if last == nil {
		last = &generation{}
	}
	g.hard.expect(last.hard.labels)
	g.soft.expect(last.soft.labels)
	return g
}

func (g *generation) ledger(soft bool) *ledger {
	if soft {
		return &g.soft
	}
	return &g.hard
}

// labels counts one that was invalidated hard and softly twice.
func (g *generation) labels() int { return g.hard.labels + g.soft.labels }

// generations hang on one pointer: a reader that loaded the two separately could miss a current fence that moved between.
type generations struct {
	cur, old             *generation
	floorHard, floorSoft uint64
}

func (g *generations) stamps(label uint64) (hard, soft uint64) {
	return max(g.cur.hard.find(label), g.old.hard.find(label), g.floorHard),
		max(g.cur.soft.find(label), g.old.soft.find(label), g.floorSoft)
}

// next closes cur and drops old. No stamp of old is later than the opening of cur; where less than rotate has passed since,
// something born before may still live, and old leaves its highest stamps behind as the floor.
func (g *generations) next(now, rotate int64) *generations {
	n := &generations{cur: newGeneration(now, g.cur), old: g.cur, floorHard: g.floorHard, floorSoft: g.floorSoft}
	if now-g.cur.opened < rotate {
		n.floorHard = max(n.floorHard, g.old.hard.last)
		n.floorSoft = max(n.floorSoft, g.old.soft.last)
	}
	return n
}
