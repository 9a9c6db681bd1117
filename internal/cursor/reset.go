package cursor

// fence takes the lease and forgets everything: the beginning of a Reset.
func (f *Follower) fence() {
	f.lease.drop()
	f.emit(Action{Do: Grant})
	f.emit(Action{Do: Fence})
}

// reset begins a Reset: the first of its two fences, and a round trip before the leader is asked, so that the subscription
// stands when it answers.
func (f *Follower) reset(cause Cause, now int64) {
	f.phase, f.cause = resetting, cause
	f.lost = f.lost || cause.reuse()
	f.fence()
	f.gen++
	f.cur.unverify()
	f.fetch = fetching{id: f.fetch.id + 1}
	f.gain = gaining{}
	f.tick.cut()
	f.ask.cut()
	f.ask.at = 0
	f.heard = 0
	f.ping.sync = true
	if cause == LostTold {
		// Whoever may say "lost" may not make a fleet ask more often than this.
		f.ping.due(max(now, f.ping.last+f.cfg.Tick.Nanoseconds()))
		return
	}
	if f.ping.spacing.tries == 0 {
		f.ping.spacing.tries++
		f.ping.due(now)
		return
	}
	f.ping.due(now + f.ping.spacing.next(f.cfg.Jitter()))
}

// resetTo ends a Reset with the leader's answer. The second fence comes before the cursor stands: what was loaded since the
// first may be older than an event that the answer already counts.
func (f *Follower) resetTo(in Info) {
	f.emit(Action{Do: Fence})
	f.epoch = in.Epoch
	f.cur.reset(Message{in.Last, in.LastTime}, f.cfg.Held)
	f.lease.drop()
	f.end, f.since = in.Last, in.At
	f.phase = settling
	f.emit(Action{Do: Done, Cause: f.cause})
	f.tick.settle(in.At, f.lost)
	f.lost = false
}

// Lost tells of a message saying that sequences were reused: whoever hears it may have missed what the numbers once meant.
// It is not repeated to others. One that the last Reset's answer already counts is old news, as is the node's own.
func (f *Follower) Lost(seq uint64, own bool, now int64) []Action {
	f.begin()
	switch {
	case own || seq <= f.end && f.phase != resetting:
	case f.phase == resetting:
		f.heard = max(f.heard, seq)
	default:
		f.reset(LostTold, now)
	}
	return f.run(now)
}
