package lethe

import (
	"container/list"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lethe-cache/lethe/internal/flight"
)

// Times of a surge.
const (
	surgeLasts = 10 * time.Second
	surgeEases = time.Second // how often the bound doubles afterwards, while loads still wait
)

// surge is when loads are bounded: from a Reset, which makes all that is cached worthless at one stroke, and anew from the
// first lease after it, since without one every read is a load.
type surge struct {
	calm     atomic.Int64 // when it is over, on the node's clock
	unleased bool         // since the Reset; of the bus's goroutine alone
}

// reset begins a surge.
func (s *surge) reset(now int64) {
	s.unleased = true
	s.calm.Store(now + int64(surgeLasts))
}

// leased tells of a lease.
func (s *surge) leased(now int64) {
	if s.unleased {
		s.unleased = false
		s.calm.Store(now + int64(surgeLasts))
	}
}

// herd bounds how many loads of one function run at once in a surge: those that no other load asked for take places, first come
// first served, and the others wait. A load that another load waits for never waits for a place, else loads that have places
// could wait for loads that have none. When a surge is over and loads still wait, the bound doubles every second: demand that is
// higher than the bound can carry must not starve for ever. It is a state machine; time comes with each call, and calm is when
// the surge is over.
type herd struct {
	most int // Config.MaxLoads

	mu      sync.Mutex // guards what follows
	running int        // loads that have places, whether they had to wait or not
	queue   list.List  // of *place
	queued  map[*flight.Load]*place
	needed  map[*flight.Load]int // by how many reads of other loads
}

// place is one load's place.
type place struct {
	load *flight.Load
	turn chan struct{} // closed when a load that had to wait may run
	at   *list.Element // in the queue; nil when it has run or left
}

// enter asks for a place for l and reports whether it has to wait for p.turn. Each enter is followed by one leave.
func (h *herd) enter(p *place, l *flight.Load, now, calm int64) (wait bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.needed[l] > 0 || h.queue.Len() == 0 && h.running < h.bound(now, calm) {
		h.running++
		return false
	}
	if h.queued == nil {
		h.queued = map[*flight.Load]*place{}
	}
	p.load, p.turn = l, make(chan struct{})
	p.at = h.queue.PushBack(p)
	h.queued[l] = p
	h.fill(now, calm)
	return p.at != nil
}

// leave gives a place back, or gives up waiting for one.
func (h *herd) leave(p *place, now, calm int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if p.at != nil {
		h.dequeue(p)
	} else {
		h.running--
	}
	h.fill(now, calm)
}

// need says that a load waits for l: it may run at once, over the bound. It holds until spare.
func (h *herd) need(l *flight.Load) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.needed == nil {
		h.needed = map[*flight.Load]int{}
	}
	h.needed[l]++
	if p := h.queued[l]; p != nil {
		h.run(p)
	}
}

// spare ends one need.
func (h *herd) spare(l *flight.Load) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.needed[l]--
	if h.needed[l] <= 0 {
		delete(h.needed, l)
	}
}

// ease lets those run whom only time has given a place.
func (h *herd) ease(now, calm int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.fill(now, calm)
}

// waiting is how many loads wait for a place.
func (h *herd) waiting() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.queue.Len()
}

// bound is how many may run at a time.
func (h *herd) bound(now, calm int64) int {
	if now < calm {
		return h.most
	}
	doubled := (now-calm)/int64(surgeEases) + 1
	if h.queue.Len() == 0 || doubled > 30 || h.most > math.MaxInt>>doubled {
		return math.MaxInt
	}
	return h.most << doubled
}

func (h *herd) fill(now, calm int64) {
	for h.queue.Len() > 0 && h.running < h.bound(now, calm) {
		p, _ := h.queue.Front().Value.(*place)
		h.run(p)
	}
}

func (h *herd) run(p *place) {
	h.dequeue(p)
	h.running++
	close(p.turn)
}

func (h *herd) dequeue(p *place) {
	h.queue.Remove(p.at)
	p.at = nil
	delete(h.queued, p.load)
}
