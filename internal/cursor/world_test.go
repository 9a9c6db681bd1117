package cursor_test

import (
	"fmt"
	"slices"
	"time"

	"github.com/lethe-cache/lethe/internal/cursor"
)

const (
	ms           = int64(time.Millisecond)
	maxStaleness = 10 * int64(time.Second)
)

// stored is one message that some stream has or had: the naive model knows when it was really stored and whether the node
// has it.
type stored struct {
	cursor.Message
	at   int64 // when it was stored
	done bool  // applied by the node, or fenced after it was stored
	id   string
	lost bool // says that sequences were reused
}

// stream is the server: a log and nothing else.
type stream struct {
	epoch string
	first uint64
	log   []*stored // contiguous, the last has sequence first+len-1 of all, kept or not
	kept  int       // index of the first that is kept
}

func (s *stream) last() uint64 { return s.first + uint64(len(s.log)) - 1 }

func (s *stream) info(asked int64) cursor.Info {
	in := cursor.Info{Epoch: s.epoch, First: s.first + uint64(s.kept), Last: s.last(), Asked: asked}
	if s.kept < len(s.log) {
		in.LastTime = s.log[len(s.log)-1].Time
	}
	return in
}

func (s *stream) clone() *stream {
	c := *s
	c.log = slices.Clone(s.log)
	return &c
}

// job is an Action that takes its time: first the server does its part, then the node hears of it.
type job struct {
	cursor.Action
	at     int64 // when it was sent
	ticket cursor.Ticket
	served bool
	info   cursor.Info
	found  []*stored
	seq    uint64
	dup    bool
	ok     bool
}

// flight is a message of the live feed on its way.
type flight struct {
	*stored
	conn uint64
}

// world is a server, a network and a node, driven step by step.
type world struct {
	now, skew int64 // skew of the server's clock
	asleep    int64 // how long the machine was suspended: the wall clock went on
	unique    int64

	real  *stream
	stale *stream // what the node's side of a partition sees; nil = there is none
	all   []*stored

	follower *cursor.Follower
	conn     uint64
	up       bool
	number   uint64
	flights  []*flight
	jobs     []*job
	position uint64 // the cursor as last looked at
	resets   []cursor.Cause
	granted  int64 // the lease as the owner was told
	lag      uint64
	lostOwn  map[*stored]bool
	broken   error // the first that check found while settling
}

func newWorld() *world {
	w := &world{now: int64(time.Second), lostOwn: map[*stored]bool{}}
	w.real = &stream{epoch: "e1", first: 1}
	w.follower = cursor.New(cursor.Config{MaxStaleness: time.Duration(maxStaleness), Backlog: 200, Held: 20}, w.now, w.now)
	return w
}

// view is the stream as the node's side has it.
func (w *world) seen() *stream {
	if w.stale != nil {
		return w.stale
	}
	return w.real
}

// store appends to the real stream and puts a copy on the feed.
func (w *world) store(id string) *stored {
	w.unique++
	m := &stored{Message: cursor.Message{Seq: w.real.last() + 1, Time: w.now + w.skew + w.unique}, at: w.now, id: id}
	w.real.log = append(w.real.log, m)
	w.all = append(w.all, m)
	if w.up && w.stale == nil {
		w.fly(m)
	}
	return m
}

func (w *world) fly(m *stored) {
	w.flights = append(w.flights, &flight{stored: m, conn: w.conn})
}

// deliver hands the flight at i to the node: applied first, accounted for then.
func (w *world) deliver(i int) {
	f := w.flights[i]
	w.flights = slices.Delete(w.flights, i, i+1)
	w.number++
	f.done = true
	if f.lost {
		w.do(w.follower.Lost(f.Seq, w.lostOwn[f.stored], w.now))
	}
	w.do(w.follower.Live(cursor.Arrival{Message: f.Message, At: w.now, Conn: f.conn, Number: w.number}, w.now))
}

// do performs Actions. What takes time becomes a job.
func (w *world) do(as []cursor.Action) {
	for _, a := range slices.Clone(as) {
		switch a.Do {
		case cursor.Fence:
			for _, m := range w.all {
				m.done = true
			}
		case cursor.Grant:
			w.granted = a.End
		case cursor.Done:
			w.resets = append(w.resets, a.Cause)
			w.position = 0
		default:
			w.jobs = append(w.jobs, &job{Action: a, at: w.now, ticket: w.follower.View().Sending(w.now)})
		}
	}
}

// serve lets the server do its part of j.
func (w *world) serve(j *job) {
	s := w.seen()
	j.served, j.ok = true, true
	switch j.Do { //nolint:exhaustive // the others are done at once
	case cursor.Ask:
		j.info = s.info(j.at)
	case cursor.Fetch:
		for _, m := range s.log[min(s.kept, len(s.log)):] {
			if m.Seq >= j.From && m.Seq+w.lag <= s.last() && len(j.found) < min(10, j.Messages) {
				j.found = append(j.found, m)
			}
		}
	case cursor.Tick:
		id := fmt.Sprint("tick-", (w.now+w.asleep)/int64(time.Second))
		if j.Fresh {
			id = fmt.Sprint("own-", j.ID)
		}
		for _, m := range s.log {
			if m.id == id {
				j.seq, j.dup = m.Seq, true
				return
			}
		}
		if w.stale != nil {
			j.ok = false // no quorum
			return
		}
		m := w.store(id)
		j.seq, m.lost = m.Seq, j.Lost
		w.lostOwn[m] = j.Lost
	}
}

// report tells the node of a served job.
func (w *world) report(i int) {
	j := w.jobs[i]
	w.jobs = slices.Delete(w.jobs, i, i+1)
	f := w.follower
	switch j.Do { //nolint:exhaustive // the others are done at once
	case cursor.Ping:
		w.do(f.Pong(j.ID, w.number, j.ok, w.now))
	case cursor.Ask:
		j.info.At = w.now
		w.do(f.Answered(j.ID, j.info, j.ok, w.now))
	case cursor.Fetch:
		var found []cursor.Message
		for _, m := range j.found {
			if !f.Seen(m.Message) {
				m.done = true
				if m.lost {
					w.do(f.Lost(m.Seq, w.lostOwn[m], w.now))
				}
			}
			found = append(found, m.Message)
		}
		w.do(f.Fetched(j.ID, found, j.ok, w.now))
	case cursor.Tick:
		w.do(f.Ticked(j.ID, j.ticket, j.seq, j.dup, j.ok, w.now))
	}
}

func (w *world) connect() {
	w.conn++
	w.up = true
	w.do(w.follower.Connected(w.conn, w.now))
}

// disconnect loses what is on the way, in both directions; what a server has done stays done.
func (w *world) disconnect() {
	w.up, w.stale = false, nil
	w.flights, w.jobs = nil, nil
	w.do(w.follower.Disconnected(w.now))
}

func (w *world) beat(d int64) {
	w.now += d
	w.do(w.follower.Beat(w.now, w.now+w.asleep))
}

// settle lets a healthy network work for d, everything in order.
func (w *world) settle(d int64) {
	for end := w.now + d; w.now < end; w.beat(10 * ms) {
		for len(w.flights) > 0 || len(w.jobs) > 0 {
			for len(w.flights) > 0 {
				w.deliver(0)
			}
			if len(w.jobs) > 0 {
				w.serve(w.jobs[0])
				for len(w.flights) > 0 {
					w.deliver(0)
				}
				w.report(0)
			}
		}
		if err := w.check(); err != nil {
			w.broken = err
		}
	}
}

// check is what must hold at every moment.
func (w *world) check() error {
	if w.broken != nil {
		return w.broken
	}
	v := w.follower.View()
	if v.Standing && v.Epoch == w.real.epoch {
		for _, m := range w.real.log {
			if m.Seq > w.position && m.Seq <= v.Cursor && !m.done {
				return fmt.Errorf("the cursor went from %d to %d over %d, which was never applied", w.position, v.Cursor, m.Seq)
			}
		}
		w.position = v.Cursor
	}
	if w.granted != v.End {
		return fmt.Errorf("the owner was told of a lease until %d, it ends at %d", w.granted, v.End)
	}
	for _, m := range w.real.log {
		if !m.done && v.End != 0 && v.End > m.at+maxStaleness {
			return fmt.Errorf("message %d, stored at %d, is not applied, and the lease ends at %d, %v too late",
				m.Seq, m.at, v.End, time.Duration(v.End-m.at-maxStaleness))
		}
	}
	return nil
}
