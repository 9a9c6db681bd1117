package sim

import "github.com/lethe-cache/lethe/internal/cursor"

// loop is what only the loop of the bus touches, and the ways into it.
type loop struct {
	pending []*message // in the client's buffers, not called back with
	calling bool
	number  uint64
	queue   []arrived // what the callback has put
	full    bool      // something did not fit

	inbox  []report
	turned bool // a turn is arranged
	timed  bool // a timer is
	due    int64

	conn   uint64 // the connection as the loop knows it; 0 = none
	beaten int64
	ensure bool
	lost   uint64 // event id of this node's last "lost"
	jobs   []*job
	found  *job // a Fetch that is being applied, message by message
	at     int
	told   []cursor.Message
}

// arrived is a message as the callback has taken it.
type arrived struct {
	m    *message
	at   int64
	conn uint64
	num  uint64
	real int64
}

// report is what others tell the loop.
type report struct {
	job    *job // an Action has ended
	acked  bool // a publish of this node was stored
	ticket cursor.Ticket
	seq    uint64
	dup    bool
	want   bool // somebody waits for proof; else: look at the connection
}

// receive is a message that reaches the client: it waits for the callback.
func (n *node) receive(m *message) {
	l := &n.loop
	if len(l.pending) >= n.w.cl.buffer {
		n.w.count.Dropped++
		return
	}
	l.pending = append(l.pending, m)
	n.call()
}

func (n *node) call() {
	if l := &n.loop; !l.calling && len(l.pending) > 0 {
		l.calling = true
		n.w.at(n.w.now+n.rng.span(usec, 30*usec), n, n, nodeCall)
	}
}

// callback takes one message: what it says of time and connection is what is so now.
func (n *node) callback() {
	l := &n.loop
	l.calling = false
	m := l.pending[0]
	l.pending = l.pending[1:]
	l.number++
	if len(l.queue) < n.w.cl.queue {
		l.queue = append(l.queue, arrived{m, n.h.mono(), n.h.link.num, l.number, n.w.now})
	} else {
		l.full = true
	}
	n.call()
	n.poke()
}

func (n *node) tell(r report) {
	n.loop.inbox = append(n.loop.inbox, r)
	n.poke()
}

// news is that something about the connection has changed.
func (n *node) news() {
	if n != nil {
		n.tell(report{})
	}
}

func (n *node) poke() {
	if l := &n.loop; !l.turned {
		l.turned = true
		n.w.at(n.w.now+n.rng.span(usec, 60*usec), n, n, nodeLoop)
	}
}

// turn does one thing. The clocks are compared before it.
func (n *node) turn() {
	l := &n.loop
	l.turned = false
	if l.found != nil {
		n.applyNext()
	} else {
		if n.h.mono()-l.beaten >= beatEvery {
			n.beat()
		}
		n.choose()
	}
	if l.found == nil {
		n.show()
		n.rearm()
	}
	if l.found != nil || len(l.inbox)+len(l.queue) > 0 {
		n.poke()
	}
}

// choose takes what comes next, as a select does.
func (n *node) choose() {
	l := &n.loop
	switch {
	case len(l.inbox) > 0 && (len(l.queue) == 0 || n.rng.chance(5000)):
		r := l.inbox[0]
		l.inbox = l.inbox[1:]
		n.hear(r)
	case len(l.queue) > 0:
		n.arrivals()
	}
}

func (n *node) hear(r report) {
	f := n.follower
	switch {
	case r.job != nil:
		n.ended(r.job)
	case r.acked:
		n.do(f.Acked(r.ticket, r.seq, r.dup, n.h.mono()))
	case r.want:
		n.do(f.Want(n.h.mono()))
	default:
		n.connection()
	}
}

func (n *node) arrivals() {
	l := &n.loop
	for k := 1 + n.rng.below(4); k > 0 && len(l.queue) > 0; k-- {
		a := l.queue[0]
		l.queue = l.queue[1:]
		n.arrived(a)
	}
	if l.full {
		l.full = false
		l.queue = l.queue[:0]
		n.w.count.Overflows++
		n.w.log(n, "its queue has overflown")
		n.do(n.follower.Overflowed(n.h.mono()))
	}
}

// arrived applies a message of the live feed and accounts for it then.
func (n *node) arrived(a arrived) {
	if a.conn > n.loop.conn {
		n.connection()
	}
	if n.h.link.cutOff {
		n.h.slack = max(n.h.slack, a.real-a.m.at)
	}
	lost := n.apply(a.m, "live")
	if a.m.seq == 0 {
		return // the server says nothing of it
	}
	now := n.h.mono()
	if lost {
		n.do(n.follower.Lost(a.m.seq, a.m.ev == n.loop.lost, now))
	}
	n.do(n.follower.Live(cursor.Arrival{Message: a.m.cursor(), At: a.at, Conn: a.conn, Number: a.num}, now))
}

// apply hands an event to the node; lost says that it tells of numbers given twice.
func (n *node) apply(m *message, how string) (lost bool) {
	n.w.count.Applies++
	n.w.log(n, "applies %d (%s) %s", m.seq, how, m)
	switch m.kind {
	case sysTick:
		n.applied(m)
	case sysLost:
		if m.ev == n.loop.lost {
			n.applied(m)
		}
		return true // for others it counts as applied once everything was fenced
	default:
		if m.source == n.h.i && n.echoes.take(m.ev) {
			n.w.count.Echoes++
		} else {
			n.forget(m.targets, true)
			n.forget(m.targets, false)
		}
		if m.seq != 0 {
			n.applied(m)
		}
	}
	return false
}

func (n *node) beat() {
	n.loop.beaten = n.h.mono()
	n.h.drowsy, n.h.stepped = false, false
	n.do(n.follower.Beat(n.h.mono(), n.h.wall()))
}

// connection compares what the connection is with what the loop believes.
func (n *node) connection() {
	l, link := &n.loop, &n.h.link
	switch {
	case !link.up:
		if l.conn != 0 {
			l.conn = 0
			n.offline()
			n.do(n.follower.Disconnected(n.h.mono()))
		}
	case link.num != l.conn:
		if l.conn != 0 {
			n.offline()
		}
		l.conn, l.ensure = link.num, true
		n.do(n.follower.Connected(link.num, n.h.mono()))
	default:
		n.h.drowsy, n.h.stepped = false, false
		n.do(n.follower.Beat(n.h.mono(), n.h.wall()))
		if due := n.follower.Due(); due != 0 && due <= n.h.mono() {
			n.w.broken(Stuck, "node %d: something is due, and when it is asked nothing is done: its loop would spin", n.h.i)
		}
	}
}

// offline ends what runs with the connection.
func (n *node) offline() {
	for _, j := range n.loop.jobs {
		j.over = true
	}
	n.loop.jobs = n.loop.jobs[:0]
}

// show puts up the view, and tells how far the cursor got.
func (n *node) show() {
	v := n.follower.View()
	n.checkPassed(v)
	n.put(v)
}

func (n *node) put(v cursor.View) {
	if v == n.view {
		return
	}
	n.view = v
	for _, q := range n.waiters {
		q.look()
	}
}

// rearm sets the timer to what is due next.
func (n *node) rearm() {
	l := &n.loop
	wait := beatEvery
	if due := n.follower.Due(); due != 0 {
		wait = min(wait, max(due-n.h.mono(), 0))
	}
	l.due = n.w.now + wait
	if !l.timed {
		l.timed = true
		n.w.at(l.due, n, n, nodeTimer)
	}
}

func (n *node) timer() {
	l := &n.loop
	l.timed = false
	if n.w.now < l.due {
		l.timed = true
		n.w.at(l.due, n, n, nodeTimer)
		return
	}
	n.news()
}
