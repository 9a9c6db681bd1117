package sim

import (
	"fmt"
	"strings"

	"github.com/lethe-cache/lethe/internal/cursor"
	"github.com/lethe-cache/lethe/internal/fence"
)

// checkRead holds what a read has returned against the truth, as of when it began.
func (n *node) checkRead(r *reading, v *value) {
	w := n.w
	for thing, b := range v.begun {
		switch {
		case b == 0:
		case b <= r.hard[thing]:
			w.broken(Exact, "node %d, read of %d (%s): what it has of %d was loaded at mark %d, and %d was forgotten here at mark %d, before the read",
				n.h.i, r.thing, r.way, thing, b, thing, r.hard[thing])
		case !v.stale && b <= r.soft[thing]:
			w.broken(Exact, "node %d, read of %d (%s, not stale): what it has of %d was loaded at mark %d, and %d was softly forgotten here at mark %d, before the read",
				n.h.i, r.thing, r.way, thing, b, thing, r.soft[thing])
		}
	}
	for row := range rows {
		if v.begun[row] != 0 && v.ver[row] < r.must[row] {
			w.broken(Tellable, "node %d, read of %d (%s): of row %d it knows version %d, and a Wait had promised %d", n.h.i, r.thing, r.way, row, v.ver[row], r.must[row])
		}
	}
	if t := r.how.token; t != nil && !t.m.vanished && !t.blind {
		for _, c := range t.claims {
			if v.begun[c.row] != 0 && v.ver[c.row] < c.ver && (!v.stale || !c.soft) {
				w.broken(Tellable, "node %d, read of %d (%s) with token %s/%d: of row %d it knows version %d, the token's is %d",
					n.h.i, r.thing, r.way, t.epoch, t.seq, c.row, v.ver[c.row], c.ver)
			}
		}
	}
	n.checkBound(r, v)
}

// late is what a partition adds to the bound: an old leader's word counts as of the newest live message, and that may come late.
func (h *host) late() int64 {
	if !h.link.cutOff && h.w.now > h.slackUntil {
		h.slack = 0
	}
	return h.slack
}

// checkBound: what was stored longer ago than the bound, when the read began, is known.
func (n *node) checkBound(r *reading, v *value) {
	if r.drowsy {
		return // the machine was suspended, and its watchdog had not noticed yet
	}
	m := n.w.truth.before(r.began - n.w.cl.staleness - v.lag - n.h.late())
	if m == nil {
		return
	}
	need := &m.known
	if v.stale {
		need = &m.firm
	}
	for row := range rows {
		if v.begun[row] != 0 && v.ver[row] < need[row] {
			n.w.broken(Bounded, "node %d, read of %d (%s), begun at %d ms: of row %d it knows version %d, and %d was stored before %d ms",
				n.h.i, r.thing, r.way, r.began/msec, row, v.ver[row], need[row], m.at/msec)
		}
	}
}

// checkLease: no lease reaches further than the bound beyond the store of a message that the node has not got.
func (n *node) checkLease(end int64) {
	if n.h.drowsy {
		return // the same
	}
	if n.fooled() {
		return // the next probe tells, and until then only reads are looked at
	}
	asOf := end - n.w.cl.staleness - n.h.mono() + n.w.now - n.h.late()
	t := &n.w.truth
	for uid := n.truth.low; uid < len(t.all) && t.all[uid].at < asOf; uid++ {
		if m := t.all[uid]; !m.vanished && !n.has(m) {
			n.w.broken(Bounded, "node %d: a lease as of %d us, and message %d of %d us has not reached it", n.h.i, asOf/usec, m.seq, m.at/usec)
			return
		}
	}
}

// fooled: an admin gave numbers twice, against law 15, and the node can't know yet that the stream is another one.
func (n *node) fooled() bool {
	var known int
	_, err := fmt.Sscanf(n.follower.View().Epoch, "e%d", &known)
	return err == nil && known < n.w.server.again
}

// witness is a node whose cursor stood beyond what the servers have lost: it has to notice, and to tell.
type witness struct {
	n      *node
	resets int
	crash  uint64 // which of the server's
	at     uint64
	lost   []*message
	told   bool // it has noticed that numbers were given twice
}

func (w *world) witness(lost []*message) {
	l := w.server.real
	for _, h := range w.hosts {
		n := h.node
		if n == nil || !h.link.alive || h.link.log != l {
			continue
		}
		if v := n.follower.View(); v.Standing && v.Epoch == l.epoch && v.Cursor >= lost[0].seq {
			w.witnesses = append(w.witnesses, &witness{n: n, resets: n.resets, crash: w.count.ServerCrashes, at: v.Cursor, lost: lost})
		}
	}
}

// noticed is told why a node has begun anew.
func (w *world) noticed(n *node, cause cursor.Cause) {
	for _, t := range w.witnesses {
		if t.n == n && (cause == cursor.Reused || cause == cursor.Back) {
			t.told = true
		}
	}
}

// checkWitnesses: who had seen what the servers have lost has begun anew, and where it knew why, everybody has.
func (w *world) checkWitnesses() {
	for _, t := range w.witnesses {
		w.count.Witnesses++
		if !t.n.dead && t.n.resets == t.resets {
			w.broken(Complete, "node %d stood at %d when the server lost %d and above, and has not noticed", t.n.h.i, t.at, t.lost[0].seq)
		}
		if !t.told || t.crash != w.count.ServerCrashes || t.n.dead {
			continue // the word may be lost as well
		}
		for _, m := range t.lost {
			for _, c := range m.claims {
				w.checkTold(t, c)
			}
		}
	}
}

// checkTold: no node has anything from before what was lost, which a living node had seen.
func (w *world) checkTold(t *witness, c claim) {
	for _, h := range w.hosts {
		for thing, e := range h.node.bulk {
			if h.node.current(e) && !c.soft && e.value.begun[c.row] != 0 && e.value.ver[c.row] < c.ver {
				w.broken(Complete, "node %d noticed that numbers were given twice, and what node %d has of %d knows version %d of row %d; what was lost said %d",
					t.n.h.i, h.i, thing, e.value.ver[c.row], c.row, c.ver)
			}
		}
	}
}

// current says whether an entry may still be served.
func (n *node) current(e *entry) bool {
	return e != nil && n.h.mono() < e.End && n.fence.Check(e.Birth, e.Labels...) == fence.Fresh
}

// checkEnd: nothing is served past its end of life.
func (n *node) checkEnd(r *reading, e *entry) {
	if r.mono >= e.Start+n.w.cl.maxTTL {
		n.w.broken(EndOfAll, "node %d, read of %d (%s): loaded %d ms before", n.h.i, r.thing, r.way, (r.mono-e.Start)/msec)
	}
}

// checkPassed: what the cursor has passed was applied, or fenced by a Reset.
func (n *node) checkPassed(v cursor.View) {
	t := &n.truth
	log := n.h.link.log
	if !v.Standing || log == nil || v.Epoch != log.epoch || v.Cursor <= t.position {
		return
	}
	for seq := max(t.position+1, log.first); seq <= v.Cursor; seq++ {
		if m := log.get(seq); m != nil && !n.has(m) {
			n.w.broken(Complete, "node %d: the cursor went from %d to %d over %d (%s), which was never applied", n.h.i, t.position, v.Cursor, seq, m)
		}
	}
	t.position = v.Cursor
}

// checkWait: what Wait says is applied is.
func (n *node) checkWait(q *waiting, refused bool) {
	m := q.t.m
	link := &n.h.link
	if m.vanished {
		return
	}
	if !link.alive || n.fooled() { // the servers may have been restored
		q.t.blind = true
		return
	}
	if refused {
		if m.at < q.real && n.h.late() == 0 && !n.h.drowsy {
			n.w.broken(Tellable, "node %d: the token %s/%d was called illegal, and it was stored before the question", n.h.i, q.t.epoch, q.t.seq)
		}
		return
	}
	if !n.has(m) {
		n.w.broken(Tellable, "node %d: waited for %s/%d at cursor %d (%s), and its event (%d of uid %d) was never applied",
			n.h.i, q.t.epoch, q.t.seq, n.view.Cursor, n.view.Epoch, m.seq, m.uid)
		return
	}
	for _, c := range q.t.claims {
		if !c.soft {
			n.truth.must[c.row] = max(n.truth.must[c.row], c.ver)
		}
	}
}

// show writes a value for the trace.
func (r *reading) show(v *value) string {
	var b strings.Builder
	for thing, at := range v.begun {
		if at == 0 {
			continue
		}
		if thing < rows {
			fmt.Fprintf(&b, "%d=v%d@%d ", thing, v.ver[thing], at)
		} else {
			fmt.Fprintf(&b, "%d@%d ", thing, at)
		}
	}
	if v.stale {
		b.WriteString("stale")
	}
	return b.String()
}
