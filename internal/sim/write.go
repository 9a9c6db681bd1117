package sim

import "slices"

// writing is a change to the database and its invalidation by a node.
type writing struct {
	n       *node
	rng     rnd
	targets []target
	claims  []claim
	joined  []*batch
	voice   int
	over    bool
	at      int64 // when it was called
}

// Codes of a writing.
const (
	writeCommit = iota
	writeSoft
	writeHard
	writeJoin
	writeGone
)

func (c *writing) act(code int) {
	n := c.n
	then := func(next int) { n.w.at(n.w.now+c.rng.span(usec, 200*usec), n, c, next) }
	switch code {
	case writeCommit:
		c.commit()
		then(writeSoft)
	case writeSoft:
		n.forget(c.targets, true)
		then(writeHard)
	case writeHard:
		n.forget(c.targets, false)
		then(writeJoin)
	case writeJoin:
		n.w.count.Invalidations++
		c.at = n.w.now
		n.writers = append(n.writers, c)
		c.join()
	case writeGone:
		if !c.over {
			c.returned()
			n.w.count.WritersLeft++
		}
	}
}

// commit changes a row or two; some calls only invalidate.
func (c *writing) commit() {
	w := c.n.w
	c.targets, c.claims = w.change(&c.rng)
	c.voice = c.rng.below(2)
}

// change commits a change of the database and says what it makes stale.
func (w *world) change(r *rnd) (ts []target, cs []claim) {
	for range 1 + r.below(2) {
		t := w.aim(r)
		if r.chance(w.cl.softs) {
			t.soft = true
		}
		ts = append(ts, t)
		for row := range rows {
			if !t.covers(row, &w.graph) || t.kind > ofPrefix && !r.chance(2000) {
				continue
			}
			w.db[row]++
			cs = append(cs, claim{row, w.db[row], t.soft})
		}
	}
	w.log(nil, "committed %v", cs)
	return ts, cs
}

// aim draws a target.
func (w *world) aim(r *rnd) target {
	switch k := r.below(100); {
	case k < 55:
		return target{kind: ofKey, i: uint8(r.below(w.cl.rows))}
	case k < 65:
		return target{kind: ofKey, i: uint8(rows + r.below(w.cl.compounds))}
	case k < 80:
		return target{kind: ofTag, i: uint8(r.below(w.cl.rows))}
	case k < 88:
		return target{kind: ofPrefix, i: uint8(r.below(groups))}
	case k < 93:
		return target{kind: ofPadding, i: uint8(r.below(padding))}
	case k < 98:
		return target{kind: ofFunction, i: uint8(r.below(2))}
	default:
		return target{kind: ofAll}
	}
}

// join puts the targets of each subject into batches that are not sent yet.
func (c *writing) join() {
	n := c.n
	lanes := map[string][]target{}
	var order []string
	for _, t := range c.targets {
		l := t.lane()
		if lanes[l] == nil {
			order = append(order, l)
		}
		lanes[l] = append(lanes[l], t)
	}
	for _, l := range order {
		more, err := n.commits.Join(l, c.voice, lanes[l], n.h.mono())
		c.joined = append(c.joined, more...)
		for _, b := range more {
			if b.Data == nil {
				b.Data = &sending{}
			}
			b.Data.callers = append(b.Data.callers, c)
			b.Data.claims = append(b.Data.claims, c.of(b)...)
		}
		if err != nil {
			n.w.count.Storms++
			c.returned()
			return
		}
	}
	if c.rng.chance(500) {
		n.w.at(n.w.now+c.rng.span(0, 500*msec), n, c, writeGone)
	}
	n.pump()
}

// of is what of the claims a batch announces.
func (c *writing) of(b *batch) (cs []claim) {
	for _, k := range c.claims {
		for _, t := range b.Items {
			if (b.Wide || t.soft == k.soft) && t.covers(k.row, &c.n.w.graph) {
				cs = append(cs, k)
				break
			}
		}
	}
	return cs
}

// look is told that a batch has ended. The caller returns when all of its have.
func (c *writing) look() {
	if c.over {
		return
	}
	top := token{claims: c.claims}
	for _, b := range c.joined {
		if !b.Data.done {
			return
		}
		if !b.Data.ok {
			top.m = nil
			break
		}
		if t := b.Data.token; t.seq > top.seq {
			top.epoch, top.seq, top.m = t.epoch, t.seq, t.m
		}
	}
	c.returned()
	if top.m != nil {
		c.n.w.tokens.put(top)
	}
}

// returned ends the call.
func (c *writing) returned() {
	n := c.n
	c.over = true
	n.commits.Leave(c.joined)
	if i := slices.Index(n.writers, c); i >= 0 {
		n.writers = slices.Delete(n.writers, i, i+1)
	}
}
