package cursor

// pinging is about which arrivals of the live feed mean anything: after a reconnect only those after a round trip are
// accounted for, after a pause of the process only those prove that the feed is alive. What came before may have waited in
// a buffer.
type pinging struct {
	id      uint64
	at      int64 // when the next is due; 0 = none
	last    int64 // when the last was sent
	out     bool
	sync    bool   // accounting waits for the round trip
	proof   bool   // so does proof of life
	mark    uint64 // arrivals up to this one are not accounted for
	credit  uint64 // arrivals up to this one prove nothing
	retry   backoff
	spacing backoff // of Resets that follow each other without a lease between
}

func (p *pinging) due(at int64) { p.at, p.out = at, false }

func (p *pinging) unsynced(number uint64) bool   { return p.sync || number <= p.mark }
func (p *pinging) uncredited(number uint64) bool { return p.sync || p.proof || number <= p.credit }

func (f *Follower) runPing(now int64) {
	p := &f.ping
	if p.at == 0 || now < p.at || p.out {
		return
	}
	p.id++
	p.at, p.last, p.out = 0, now, true
	f.emit(Action{Do: Ping, ID: p.id})
}

// Pong reports a Ping: mark is a number of arrival that everything which had come before the round trip ended does not
// exceed. When not ok there was no answer.
func (f *Follower) Pong(id, mark uint64, ok bool, now int64) []Action {
	f.begin()
	p := &f.ping
	if id == p.id && p.out && f.up {
		p.out = false
		if ok {
			f.pong(mark, now)
		} else {
			p.at = now + p.retry.next(f.cfg.Jitter())
		}
	}
	return f.run(now)
}

func (f *Follower) pong(mark uint64, now int64) {
	p := &f.ping
	p.retry = backoff{}
	p.credit, p.proof = mark, false
	if p.sync {
		p.mark, p.sync = mark, false
		f.ask.now(now)
	}
}
