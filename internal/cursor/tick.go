package cursor

// ticking is about keeping the stream from falling silent, and about the tick that ends a Reset.
type ticking struct {
	id    uint64
	at    int64 // when the next is due; 0 = none
	news  int64 // when the last new message came
	out   bool
	lost  bool // the one that ends the Reset has to tell of it
	fresh bool // under an id of its own
	first bool // the one under way or due ends a Reset
	retry backoff
}

// settle makes the first tick after a Reset due.
func (k *ticking) settle(now int64, lost bool) {
	*k = ticking{id: k.id, at: now, news: now, first: true, fresh: true, lost: lost}
}

// heard puts the next tick off: whoever hears something need not make a noise. The jitter keeps most from trying.
func (k *ticking) heard(now int64, cfg Config) {
	k.news = now
	if !k.first && !k.out {
		k.fresh = false
		k.at = now + cfg.Tick.Nanoseconds() + int64(cfg.Jitter()*float64(cfg.Tick.Nanoseconds())/4)
	}
}

func (k *ticking) cut() {
	k.id++
	if k.out {
		k.out, k.at = false, 1 // as soon as there is a connection
	}
}

func (f *Follower) runTick(now int64) {
	k := &f.tick
	if f.phase == resetting || f.ping.sync || k.out || k.at == 0 || now < k.at {
		return
	}
	k.id++
	k.at, k.out = 0, true
	f.emit(Action{Do: Tick, ID: k.id, Fresh: k.fresh || k.lost, Lost: k.lost})
}

// Ticket is what was known when a publish was attempted; its ack is judged by it.
type Ticket struct {
	gen   uint64
	known uint64
	at    int64
}

// Known is the highest sequence that was known of: an ack at or below it is doubtful.
func (t Ticket) Known() uint64 { return t.known }

// Acked tells that an attempt of a publish of this node was stored as seq; a duplicate proves nothing, since the server
// answers it without a proposal.
func (f *Follower) Acked(t Ticket, seq uint64, duplicate bool, now int64) []Action {
	f.begin()
	if f.phase == following {
		f.acked(t, seq, duplicate, now)
	}
	return f.run(now)
}

func (f *Follower) acked(t Ticket, seq uint64, duplicate bool, now int64) {
	if duplicate || t.gen != f.gen {
		return
	}
	if seq <= t.known {
		f.reset(Back, now)
		return
	}
	f.cur.known = max(f.cur.known, seq)
	f.lease.claim(claim{target: seq, at: t.at})
}

// Ticked reports a Tick. When not ok it was not stored, as far as is known.
func (f *Follower) Ticked(id uint64, t Ticket, seq uint64, duplicate, ok bool, now int64) []Action {
	f.begin()
	k := &f.tick
	if id == k.id && k.out && f.up {
		k.out = false
		f.ticked(t, seq, duplicate, ok, now)
	}
	return f.run(now)
}

func (f *Follower) ticked(t Ticket, seq uint64, duplicate, ok bool, now int64) {
	k := &f.tick
	period := f.cfg.Tick.Nanoseconds()
	switch {
	case !ok, duplicate && k.fresh:
		k.at = now + k.retry.next(f.cfg.Jitter())
	case duplicate:
		// The id is thrift only: it may be taken by somebody whose clock is wrong, or on purpose. Twice T of silence
		// and the next one has an id of its own.
		k.fresh = true
		k.at = max(now, k.news+2*period)
	default:
		k.retry, k.first, k.lost, k.fresh = backoff{}, false, false, false
		k.at = now + period + int64(f.cfg.Jitter()*float64(period)/4)
		f.acked(t, seq, false, now)
	}
}
