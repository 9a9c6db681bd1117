package sim

// trouble lets one thing go wrong.
func (w *world) trouble(i *item) {
	r := rnd{i.seed}
	h := w.hosts[i.node]
	s := &w.server
	long := func(most int64) int64 { // mostly short
		if r.chance(6000) {
			most /= 8
		}
		return r.span(msec, most)
	}
	switch i.kind {
	case troubleWeather:
		pick := func(of ...int) int { return of[r.below(len(of))] }
		h.sky = weather{
			until: w.now + long(10*sec), loss: pick(0, 200, 2000, 10_000), double: pick(0, 0, 1000), late: pick(0, 1000, 5000),
			ask: pick(0, 0, 500, 3000), most: long([]int64{20 * msec, 2 * sec}[r.below(2)]),
		}
		w.log(h.node, "weather %+v", h.sky)
	case troubleCut:
		h.cut(long(12*sec), r.span(0, []int64{msec, 3 * sec}[r.below(2)]))
	case troublePartition:
		s.part(int(r.u64() % (1 << w.cl.nodes)))
	case troubleHeal:
		s.heal()
	case troubleLeader:
		w.count.LeaderChanges++
		s.dying = w.now + r.span(0, 20*msec)
		s.outage = s.dying + long(10*sec)
	case troubleCrash:
		s.crash(r.below(5), r.span(-500, 500)*msec, long(3*sec))
	case troubleLag:
		w.count.Lags++
		s.lag, s.lagFor = 1+r.below(6), w.now+long(8*sec)
	case troubleTruncate, troublePurge, troubleHole, troubleRecreate:
		w.administer(i.kind, &r)
	case troubleStop:
		h.stop(long(15 * sec))
	case troubleSuspend:
		h.suspend(1200*msec + long(15*sec))
	case troubleClock:
		h.step(r.span(-20*sec, 20*sec))
	case troubleKill:
		h.kill(long(4 * sec))
	default:
		w.intrude(i.kind, h, &r)
	}
}

// administer is an admin who knows no better.
func (w *world) administer(kind int, r *rnd) {
	s := &w.server
	l := s.real
	if l == nil {
		return
	}
	switch kind {
	case troubleTruncate:
		w.count.Truncations++
		l.kept = max(l.kept, len(l.msgs)-r.below(20))
	case troublePurge:
		w.count.Purges++
		l.kept = len(l.msgs)
	case troubleHole:
		w.count.Holes++
		if n := len(l.msgs); n > 0 {
			l.gone[l.msgs[n-1-r.below(min(n, 5))].seq] = true
		}
	case troubleRecreate:
		w.count.Recreations++
		s.heal()
		s.real = nil
		w.log(nil, "the stream is deleted")
		switch r.below(3) {
		case 0: // a node will make it, when it finds out
			for _, h := range w.hosts {
				if !h.link.cutOff {
					h.link.log = nil
				}
			}
		case 1: // the admin does, and knows nothing of the numbers there were
			s.create(1 + uint64(r.below(40)))
		default: // above everything
			s.create(max(s.top+1, uint64(s.wall()/msec)))
		}
	}
}

// intrude is somebody who may publish, and plays a node or the server.
func (w *world) intrude(kind int, h *host, r *rnd) {
	s := &w.server
	switch kind {
	case troubleSquat:
		w.count.SquattedTicks++
		for k := range int64(1 + r.below(5)) {
			if s.real != nil && w.now >= s.outage {
				id := w.newEvent()
				s.store(message{kind: sysTick, ev: id, id: tickID(h.wall() + k*sec), source: -1})
			}
		}
	case troubleForgeLost:
		w.count.ForgedLost++
		if s.real != nil && w.now >= s.outage {
			id := w.newEvent()
			s.store(message{kind: sysLost, ev: id, id: id, source: -1})
		}
	case troubleForge:
		w.count.Forged++
		if h.node != nil && h.link.alive {
			h.node.receive(&message{source: -1, targets: []target{w.aim(r)}})
		}
	}
}
