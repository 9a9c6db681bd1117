package cursor

// beating compares the clocks. A process that was stopped finds old messages in its buffers; a machine that was suspended
// finds its monotonic clock standing where it was, and a lease that ended long ago looking young.
type beating struct{ now, wall int64 }

// Beat tells the time and the wall clock, Unix nanoseconds; about every 100 ms, and when something is Due. Both are read at
// once, by the caller.
func (f *Follower) Beat(now, wall int64) []Action {
	f.begin()
	last := f.beat
	f.beat = beating{now, wall}
	ran, told := now-last.now, wall-last.wall
	most := f.cfg.Tick.Nanoseconds()
	switch {
	case told-ran > most || ran-told > most:
		f.slept(now)
	case ran > most:
		f.ping.doubtful(now)
	}
	return f.run(now)
}

// slept is for a clock that can't be trusted across what just happened: nothing known from before counts.
func (f *Follower) slept(now int64) {
	f.gen++
	f.cur.liveAt = 0
	for seq, h := range f.cur.held {
		f.cur.held[seq] = holding{h.time, 0}
	}
	if f.lease.End() != 0 {
		f.emit(Action{Do: Grant})
	}
	f.lease.drop()
	f.ping.doubtful(now)
	f.ask.cut()
	f.ask.soon(now)
	f.tick.cut()
}

// doubtful lets arrivals prove nothing until a round trip that begins now has ended.
func (p *pinging) doubtful(now int64) {
	p.proof = true
	if p.at == 0 {
		p.due(now) // one that is under way began too early
	}
}
