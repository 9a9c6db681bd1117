package cursor

// fetching is about closing holes.
type fetching struct {
	id    uint64
	at    int64  // when the next is due; 0 = none
	from  uint64 // where the cursor stood when it was set
	out   bool
	moved bool // something was fetched since the node was last complete
	retry backoff
}

func (x *fetching) begin(from uint64, at int64) { x.from, x.at = from, at }

func (f *Follower) runFetch(now int64) {
	x := &f.fetch
	if f.phase == resetting || f.ping.sync {
		return
	}
	if !f.cur.behind() {
		if x.moved {
			f.healed++
		}
		x.at, x.moved, x.retry = 0, false, backoff{}
		return
	}
	if x.out {
		return
	}
	if x.at == 0 || x.from != f.cur.at.Seq { // a new hole, or this one has moved: it may close by itself
		if !f.cur.verified {
			return // the leader's answer comes first
		}
		x.begin(f.cur.at.Seq, now+f.cfg.Reorder.Nanoseconds())
		if f.cur.suspect {
			x.at = now // what is held won't close it before it was compared
		}
	}
	if now < x.at {
		return
	}
	x.id++
	x.at, x.out, x.from = 0, true, f.cur.at.Seq
	f.emit(Action{Do: Fetch, ID: x.id, From: max(x.from, 1), To: f.cur.known})
}

// Fetched reports a Fetch: the messages found, in order, all applied before. When not ok it failed midway; what it found
// until then counts. None at all is no proof of anything: a replica that lags has not got them yet.
func (f *Follower) Fetched(id uint64, ms []Message, ok bool, now int64) []Action {
	f.begin()
	x := &f.fetch
	if id == x.id && x.out && f.up {
		x.out = false
		f.fetched(ms, ok, now)
	}
	return f.run(now)
}

func (f *Follower) fetched(ms []Message, ok bool, now int64) {
	x := &f.fetch
	doubt, moved := f.cur.fetched(x.from, ms)
	if doubt != none {
		f.reset(doubt, now)
		return
	}
	if moved {
		x.moved, x.retry = true, backoff{}
		f.tick.heard(now, f.cfg)
		x.begin(f.cur.at.Seq, now)
		return
	}
	x.begin(f.cur.at.Seq, now+x.retry.next(f.cfg.Jitter()))
	if ok {
		f.ask.soon(now) // does the leader still say that there is something to fetch?
	}
}
