package sim

import (
	"sort"

	"github.com/lethe-cache/lethe/internal/cursor"
)

// sys says what a message of the nodes' own is.
type sys uint8

const (
	event0 sys = iota // an invalidation
	sysTick
	sysLost
)

// claim says that whoever has applied an event knows at least this version of a row.
type claim struct {
	row  int
	ver  int32
	soft bool
}

// message is what was sent to be stored; each attempt that is stored is one of its own.
type message struct {
	uid     int // how many were stored before
	seq     uint64
	time    int64  // as the server stamped it
	at      int64  // when it was stored
	id      uint64 // the server drops a second one of this id; 0 = none
	ev      uint64 // id of the event
	source  int    // machine that says it; -1: somebody else
	kind    sys
	targets []target
	claims  []claim
	silent  bool // its leader died before it was republished

	vanished    bool // the servers have lost it
	known, firm [rows]int32
}

func (m *message) cursor() cursor.Message { return cursor.Message{Seq: m.seq, Time: m.time} }

// tickID is the message id that all ticks of a second share.
func tickID(wall int64) uint64 { return 1<<63 | uint64(wall/int64(tick)) }

// log is one copy of the stream as a leader has it.
type log struct {
	epoch  string
	first  uint64 // sequence of msgs[0]
	msgs   []*message
	gone   map[uint64]bool // taken out by an admin
	kept   int             // index of the first that is kept
	ids    map[uint64]*message
	quorum bool // it can store something
}

func newLog(epoch string, first uint64) *log {
	return &log{epoch: epoch, first: first, ids: map[uint64]*message{}, gone: map[uint64]bool{}, quorum: true}
}

func (l *log) last() uint64 { return l.first + uint64(len(l.msgs)) - 1 }

// get returns the message that has, or had, the sequence.
func (l *log) get(seq uint64) *message {
	if seq < l.first || seq > l.last() {
		return nil
	}
	return l.msgs[seq-l.first]
}

// info is the leader's word.
func (l *log) info() cursor.Info {
	in := cursor.Info{Epoch: l.epoch, First: l.first + uint64(l.kept), Last: l.last()}
	if n := len(l.msgs); l.kept < n && !l.gone[l.last()] {
		in.LastTime = l.msgs[n-1].time
	}
	return in
}

// read returns stored messages from a sequence on, at most n, as a replica that lags would.
func (l *log) read(from uint64, n, lag int) []*message {
	var found []*message
	i := max(l.kept, int(max(from, l.first)-l.first))
	for ; i < len(l.msgs)-lag && len(found) < n; i++ {
		if m := l.msgs[i]; !l.gone[m.seq] {
			found = append(found, m)
		}
	}
	return found
}

// without returns a copy that has lost its last n messages.
func (l *log) without(n int) *log {
	c := newLog(l.epoch, l.first)
	c.msgs = append(c.msgs, l.msgs[:len(l.msgs)-n]...)
	c.kept = min(l.kept, len(c.msgs))
	for seq := range l.gone {
		if seq <= c.last() {
			c.gone[seq] = true
		}
	}
	for id, m := range l.ids {
		if m.seq <= c.last() {
			c.ids[id] = m
		}
	}
	return c
}

// truth is what was really stored and when.
type truth struct{ all []*message }

// stored notes a message: from now on it counts against every bound.
func (t *truth) stored(m *message) {
	m.uid = len(t.all)
	t.all = append(t.all, m)
	t.sum(m)
}

// sum is what has to be known once m is: known of fresh values, firm also of stale ones.
func (t *truth) sum(m *message) {
	m.known, m.firm = [rows]int32{}, [rows]int32{}
	if m.uid > 0 {
		before := t.all[m.uid-1]
		m.known, m.firm = before.known, before.firm
	}
	if m.vanished {
		return
	}
	for _, c := range m.claims {
		m.known[c.row] = max(m.known[c.row], c.ver)
		if !c.soft {
			m.firm[c.row] = max(m.firm[c.row], c.ver)
		}
	}
}

// vanish is for a message that the servers have lost: nobody has to know what it said.
func (t *truth) vanish(ms []*message) {
	if len(ms) == 0 {
		return
	}
	for _, m := range ms {
		m.vanished = true
	}
	for _, m := range t.all[ms[0].uid:] {
		t.sum(m)
	}
}

// before returns the last message stored at or before a moment, nil if there is none.
func (t *truth) before(at int64) *message {
	n := sort.Search(len(t.all), func(i int) bool { return t.all[i].at > at })
	if n == 0 {
		return nil
	}
	return t.all[n-1]
}
