package sim

// host is a machine: its clocks, its connection, and the process on it.
type host struct {
	w       *world
	i       int
	rng     rnd
	base    int64 // what the monotonic clock of the machine showed at the beginning
	slept   int64 // how long it was suspended: the monotonic clock stood still
	wallOff int64
	stopped int64 // until then the process does not run
	woke    int64 // when it was resumed last
	drowsy  bool  // it was suspended, and no beat has noticed yet
	stepped bool  // its wall clock was, and no beat has noticed yet
	lives   int
	node    *node // nil = none runs

	link       link
	sky        weather
	cutUntil   int64 // no server can be reached until then
	slack      int64 // how late messages came over a leader that was cut off
	slackUntil int64 // until then it counts
}

// link is the connection of a machine.
type link struct {
	num    uint64 // counts up with each
	up     bool   // as the client believes
	alive  bool   // something gets through
	cutOff bool   // to a leader without a quorum
	log    *log   // the stream it shows, or showed
}

// weather is what the network does to what one machine sends and gets, in chances of ten thousand.
type weather struct {
	until                   int64
	loss, double, late, ask int
	most                    int64 // delay of what is late
}

func (h *host) mono() int64 { return h.base + h.w.now - h.slept }
func (h *host) wall() int64 { return epoch + h.w.now + h.wallOff }

func (h *host) sun() *weather {
	if h.w.now >= h.sky.until || h.w.calm {
		h.sky = weather{}
	}
	return &h.sky
}

// delay is how long a message takes.
func (h *host) delay(r *rnd) int64 {
	d := r.span(50*usec, 400*usec)
	if s := h.sun(); r.chance(s.late) {
		h.w.count.Late++
		d += r.span(0, s.most)
	}
	return d
}

// hop is how long a request or an answer takes, false if it is lost.
func (h *host) hop(r *rnd) (int64, bool) {
	d := h.delay(r)
	if r.chance(h.sun().ask) {
		h.w.count.RequestsLost++
		return 0, false
	}
	return d, true
}

// deliver puts a stored message on its way to the process.
func (h *host) deliver(m *message) {
	if h.node == nil || !h.link.up {
		return
	}
	r := rnd{mix(uint64(m.uid)+h.w.seed, uint64(h.i))}
	copies := 1
	if s := h.sun(); r.chance(s.loss) {
		h.w.count.LiveLost++
		return
	} else if r.chance(s.double) {
		h.w.count.LiveDoubled++
		copies = 2
	}
	for range copies {
		h.w.at(h.w.now+h.delay(&r), h.node, &parcel{h, m, h.link.num}, 0)
	}
}

// parcel is a message of the live feed on its way.
type parcel struct {
	h    *host
	m    *message
	conn uint64
}

func (p *parcel) act(int) {
	if l := &p.h.link; l.num == p.conn && l.alive && p.h.node != nil {
		p.h.node.receive(p.m)
	}
}

// Codes of a host.
const (
	hostNotice = iota // the client finds its connection broken
	hostReach         // it tries to reach a server
	hostStart         // the process starts
)

func (h *host) act(code int) {
	switch code {
	case hostNotice:
		if h.link.alive || !h.link.up {
			return
		}
		h.link.up = false
		h.w.log(h.node, "finds its connection broken")
		h.node.news()
		h.w.at(max(h.w.now, h.cutUntil)+h.rng.span(msec, 100*msec), h.node, h, hostReach)
	case hostReach:
		h.reach()
	case hostStart:
		h.start()
	}
}

func (h *host) reach() {
	if h.link.up || h.node == nil {
		return
	}
	if h.w.now < h.cutUntil {
		h.w.at(h.cutUntil+h.rng.span(msec, 100*msec), h.node, h, hostReach)
		return
	}
	s := &h.w.server
	cutOff := s.cutOff != nil && h.rng.chance(3000)
	h.link = link{num: h.link.num + 1, up: true, alive: true, cutOff: cutOff}
	h.link.log = s.side(&h.link)
	h.w.count.Connects++
	h.w.log(h.node, "connected, number %d, old leader %v", h.link.num, cutOff)
	h.node.news()
}

// cut breaks the connection: nothing gets through, and the client finds out after a while.
func (h *host) cut(d, notice int64) {
	h.cutUntil = max(h.cutUntil, h.w.now+d)
	if !h.link.alive {
		return
	}
	h.link.alive = false
	h.w.count.Cuts++
	h.w.log(h.node, "cut off for %d ms", d/msec)
	if h.node != nil {
		h.w.at(h.w.now+notice+h.rng.span(0, 20*msec), h.node, h, hostNotice)
	}
}

// start begins a process: it knows nothing.
func (h *host) start() {
	if h.node != nil {
		return
	}
	h.lives++
	h.node = newNode(h)
	h.link.up, h.link.alive = false, false
	h.w.at(h.w.now+h.rng.span(msec, 20*msec), h.node, h, hostReach)
	h.node.begin()
}

// kill ends the process; it comes back after a while.
func (h *host) kill(down int64) {
	if h.node == nil || h.asleep() {
		return
	}
	h.w.log(h.node, "crashes")
	h.w.count.NodeCrashes++
	h.node.dead = true
	h.node = nil
	h.link.up, h.link.alive = false, false
	h.stopped = 0
	h.w.at(h.w.now+down, nil, h, hostStart)
}

// asleep says that the whole machine is suspended.
func (h *host) asleep() bool { return h.w.now < h.woke }

// stop keeps the process from running.
func (h *host) stop(d int64) {
	h.stopped = max(h.stopped, h.w.now+d)
	h.w.count.Stops++
	h.w.log(h.node, "stopped for %d ms", d/msec)
}

// suspend stops the whole machine and its monotonic clock.
func (h *host) suspend(d int64) {
	if h.stepped || h.stopped > h.w.now {
		return
	}
	h.stop(d)
	h.slept += d
	h.woke = h.w.now + d
	h.drowsy = true
	h.w.count.Suspends++
}

// step sets the wall clock.
func (h *host) step(d int64) {
	if h.drowsy {
		return
	}
	h.wallOff += d
	h.stepped = true
	h.w.count.WallSteps++
	h.w.log(h.node, "its wall clock steps by %d ms", d/msec)
}
