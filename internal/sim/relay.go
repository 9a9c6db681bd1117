package sim

// relayed is a row of an outbox: changed and announced in one transaction, published under its own id until it is stored.
type relayed struct {
	n      *node
	rng    rnd
	m      message
	again  bool
	rounds int
}

// Codes of a relayed.
const (
	relayCommit = iota
	relayPublish
)

func (r *relayed) act(code int) {
	n := r.n
	if code == relayCommit {
		n.w.count.Relayed++
		r.m = message{ev: n.w.newEvent(), source: n.h.i}
		r.m.id = r.m.ev
		r.m.targets, r.m.claims = n.w.change(&r.rng)
		if r.rng.chance(5000) { // the broker is told at once what was committed
			n.forget(r.m.targets, true)
			n.forget(r.m.targets, false)
		}
		n.w.at(n.w.now+r.rng.span(usec, 20*msec), n, r, relayPublish)
		return
	}
	p := &publishing{n: n, rng: rnd{r.rng.u64()}, began: n.w.now, m: r.m, relay: r}
	p.act(publishTry)
}

// look is told what became of a publish. One that needed a second attempt may have been stored and not republished: something
// new on the stream shows every node that it misses something.
func (r *relayed) look(p *publishing, t token, ok bool) {
	n := r.n
	r.again = r.again || p.tries > 1 || p.dup
	if !ok {
		r.rounds++
		n.w.at(n.w.now+r.rng.span(100*msec, sec), n, r, relayPublish)
		return
	}
	t.claims = r.m.claims
	n.w.tokens.put(t)
	if r.again {
		id := n.w.newEvent()
		noise := &publishing{n: n, rng: rnd{r.rng.u64()}, began: n.w.now, m: message{kind: sysTick, ev: id, id: id, source: n.h.i}}
		noise.act(publishTry)
	}
}
