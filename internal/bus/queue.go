package bus

import "sync/atomic"

// Bounds of the queue between the client's callback, which may not block, and whoever has the turn to deal with what is in it.
const (
	queueLen   = 8192
	queueBytes = 32 << 20
)

// queue is that queue. What does not fit is a hole in the feed, and healed like one.
type queue struct {
	ch    chan Arrival
	wake  chan struct{} // something may be in it, and nobody at it
	bytes atomic.Int64
	full  atomic.Bool
}

func newQueue() *queue {
	return &queue{ch: make(chan Arrival, queueLen), wake: make(chan struct{}, 1)}
}

// poke has the loop look at the queue.
func (q *queue) poke() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// empty says whether there is nothing to do.
func (q *queue) empty() bool { return len(q.ch) == 0 && !q.full.Load() }

func (q *queue) put(a Arrival) {
	n := int64(len(a.Data))
	if q.bytes.Add(n) <= queueBytes {
		select {
		case q.ch <- a:
			return
		default:
		}
	}
	q.bytes.Add(-n)
	q.full.Store(true)
}

func (q *queue) took(a Arrival) { q.bytes.Add(-int64(len(a.Data))) }

// overflowed says whether something was dropped since the last call, and if so drops the rest as well: it has to be fetched
// anyway, and there is no catching up with a queue that is full.
func (q *queue) overflowed() bool {
	if !q.full.Swap(false) {
		return false
	}
	for {
		select {
		case a := <-q.ch:
			q.took(a)
		default:
			return true
		}
	}
}
