package sim

// play does what a plan says, item by item.
type play struct {
	w    *world
	plan []item
	next int
}

func (p *play) begin() {
	if p.next < len(p.plan) {
		p.w.at(p.plan[p.next].at, nil, p, 0)
	}
}

func (p *play) act(int) {
	i := &p.plan[p.next]
	p.next++
	p.begin()
	if i.trouble {
		p.w.trouble(i)
	} else if n := p.w.hosts[i.node].node; n != nil {
		if n.h.stopped > p.w.now { // it begins when the process goes on
			p.w.at(n.h.stopped, n, &begin{n, i}, 0)
			return
		}
		n.work(i)
	}
}

// begin is work put off.
type begin struct {
	n *node
	i *item
}

func (b *begin) act(int) { b.n.work(b.i) }

// work does one thing of the fleet's users.
func (n *node) work(i *item) {
	r := rnd{i.seed}
	switch i.kind {
	case workRead:
		n.read(&r, how{})
	case workBypass:
		n.read(&r, how{bypass: true})
	case workTokenRead:
		if t := n.w.tokens.any(&r); t != nil {
			left := sec
			n.read(&r, how{token: t, left: &left})
		}
	case workMany:
		n.readMany(&r, how{})
	case workWrite:
		c := &writing{n: n, rng: r}
		c.act(writeCommit)
	case workRelay:
		c := &relayed{n: n, rng: r}
		c.act(relayCommit)
	case workWait:
		if t := n.w.tokens.any(&r); t != nil {
			n.wait(t, r.span(0, 8*sec), func(ok bool) {
				if ok && !n.dead {
					n.read(&r, how{})
				}
			})
		}
	case workEvict:
		n.w.count.Evictions++
		thing := r.below(things)
		if r.chance(5000) {
			n.bulk[thing] = nil
		} else {
			n.hot[thing] = nil
		}
	}
}

func (n *node) read(r *rnd, h how) {
	thing := r.below(n.w.cl.rows)
	if r.chance(4000) {
		thing = rows + r.below(n.w.cl.compounds)
	}
	rd := &reading{n: n, rng: rnd{r.u64()}, thing: thing, how: h}
	rd.then(readBegin)
}
