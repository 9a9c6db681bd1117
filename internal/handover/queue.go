package handover

import (
	"sync"
	"time"
)

// Queue runs what it is given, one after the other, on a goroutine of its own, which is there only while there is something to do.
// All methods are safe for concurrent use.
type Queue struct {
	most int

	mu      sync.Mutex // guards what follows
	waiting []func()
	done    chan struct{} // closed when the present goroutine has ended; nil = none
	closed  bool
	dropped uint64
}

// New returns a Queue in which at most so many wait.
func New(most int) *Queue { return &Queue{most: most} }

// Do has fn run soon. It never waits: false means that fn is dropped, since too many wait, or after Close.
func (q *Queue) Do(fn func()) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || len(q.waiting) >= q.most {
		q.dropped++
		return false
	}
	q.waiting = append(q.waiting, fn)
	if q.done == nil {
		q.start()
	}
	return true
}

// Dropped is how many were dropped since it was called last.
func (q *Queue) Dropped() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := q.dropped
	q.dropped = 0
	return n
}

// Close lets nothing more in and returns when all that waited was run, or after d: then what has not begun is dropped, and false says
// that one is still running. Its goroutine ends with it.
func (q *Queue) Close(d time.Duration) bool {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	late := time.NewTimer(d)
	defer late.Stop()
	for {
		q.mu.Lock()
		done := q.done
		q.mu.Unlock()
		if done == nil {
			return true
		}
		select {
		case <-done:
		case <-late.C:
			q.mu.Lock()
			q.dropped += uint64(len(q.waiting))
			q.waiting = nil
			q.mu.Unlock()
			return false
		}
	}
}

// start begins the goroutine, with the lock held.
func (q *Queue) start() {
	q.done = make(chan struct{})
	go q.run(q.done)
}

func (q *Queue) run(done chan struct{}) {
	defer func() { // also where what it ran has ended the goroutine
		q.mu.Lock()
		defer q.mu.Unlock()
		if q.done = nil; len(q.waiting) > 0 {
			q.start()
		}
		close(done)
	}()
	for {
		q.mu.Lock()
		if len(q.waiting) == 0 {
			q.mu.Unlock()
			return
		}
		fn := q.waiting[0]
		q.waiting[0] = nil
		q.waiting = q.waiting[1:]
		q.mu.Unlock()
		fn()
	}
}
