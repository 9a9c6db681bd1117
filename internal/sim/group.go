package sim

import (
	"slices"

	"github.com/lethe-cache/lethe/internal/commit"
)

type batch = commit.Batch[target, int, *sending]

// sending is what the callers of a batch wait for.
type sending struct {
	claims  []claim
	callers []*writing
	done    bool
	token   token
	ok      bool
}

// pump begins to send what may be sent now.
func (n *node) pump() {
	for {
		b, due := n.commits.Next(n.h.mono())
		if b != nil {
			n.send(b)
			continue
		}
		if due != 0 {
			at := n.w.now + due - n.h.mono()
			if n.pumpAt <= n.w.now || at < n.pumpAt {
				n.pumpAt = at
				n.w.at(at, n, n, nodePump)
			}
		}
		return
	}
}

func (n *node) send(b *batch) {
	n.w.count.Batches++
	n.w.count.BatchItems += uint64(len(b.Items))
	p := &publishing{n: n, rng: rnd{n.rng.u64()}, began: n.w.now, batch: b}
	p.m = message{ev: n.w.newEvent(), source: n.h.i, targets: slices.Clone(b.Items), claims: slices.Clone(b.Data.claims)}
	if b.Wide {
		n.w.count.Widened++
	} else {
		n.echoes.add(p.m.ev)
	}
	p.act(publishTry)
}

// sent is told how the publish of a batch has ended.
func (n *node) sent(p *publishing, t token, ok bool) {
	d := p.batch.Data
	d.done, d.ok, d.token = true, ok, t
	for _, c := range d.callers {
		c.look()
	}
	n.commits.Sent(p.batch)
	n.pump()
}
