package sim

import (
	"slices"

	"github.com/lethe-cache/lethe/internal/cursor"
)

// do performs Actions in order. What takes time becomes a job.
func (n *node) do(as []cursor.Action) {
	for _, a := range as {
		switch a.Do {
		case cursor.Fence:
			n.resets++
			n.fenceAll()
		case cursor.Grant:
			n.grant(a.End)
		case cursor.Done:
			n.resetDone(a.Cause)
		default:
			n.begun(a)
		}
	}
}

func (n *node) grant(end int64) {
	n.w.count.Grants++
	n.w.log(n, "lease until %d ms from now", (end-n.h.mono())/msec)
	if end != 0 {
		n.checkLease(end)
	}
	n.lease.Store(end)
}

func (n *node) resetDone(cause cursor.Cause) {
	n.echoes.forget()
	n.w.count.reset(cause)
	v := n.follower.View()
	n.w.log(n, "reset because of %q: epoch %s, cursor %d", cause, v.Epoch, v.Cursor)
	n.truth.position = v.Cursor
	n.w.noticed(n, cause)
	n.put(v)
}

// job is an Action that takes its time: a question to the server and its answer.
type job struct {
	n      *node
	a      cursor.Action
	conn   uint64
	rng    rnd
	ticket cursor.Ticket
	over   bool

	ensure bool // the stream has to be looked at first
	asked  bool // it was
	seen   uint64

	ok    bool
	info  cursor.Info
	mark  uint64
	found []*message
	seq   uint64
	dup   bool
	tick  message
}

// Codes of a job.
const (
	jobServer = iota // the question is at the server
	jobBack          // the answer is at the client
	jobLate          // there was no answer in time
)

func (n *node) begun(a cursor.Action) {
	j := &job{n: n, a: a, conn: n.h.link.num, rng: rnd{n.rng.u64()}}
	switch a.Do { //nolint:exhaustive // a Ping and a Fetch say all
	case cursor.Ask:
		j.ensure, j.seen = n.loop.ensure, n.follower.View().Known
		j.info.Asked = n.h.mono()
	case cursor.Tick:
		j.ticket = n.follower.View().Sending(n.h.mono())
		j.tick = message{kind: sysTick, ev: n.w.newEvent(), source: n.h.i}
		j.tick.id = j.tick.ev
		if !a.Fresh {
			j.tick.id = tickID(n.h.wall())
		}
		if a.Lost {
			j.tick.kind = sysLost
			n.loop.lost = j.tick.ev
		}
	}
	n.loop.jobs = append(n.loop.jobs, j)
	j.hop(nil, jobServer)
}

// most is how long an answer is waited for.
func (j *job) most() int64 {
	switch j.a.Do {
	case cursor.Ask:
		return 3 * sec
	case cursor.Fetch:
		return 5 * sec
	default:
		return 2 * sec
	}
}

func (j *job) hop(in *node, code int) {
	if d, ok := j.n.h.hop(&j.rng); ok && j.n.h.link.up {
		j.n.w.at(j.n.w.now+d, in, j, code)
		return
	}
	j.late()
}

func (j *job) late() { j.n.w.at(j.n.w.now+j.rng.span(msec, j.most()), j.n, j, jobLate) }

// through says whether the connection still is the one it went out on.
func (j *job) through() bool {
	l := &j.n.h.link
	return !j.n.dead && l.alive && l.num == j.conn
}

func (j *job) act(code int) {
	if j.over {
		return
	}
	switch {
	case code == jobLate:
		j.report(false)
	case !j.through():
		j.late()
	case code == jobServer:
		if j.serve() {
			j.hop(j.n, jobBack)
		} else {
			j.late()
		}
	case j.ensure && !j.asked: // the stream is there; now the question itself
		j.asked = true
		j.info.Asked = j.n.h.mono()
		j.hop(nil, jobServer)
	default:
		j.info.At = j.n.h.mono()
		j.mark = j.n.loop.number + uint64(len(j.n.loop.pending))
		j.report(j.ok)
	}
}

// serve lets the server do its part; false: it doesn't answer.
func (j *job) serve() bool {
	w, link := j.n.w, &j.n.h.link
	s := &w.server
	j.ok = true
	switch j.a.Do { //nolint:exhaustive // only these take time
	case cursor.Ping:
		return true
	case cursor.Fetch:
		j.found = s.find(link, j.a.From, j.a.Messages)
		if lose := j.n.h.sun().ask; len(j.found) > 0 && j.rng.chance(lose) {
			i := j.rng.below(len(j.found))
			if j.ok = j.rng.chance(5000); j.ok { // one was lost on the way
				j.found = slices.Delete(j.found, i, i+1)
			} else { // nothing came after it
				j.found = j.found[:i]
			}
		}
		return true
	}
	if !s.led(link) {
		return false
	}
	if j.a.Do == cursor.Ask {
		if j.ensure && !j.asked {
			if !link.cutOff {
				s.ensure(j.seen)
			}
			return true
		}
		asked := j.info.Asked
		j.info, j.ok = s.ask(link)
		j.info.Asked = asked
		return true
	}
	log := s.side(link)
	if log == nil {
		j.ok = false // nobody is there to store it
		return true
	}
	if !log.quorum {
		if have := log.ids[j.tick.id]; have != nil {
			j.seq, j.dup = have.seq, true // for this it needs nobody
			return true
		}
		return false
	}
	m, dup := s.store(j.tick)
	j.seq, j.dup = m.seq, dup
	return true
}

func (j *job) report(ok bool) {
	j.over, j.ok = true, ok
	l := &j.n.loop
	if i := slices.Index(l.jobs, j); i >= 0 {
		l.jobs = slices.Delete(l.jobs, i, i+1)
	}
	j.n.tell(report{job: j})
}

// ended tells the follower what became of an Action.
func (n *node) ended(j *job) {
	f, now := n.follower, n.h.mono()
	switch j.a.Do { //nolint:exhaustive // only these take time
	case cursor.Ping:
		n.do(f.Pong(j.a.ID, j.mark, j.ok, now))
	case cursor.Ask:
		n.w.log(n, "asked: %+v %v", j.info, j.ok)
		n.loop.ensure = !j.ok || n.loop.ensure && !j.ensure
		n.do(f.Answered(j.a.ID, j.info, j.ok, now))
	case cursor.Fetch:
		n.w.count.Fetches++
		n.loop.found, n.loop.at, n.loop.told = j, 0, n.loop.told[:0]
		if len(j.found) == 0 {
			n.applyNext()
		}
	case cursor.Tick:
		n.do(f.Ticked(j.a.ID, j.ticket, j.seq, j.dup, j.ok, now))
	}
}

// applyNext applies the next message of a Fetch; after the last they are accounted for.
func (n *node) applyNext() {
	l := &n.loop
	j := l.found
	if l.at < len(j.found) {
		m := j.found[l.at]
		l.at++
		l.told = append(l.told, m.cursor())
		if !n.follower.Seen(m.cursor()) && n.apply(m, "fetched") {
			n.do(n.follower.Lost(m.seq, m.ev == l.lost, n.h.mono()))
		}
		if l.at < len(j.found) {
			return
		}
	}
	l.found = nil
	n.do(n.follower.Fetched(j.a.ID, l.told, j.ok, n.h.mono()))
}
