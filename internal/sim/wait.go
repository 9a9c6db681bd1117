package sim

import (
	"slices"

	"github.com/lethe-cache/lethe/internal/cursor"
)

// waiting is one call of Wait.
type waiting struct {
	n     *node
	t     *token
	asked int64 // on the node's clock
	real  int64
	over  bool
	then  func(ok bool) // called once; ok: the token is applied
}

// Codes of a waiting.
const (
	waitLook  = iota // the view has changed
	waitWant         // it takes long: the leader is asked for proof
	waitUntil        // the caller's time is up
)

const (
	wantAfter = 200 * msec
	wantEvery = sec
)

// wait calls then when t is applied, or when most has passed.
func (n *node) wait(t *token, most int64, then func(ok bool)) {
	q := &waiting{n: n, t: t, asked: n.h.mono(), real: n.w.now, then: then}
	n.waiters = append(n.waiters, q)
	n.w.count.Waits++
	q.judge()
	if q.over {
		return
	}
	n.w.at(n.w.now+min(wantAfter, most), n, q, waitWant)
	n.w.at(n.w.now+most, n, q, waitUntil)
}

func (q *waiting) look() { q.n.w.at(q.n.w.now+q.n.rng.span(usec, 50*usec), q.n, q, waitLook) }

func (q *waiting) act(code int) {
	if q.over {
		return
	}
	switch code {
	case waitUntil:
		q.end(false)
	case waitWant:
		q.n.tell(report{want: true})
		q.n.w.at(q.n.w.now+wantEvery, q.n, q, waitWant)
	default:
		q.judge()
	}
}

// judge settles the question, if what is known does.
func (q *waiting) judge() {
	done, refused := judgeToken(q.n.view, q.t, q.asked)
	if !done {
		return
	}
	q.n.checkWait(q, refused)
	q.end(!refused)
}

// judgeToken is the bus's: a number is worth something only in the stream it is of.
func judgeToken(v cursor.View, t *token, asked int64) (done, refused bool) {
	proof := v.AsOf > asked
	switch {
	case !v.Sure:
		return false, false
	case t.epoch != v.Epoch:
		return proof, false
	case t.seq <= v.Cursor:
		return true, false
	case proof:
		return true, true
	}
	return false, false
}

func (q *waiting) end(ok bool) {
	q.over = true
	n := q.n
	if i := slices.Index(n.waiters, q); i >= 0 {
		n.waiters = slices.Delete(n.waiters, i, i+1)
	}
	if ok {
		n.w.count.Waited++
		n.w.log(n, "waited for %s/%d", q.t.epoch, q.t.seq)
	}
	q.then(ok)
}

// reached is the look without waiting.
func (n *node) reached(t *token) bool {
	v := n.view
	if !v.Sure || t.epoch != v.Epoch || t.seq > v.Cursor {
		return false
	}
	n.checkWait(&waiting{n: n, t: t, asked: n.h.mono(), real: n.w.now}, false)
	return true
}
