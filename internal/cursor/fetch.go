package cursor

import "time"

// fetching is about closing holes.
type fetching struct {
	id    uint64
	at    int64  // when the next is due; 0 = none
	from  uint64 // where the cursor stood when it was set
	out   bool
	young bool  // what is due is the first for this hole, which may close by itself
	moved bool  // something was fetched since the node was last complete
	mixed int64 // until then the live feed counts as one that brings messages out of order
	retry backoff
}

// mixedFor is how long it counts as one after it was seen to be.
const mixedFor = 10 * time.Second

func (x *fetching) begin(from uint64, at int64) { x.from, x.at, x.young = from, at, false }

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
		x.young = true
	}
	if x.young && (f.cur.suspect || f.proven(now)) {
		x.at = now // what is held won't close it before it was compared; or nothing will
	}
	if now < x.at {
		return
	}
	x.id++
	x.young = false
	x.at, x.out, x.from = 0, true, f.cur.at.Seq
	f.emit(Action{Do: Fetch, ID: x.id, From: max(x.from, 1), To: f.cur.known, Bytes: f.size.size, Messages: f.size.messages()})
}

// proven says that something is missing, and not just on its way: the feed has gone on behind it, and keeps its order. Of a
// feed that does not, as after a change of leaders, a hole may close by itself; and what is known only from an answer or an
// acknowledgement may be about to arrive.
func (f *Follower) proven(now int64) bool { return len(f.cur.held) > 0 && now >= f.fetch.mixed }

// late notes that a message came behind one that was stored after it.
func (f *Follower) late(now int64) { f.fetch.mixed = now + mixedFor.Nanoseconds() }

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
	switch {
	case !ok && len(ms) > 0: // midway: it takes longer than it may
		f.size.lost()
	case moved:
		f.size.whole()
	}
	if doubt == none {
		doubt = f.backlog(now)
	}
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
