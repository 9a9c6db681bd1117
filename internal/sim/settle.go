package sim

import (
	"fmt"
)

// settle ends all trouble and waits for what the fleet owes: every node leased, its cursor at the stream's end, and every read of
// every node what the database says.
func (w *world) settle() {
	w.calm = true
	w.log(nil, "the trouble is over")
	s := &w.server
	s.heal()
	s.outage, s.dying, s.lagFor = 0, 0, 0
	for _, h := range w.hosts {
		h.cutUntil = 0 // who is stopped goes on when that is over
	}
	for range 40 {
		w.run(sec)
		if w.bad != nil || w.settled() == "" {
			break
		}
	}
	if why := w.settled(); why != "" {
		w.broken(Recovers, "40 s of calm, and %s", why)
		return
	}
	for _, h := range w.hosts {
		w.count.LeasedAtTheEnd++
		w.count.Healed += h.node.follower.View().Healed
		for thing := range things {
			for _, later := range []int64{0, sec} {
				r := &reading{n: h.node, rng: rnd{mix(w.seed, uint64(thing))}, thing: thing}
				w.at(w.now+later, h.node, r, readBegin)
			}
		}
	}
	w.run(3 * sec)
	for end := w.now + w.cl.maxLoad + 15*sec; w.now < end && (w.flying() != nil || w.writing()); {
		w.run(sec)
	}
	if w.bad != nil {
		return
	}
	if f := w.flying(); f != nil {
		w.broken(Stuck, "a load of %d, begun at %d ms, never ended", f.thing, f.at/msec)
	}
	for _, h := range w.hosts {
		for _, c := range h.node.writers {
			if w.now-c.at > 15*sec {
				w.broken(Stuck, "node %d: an Invalidate of %v, begun at %d ms, never returned", h.i, c.targets, c.at/msec)
			}
		}
	}
	w.checkWitnesses()
	for _, h := range w.hosts {
		w.checkAgreed(h)
	}
}

// run lets time pass.
func (w *world) run(d int64) {
	end := w.now + d
	for w.bad == nil && w.next(end) {
	}
	w.now = max(w.now, end)
}

// settled says what is still missing; "" = every node is current.
func (w *world) settled() string {
	l := w.server.real
	for _, h := range w.hosts {
		if h.node == nil {
			return fmt.Sprintf("node %d is not running", h.i)
		}
		v := h.node.follower.View()
		switch {
		case h.stopped > w.now || h.drowsy:
			return fmt.Sprintf("machine %d is stopped", h.i)
		case l == nil:
			return "there is no stream"
		case !h.link.alive || !v.Sure:
			return fmt.Sprintf("node %d has not seen its stream since it was connected", h.i)
		case v.Epoch != l.epoch || v.End <= h.mono():
			return fmt.Sprintf("the lease of node %d ended %d ms ago, epoch %s of %s, cursor %d of %d",
				h.i, (h.mono()-v.End)/msec, v.Epoch, l.epoch, v.Cursor, l.last())
		case v.Cursor+3 < l.last(): // a few may be on the way
			return fmt.Sprintf("the cursor of node %d is %d of %d", h.i, v.Cursor, l.last())
		}
	}
	return ""
}

// writing says whether an Invalidate has not returned.
func (w *world) writing() bool {
	for _, h := range w.hosts {
		if len(h.node.writers) > 0 {
			return true
		}
	}
	return false
}

// flying is a load that should have ended by now.
func (w *world) flying() *flown {
	for _, h := range w.hosts {
		for _, f := range h.node.flown {
			if w.now-f.at > w.cl.maxLoad {
				return f
			}
		}
	}
	return nil
}

// checkAgreed: what is cached knows all that was announced.
func (w *world) checkAgreed(h *host) {
	n := h.node
	all := w.truth.all
	if len(all) == 0 {
		return
	}
	need := all[len(all)-1].known
	for thing, e := range n.bulk {
		if !n.current(e) {
			continue
		}
		for row := range rows {
			if e.value.begun[row] != 0 && e.value.ver[row] < need[row] {
				w.broken(Recovers, "node %d: all is calm, and what it has of %d knows version %d of row %d, announced was %d",
					h.i, thing, e.value.ver[row], row, need[row])
			}
		}
	}
}
