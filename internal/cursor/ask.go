package cursor

// asking is about the leader's word: to end a Reset, to make sure of the stream after a reconnect, and as the probe that
// renews the lease of a quiet node.
type asking struct {
	id     uint64
	at     int64 // when the next is due; 0 = none
	last   int64 // when the last was sent
	wanted int64 // somebody waits for proof of a moment at or after this one
	since  uint64
	out    bool
	retry  backoff
}

func (a *asking) now(now int64) { a.at, a.out = now, false }

// soon asks once what is under way has been answered.
func (a *asking) soon(now int64) {
	if a.at == 0 || now < a.at {
		a.at = now
	}
}

func (a *asking) cut() {
	a.out = false
	a.id++ // an answer on the way is no answer to what will be asked
}

// probe is when to ask next if nothing hurries: MaxStaleness/4, less up to a quarter of it so that a fleet spreads.
func (f *Follower) probe(now int64) int64 {
	return now + int64(float64(f.lease.max/4)*(1-f.cfg.Jitter()/4))
}

func (f *Follower) runAsk(now int64) {
	a := &f.ask
	if a.wanted > a.last && f.phase == following {
		a.soon(max(now, a.last+askSpacing.Nanoseconds()))
	}
	if a.at == 0 || now < a.at || a.out || f.ping.sync {
		return
	}
	a.id++
	a.last, a.at, a.out = now, 0, true
	a.since = f.cur.known
	f.emit(Action{Do: Ask, ID: a.id})
}

// Answered reports an Ask. When not ok there was no answer.
func (f *Follower) Answered(id uint64, in Info, ok bool, now int64) []Action {
	f.begin()
	a := &f.ask
	if id == a.id && a.out && f.up {
		a.out = false
		if ok {
			a.retry = backoff{}
			f.answered(in, now)
		} else {
			a.at = now + a.retry.next(f.cfg.Jitter())
		}
	}
	return f.run(now)
}

func (f *Follower) answered(in Info, now int64) {
	f.ask.at = f.probe(now)
	if f.phase == resetting {
		if in.Last < f.heard {
			f.heard = 0 // the word is older than a "lost" that came meanwhile: once more
			f.ask.at = now + f.ask.retry.next(f.cfg.Jitter())
			return
		}
		f.resetTo(in)
		return
	}
	doubt := Epoch
	if in.Epoch == f.epoch {
		doubt = f.cur.answer(in, f.ask.since)
	}
	if doubt == none {
		doubt = f.backlog(now)
	}
	if doubt != none {
		f.reset(doubt, now)
		return
	}
	if f.phase == following {
		f.lease.claim(claim{target: in.Last, at: in.Asked, word: true})
	}
	if !f.cur.verified && f.fetch.at == 0 && !f.fetch.out {
		f.fetch.begin(f.cur.at.Seq, now)
	}
}

// Want tells that somebody waits for proof that reaches beyond now: the leader is asked soon, for all who wait at once.
func (f *Follower) Want(now int64) []Action {
	f.begin()
	f.ask.wanted = now
	return f.run(now)
}
