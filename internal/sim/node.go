package sim

import (
	"sync/atomic"
	"time"

	"github.com/lethe-cache/lethe/internal/commit"
	"github.com/lethe-cache/lethe/internal/cursor"
	"github.com/lethe-cache/lethe/internal/depend"
	"github.com/lethe-cache/lethe/internal/fence"
	"github.com/lethe-cache/lethe/internal/flight"
)

// node is one process: the real state machines, and around them what pkg/lethe and internal/bus do, in their order, each step of
// theirs an event of its own.
type node struct {
	w    *world
	h    *host
	life int
	dead bool
	rng  rnd

	fence  *fence.Fence
	gate   fence.Gate
	lease  atomic.Int64
	graph  flight.Graph
	groups [2]*flight.Group[int, *outcome]
	hot    [things]*entry
	bulk   [things]*entry
	flown  []*flown
	stall  bool // the reader that checks now may be stopped before it reads the time

	follower *cursor.Follower
	loop     loop
	view     cursor.View // what the loop shows to everybody else
	waiters  []*waiting
	commits  *commit.Queue[target, int, *sending]
	pumpAt   int64
	writers  []*writing // who have called and not got their answer
	echoes   echoes

	truth  known
	resets int // or rather their fences
}

// known is what the truth knows of a node.
type known struct {
	low        int // every message before it was applied or fenced, or has vanished
	ahead      map[int]struct{}
	hard, soft [things]int32 // when what is loaded for it was last forgotten
	must       [rows]int32   // versions that a Wait has promised
	position   uint64
}

const beatEvery = 100 * msec

func newNode(h *host) *node {
	cl := h.w.cl
	n := &node{w: h.w, h: h, life: h.lives, rng: rnd{mix(h.rng.u64(), uint64(h.lives))}}
	n.fence = fence.New(fence.Config{
		Slots: cl.slots, MaxLabels: cl.maxLabels, Rotate: time.Duration(max(cl.maxTTL, cl.maxLoad) + sec),
	}, h.mono())
	n.gate = fence.Gate{Fence: n.fence, Lease: &n.lease, Now: n.clock}
	for i := range n.groups {
		n.groups[i] = flight.NewGroup[int, *outcome](&n.graph, n.fence.Clock, n.fenced)
	}
	n.follower = cursor.New(cursor.Config{
		MaxStaleness: time.Duration(cl.staleness), Tick: tick, Reorder: time.Duration(cl.reorder), Backlog: cl.backlog, Held: cl.held,
		Jitter: n.rng.unit,
	}, h.mono(), h.wall())
	cfg := commit.Config[target]{
		MaxBatch: 5 * 24, MaxQueued: 40 * 24, MaxLanes: 2, Rate: cl.rate, Burst: 1 + int(cl.rate), MaxWait: time.Second,
	}
	if cl.widen {
		cfg.Widen = widest
	}
	n.commits = commit.New[target, int, *sending](cfg)
	n.loop.beaten = h.mono()
	n.truth.ahead = map[int]struct{}{}
	h.w.count.Starts++
	return n
}

// fenced reports whether no value of thing that was born at start is valid any more.
func (n *node) fenced(thing int, start uint64) bool {
	names := n.w.cl.names
	return n.fence.Check(start, names.key[thing].Hash, names.function[function(thing)].Hash, depend.All().Hash) != fence.Fresh
}

func (n *node) begin() {
	n.w.log(n, "starts")
	n.rearm()
}

// clock is the monotonic clock, as the gate reads it: a reader may be stopped right before, for as long as anything lasts.
func (n *node) clock() int64 {
	if n.stall && !n.w.stalled && !n.w.calm {
		most, chance := []int64{msec, 200 * msec, 15 * sec}[n.rng.below(3)], n.w.cl.stalls
		if n.lease.Load() <= n.h.mono() { // what a lease that comes meanwhile would change
			most, chance = 3*sec, 4*chance
		}
		if n.rng.chance(chance) {
			n.stopReader(n.rng.span(0, most))
		}
	}
	return n.h.mono()
}

// stopReader lets the world go on without the reader.
func (n *node) stopReader(d int64) {
	w := n.w
	w.stalled = true
	w.count.Stalls++
	for till := w.now + d; ; till = n.h.stopped {
		for w.next(till) {
		}
		w.now = max(w.now, till)
		if n.dead || n.h.stopped <= w.now {
			break
		}
	}
	w.stalled = false
}

// Codes of a node.
const (
	nodeLoop = iota // the loop does one thing
	nodeCall        // the client calls back with one message
	nodeTimer
	nodePump
)

func (n *node) act(code int) {
	switch code {
	case nodeLoop:
		n.turn()
	case nodeCall:
		n.callback()
	case nodeTimer:
		n.timer()
	case nodePump:
		n.pump()
	}
}

// forget raises the fences of targets: the soft ones with one stamp, then the hard ones with another.
func (n *node) forget(targets []target, soft bool) {
	var room [24]uint64
	hashes := room[:0]
	for _, t := range targets {
		if t.soft == soft {
			hashes = append(hashes, t.hashes(n.w.cl.names)...)
		}
	}
	if len(hashes) == 0 {
		return
	}
	n.fence.Invalidate(n.h.mono(), soft, hashes...)
	n.w.count.Fences++
	at := n.w.mark()
	for _, t := range targets {
		if t.soft != soft {
			continue
		}
		for thing := range things {
			if !t.covers(thing, &n.w.graph) {
				continue
			}
			if soft {
				n.truth.soft[thing] = at
			} else {
				n.truth.hard[thing] = at
			}
		}
	}
}

// fenceAll forgets everything: all that is stored by now counts as applied.
func (n *node) fenceAll() {
	l := depend.All()
	n.fence.Invalidate(n.h.mono(), false, l.Hash, l.Any, depend.GlobalAny())
	at := n.w.mark()
	for thing := range things {
		n.truth.hard[thing] = at
	}
	n.truth.low = len(n.w.truth.all)
	clear(n.truth.ahead)
	n.w.log(n, "fences all")
}

// applied notes that the node has a message.
func (n *node) applied(m *message) {
	t := &n.truth
	if m.uid < t.low {
		return
	}
	t.ahead[m.uid] = struct{}{}
	for t.low < len(n.w.truth.all) {
		if _, ok := t.ahead[t.low]; !ok && !n.w.truth.all[t.low].vanished {
			break
		}
		delete(t.ahead, t.low)
		t.low++
	}
}

func (n *node) has(m *message) bool {
	if m.uid < n.truth.low {
		return true
	}
	_, ok := n.truth.ahead[m.uid]
	return ok
}

// echoes are the events this node fenced before it published them.
type echoes struct {
	ids   map[uint64]struct{}
	order []uint64
}

const echoesMost = 64

func (e *echoes) add(id uint64) {
	if e.ids == nil {
		e.ids = map[uint64]struct{}{}
	}
	e.ids[id] = struct{}{}
	e.order = append(e.order, id)
	for len(e.ids) > echoesMost || len(e.order) > 2*echoesMost {
		delete(e.ids, e.order[0])
		e.order = e.order[1:]
	}
}

func (e *echoes) take(id uint64) bool {
	_, ok := e.ids[id]
	delete(e.ids, id)
	return ok
}

func (e *echoes) forget() { e.ids, e.order = nil, nil }
