package cursor

// Follower follows one stream. Its methods are not safe for concurrent use; the Actions each returns are valid until the
// next call. Times are on the owner's one clock: monotonic nanoseconds, positive.
type Follower struct {
	cfg   Config
	cur   Cursor
	lease Lease
	epoch string

	phase phase
	cause Cause  // of the Reset under way
	lost  bool   // others have to be told of it
	heard uint64 // highest sequence of a "lost" heard since the answer was asked for
	end   uint64 // the answer of the last Reset
	since int64  // when that answer came: what arrived before says nothing
	ready bool   // was leased at least once

	up   bool
	conn uint64
	gen  uint64 // of identity and clock: evidence from another one does not count

	ping  pinging
	ask   asking
	fetch fetching
	size  window
	gain  gaining
	tick  ticking
	beat  beating

	healed uint64
	out    []Action
}

// phase of a Follower.
type phase int

const (
	resetting phase = iota // the cursor stands nowhere: until the leader has answered
	settling               // it stands, but nothing proves yet that the node can publish and hears
	following
)

// New returns a Follower that waits to be connected. It has neither position nor lease. now and wall are what Beat compares
// the clocks with first.
func New(cfg Config, now, wall int64) *Follower {
	cfg = cfg.withDefaults()
	f := &Follower{cfg: cfg, cause: Start, beat: beating{now, wall}}
	f.lease.max = cfg.MaxStaleness.Nanoseconds()
	f.cur.held = make(map[uint64]holding)
	f.cur.most = cfg.Held
	f.size = newWindow(fetchLeast, fetchMost)
	return f
}

// Connected tells of a connection on which the live feed is subscribed; conn counts up with each.
func (f *Follower) Connected(conn uint64, now int64) []Action {
	f.begin()
	f.connected(conn, now)
	return f.run(now)
}

func (f *Follower) connected(conn uint64, now int64) {
	if f.up && f.conn == conn {
		return
	}
	f.cut()
	f.up, f.conn = true, conn
	f.ping.sync = true
	f.ping.due(now)
	if f.phase == resetting {
		f.fence()
	}
}

// Disconnected tells that the connection is gone. The lease stays: it is a proof about the past.
func (f *Follower) Disconnected(now int64) []Action {
	f.begin()
	if f.up {
		f.cut()
		f.up = false
	}
	return f.run(now)
}

// cut ends what was under way on the old connection.
func (f *Follower) cut() {
	f.gen++
	f.cur.unverify()
	f.cur.liveAt = 0 // what the old connection brought, perhaps late, confirms no leader that the new one leads to
	f.lease.disclaim()
	if f.fetch.out {
		f.size.lost()
	}
	f.size.anew()
	f.gain = gaining{}
	f.ping = pinging{id: f.ping.id, last: f.ping.last, spacing: f.ping.spacing}
	f.fetch = fetching{id: f.fetch.id + 1, mixed: f.fetch.mixed}
	f.ask.cut()
	f.tick.cut()
}

// Live tells of an applied message of the live feed. Messages without a server-given sequence are not told.
func (f *Follower) Live(a Arrival, now int64) []Action {
	f.begin()
	if a.Conn > f.conn {
		// 1. The server restarts without its tail and gives the numbers anew.
		// 2. The first message on the new connection overtakes the news of the connection.
		// 3. Were it accounted for, it would move the cursor over what it has not seen.
		f.connected(a.Conn, now)
	}
	f.live(a, now)
	return f.run(now)
}

func (f *Follower) live(a Arrival, now int64) {
	if f.phase == resetting || a.Conn < f.conn || a.At <= f.since || f.ping.unsynced(a.Number) {
		return // applied, and that is all it is good for: if it counts, it is fetched again
	}
	at := a.At
	if f.ping.uncredited(a.Number) {
		at = 0
	}
	if len(f.cur.held) > 0 && a.Seq == f.cur.at.Seq+1 {
		f.late(now)
	}
	doubt, fresh := f.cur.live(a.Message, at)
	if doubt == none {
		doubt = f.backlog(now)
	}
	if doubt != none {
		f.reset(doubt, now)
		return
	}
	if fresh {
		f.tick.heard(now, f.cfg)
	}
}

// Overflowed tells that applied or unapplied arrivals were dropped before they were told.
func (f *Follower) Overflowed(now int64) []Action {
	f.begin()
	clear(f.cur.held) // so that catching up begins at the hole, whatever its width
	f.ask.soon(now)
	return f.run(now)
}

// begin forgets the Actions of the last call.
func (f *Follower) begin() { f.out = f.out[:0] }

func (f *Follower) emit(a Action) { f.out = append(f.out, a) }

// run does what is due and grants what is proven; the last step of every call.
func (f *Follower) run(now int64) []Action {
	if f.up {
		f.runPing(now)
		f.runAsk(now)
		f.runFetch(now)
		f.runTick(now)
	}
	if f.phase != resetting && f.cur.verified && f.lease.settle(f.cur.at.Seq, f.cur.liveAt) {
		f.phase, f.ready = following, true
		if now-f.since >= f.cfg.Tick.Nanoseconds() {
			f.ping.spacing = backoff{} // it has held for a while; a lease between two Resets in a row is no peace
		}
		f.emit(Action{Do: Grant, End: f.lease.End()})
	}
	return f.out
}

// Due is when Beat has something to do at the latest; 0 = nothing is waiting for the time. What waits for an answer is not
// due: an owner that beats when something is due finds it done, or later, afterwards.
func (f *Follower) Due() int64 {
	if !f.up {
		return 0
	}
	due := int64(0)
	count := func(at int64, can bool) {
		if can && at != 0 && (due == 0 || at < due) {
			due = at
		}
	}
	count(f.ping.at, !f.ping.out)
	count(f.ask.at, !f.ask.out && !f.ping.sync)
	standing := f.phase != resetting && !f.ping.sync
	count(f.fetch.at, standing && !f.fetch.out && (f.cur.verified || f.fetch.from == f.cur.at.Seq))
	count(f.tick.at, standing && !f.tick.out)
	return due
}
