package sim

import (
	"fmt"

	"github.com/lethe-cache/lethe/internal/cursor"
)

// server is the cluster that has the stream. A leader that was cut off from the others goes on answering from what it had.
type server struct {
	w      *world
	real   *log // what a majority has; nil = there is no stream
	cutOff *log // what a leader without a quorum has; nil = there is none
	skew   int64
	unique int64
	epochs int
	top    uint64 // the highest sequence ever given
	outage int64  // until then there is no leader
	dying  int64  // until then what is stored is not republished: its leader is about to die
	lag    int    // messages by which the replica that answers Direct Get lags behind
	lagFor int64  // until then
	again  int    // the last epoch that an admin has begun with numbers that were given before
}

func (s *server) wall() int64 { return epoch + s.w.now + s.skew }

// create makes the stream anew, with numbers from first on.
func (s *server) create(first uint64) {
	s.epochs++
	s.real = newLog(fmt.Sprintf("e%d", s.epochs), first)
	if first <= s.top {
		s.again = s.epochs
	}
	s.w.log(nil, "stream %s created, from %d", s.real.epoch, first)
	for _, h := range s.w.hosts {
		if h.link.alive && !h.link.cutOff {
			h.link.log = s.real
		}
	}
}

// ensure is a node that wants the stream to be there: it begins above all that the node has seen, and above the milliseconds.
func (s *server) ensure(seen uint64) {
	if s.real == nil {
		s.w.count.Created++
		s.create(max(seen+1, uint64(s.wall()/msec)))
	}
}

// store appends a copy of m, or returns the one that has its id already. What is stored is republished.
func (s *server) store(m message) (stored *message, duplicate bool) {
	l := s.real
	if have := l.ids[m.id]; have != nil && m.id != 0 {
		s.w.count.Duplicates++
		return have, true
	}
	s.unique++
	m.seq, m.at, m.time = l.last()+1, s.w.now, s.wall()+s.unique
	m.silent = s.w.now < s.dying
	p := &m
	l.msgs = append(l.msgs, p)
	if m.id != 0 {
		l.ids[m.id] = p
	}
	s.top = max(s.top, m.seq)
	s.w.truth.stored(p)
	s.w.count.Stored++
	s.w.log(nil, "stored %d (%s) %s", p.seq, l.epoch, p)
	if m.silent {
		s.w.count.Silent++
		return p, false
	}
	for _, h := range s.w.hosts {
		if h.link.alive && !h.link.cutOff {
			h.deliver(p)
		}
	}
	return p, false
}

func (m *message) String() string {
	switch m.kind {
	case sysTick:
		return "tick"
	case sysLost:
		return "lost"
	default:
		return fmt.Sprintf("event %d of %d: %v %v", m.ev, m.source, m.targets, m.claims)
	}
}

// led says whether somebody answers for the stream to who is connected by link: the leader, or one that takes itself for it.
func (s *server) led(l *link) bool { return l.cutOff || s.w.now < s.dying || s.w.now >= s.outage }

// side is the stream as link shows it; nil = there is none.
func (s *server) side(l *link) *log {
	if l.cutOff {
		return s.cutOff
	}
	return s.real
}

// crash takes the last n messages with it; their numbers are given anew.
func (s *server) crash(n int, skew, down int64) {
	s.heal()
	s.w.count.ServerCrashes++
	if s.real != nil {
		n = min(n, len(s.real.msgs))
		lost := s.real.msgs[len(s.real.msgs)-n:]
		s.w.truth.vanish(lost)
		if n > 0 {
			s.w.witness(lost)
		}
		s.w.count.Vanished += uint64(n)
		s.real = s.real.without(n)
	}
	s.skew = skew
	s.w.log(nil, "the server crashes, %d messages are lost, skew %d ms", n, skew/msec)
	for _, h := range s.w.hosts {
		h.cut(down, 0)
	}
}

// part leaves some machines with a leader that has lost its quorum.
func (s *server) part(who int) {
	if s.cutOff != nil || s.real == nil {
		return
	}
	s.cutOff = s.real.without(0)
	s.cutOff.quorum = false
	s.w.count.Partitions++
	for i, h := range s.w.hosts {
		if who&(1<<i) != 0 && h.link.alive {
			h.link.cutOff, h.link.log = true, s.cutOff
			s.w.log(nil, "machine %d is left with the old leader", i)
		}
	}
}

func (s *server) heal() {
	if s.cutOff == nil {
		return
	}
	s.cutOff = nil
	s.w.log(nil, "the partition heals")
	for _, h := range s.w.hosts {
		if h.link.cutOff {
			h.link.cutOff, h.link.log = false, s.real
			h.slackUntil = s.w.now + 3*s.w.cl.staleness
		}
	}
}

// find is Direct Get.
func (s *server) find(l *link, from uint64, most int) []*message {
	log := s.side(l)
	if log == nil {
		return nil
	}
	lag := 0
	if s.w.now < s.lagFor {
		lag = s.lag
	}
	return log.read(from, min(s.w.cl.fetch, most), lag)
}

// ask is STREAM.INFO; false: there is no stream.
func (s *server) ask(l *link) (cursor.Info, bool) {
	log := s.side(l)
	if log == nil {
		return cursor.Info{}, false
	}
	return log.info(), true
}
