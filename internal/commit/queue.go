package commit

import (
	"container/heap"
	"errors"
	"time"
)

// Errors of Join.
var (
	ErrFull  = errors.New("too much is waiting to be published")
	ErrStorm = errors.New("more events a second than this publisher may send")
)

// Item is what is published. Two that are equal are one.
type Item interface {
	comparable
	Size() int // bytes it adds to an event
}

// Config of a Queue. All fields but Widen are required.
type Config[T Item] struct {
	MaxBatch  int           // bytes of a batch; a single larger item is one by itself
	MaxQueued int           // bytes of items that were not handed out yet; beyond it ErrFull
	MaxLanes  int           // batches under way at a time
	Rate      float64       // batches a second
	Burst     int           // batches at once, after a rest
	MaxWait   time.Duration // the longest a batch is put off for the sake of the rate; beyond it ErrStorm
	// Widen returns the one item that covers everything of a lane; it takes the place of what would be ErrStorm. nil: refuse.
	Widen func(lane string) T
}

// Queue of batches. It is not safe for concurrent use.
type Queue[T Item, V comparable, D any] struct {
	cfg    Config[T]
	lanes  map[string]*lane[T, V, D]
	ready  readyLanes[T, V, D]
	under  int   // batches under way
	queued int   // bytes waiting
	next   int64 // when the batch after all that were begun would be due if there were no burst
}

// Batch becomes one event.
type Batch[T Item, V comparable, D any] struct {
	Lane  string
	Voice V    // of all callers; the zero value where Wide
	Items []T  // read-only, and final once Next has handed the batch out
	Wide  bool // it says more than was asked for, because of a storm
	Data  D    // the owner's

	has     map[T]struct{}
	size    int
	due     int64
	callers int
}

// New returns an empty Queue.
func New[T Item, V comparable, D any](cfg Config[T]) *Queue[T, V, D] {
	return &Queue[T, V, D]{cfg: cfg, lanes: make(map[string]*lane[T, V, D])}
}

// Limit sets Config.MaxBatch for what is joined from now on. What was joined before stays as it is.
func (q *Queue[T, V, D]) Limit(bytes int) { q.cfg.MaxBatch = bytes }

// Join puts items into batches of the lane that were not handed out yet, and returns those, each once and with one caller
// more. Only items of equal voice share a batch. On ErrFull or ErrStorm what was joined so far is returned: leave it.
func (q *Queue[T, V, D]) Join(name string, voice V, items []T, now int64) ([]*Batch[T, V, D], error) {
	l := q.lanes[name]
	if l == nil {
		l = &lane[T, V, D]{open: make(map[V]*Batch[T, V, D]), of: make(map[said[T, V]]*Batch[T, V, D])}
	}
	var joined []*Batch[T, V, D]
	for _, item := range items {
		b, err := q.place(l, name, voice, item, now)
		if err != nil {
			return joined, err
		}
		if len(joined) == 0 || joined[len(joined)-1] != b {
			b.callers++
			joined = append(joined, b)
		}
	}
	return joined, nil
}

// place finds or begins the batch that carries item.
func (q *Queue[T, V, D]) place(l *lane[T, V, D], name string, voice V, item T, now int64) (*Batch[T, V, D], error) {
	if l.wide != nil {
		return l.wide, nil
	}
	if b := l.of[said[T, V]{item, voice}]; b != nil {
		return b, nil
	}
	b := l.open[voice]
	begin := b == nil || b.size+item.Size() > q.cfg.MaxBatch
	due, wide := int64(0), false
	if begin {
		due = max(q.next, now) - int64(float64(q.cfg.Burst-1)*q.period())
		if wide = due-now > q.cfg.MaxWait.Nanoseconds(); wide {
			if q.cfg.Widen == nil {
				return nil, ErrStorm
			}
			item = q.cfg.Widen(name)
		}
	}
	if q.queued+item.Size() > q.cfg.MaxQueued {
		return nil, ErrFull
	}
	if begin {
		b = &Batch[T, V, D]{Lane: name, Wide: wide, due: due}
		if wide {
			l.wide = b
		} else {
			b.Voice, b.has, l.open[voice] = voice, make(map[T]struct{}), b
		}
		q.next = max(q.next, now) + int64(q.period())
		q.append(l, name, b)
	}
	b.Items = append(b.Items, item)
	b.size += item.Size()
	q.queued += item.Size()
	if !b.Wide {
		b.has[item] = struct{}{}
		l.of[said[T, V]{item, voice}] = b
	}
	return b, nil
}

func (q *Queue[T, V, D]) period() float64 { return float64(time.Second) / q.cfg.Rate }

// append puts a new batch at its lane's end.
func (q *Queue[T, V, D]) append(l *lane[T, V, D], name string, b *Batch[T, V, D]) {
	q.lanes[name] = l
	l.waiting = append(l.waiting, b)
	if len(l.waiting) == 1 && !l.busy {
		heap.Push(&q.ready, l)
	}
}

// Next hands out the batch to publish now, nil if there is none. Then at says when to ask again, 0: after the next Join or
// Sent. A batch that nobody wants any more is dropped.
func (q *Queue[T, V, D]) Next(now int64) (b *Batch[T, V, D], at int64) {
	for len(q.ready) > 0 && q.under < q.cfg.MaxLanes {
		l := q.ready[0]
		if due := l.waiting[0].due; due > now {
			return nil, due
		}
		heap.Pop(&q.ready)
		b := l.take()
		q.queued -= b.size
		if b.callers > 0 {
			l.busy = true
			q.under++
			return b, 0
		}
		q.rest(b.Lane, l)
	}
	return nil, 0
}

// Sent says that the publish of a batch has ended, however it did: its lane may go on.
func (q *Queue[T, V, D]) Sent(b *Batch[T, V, D]) {
	l := q.lanes[b.Lane]
	l.busy = false
	q.under--
	q.rest(b.Lane, l)
}

// rest is for a lane that is not busy any more.
func (q *Queue[T, V, D]) rest(name string, l *lane[T, V, D]) {
	if len(l.waiting) == 0 {
		delete(q.lanes, name)
		return
	}
	heap.Push(&q.ready, l)
}

// Leave says that a caller no longer waits for what Join returned.
func (q *Queue[T, V, D]) Leave(joined []*Batch[T, V, D]) {
	for _, b := range joined {
		b.callers--
	}
}

// Wanted says whether anybody still waits for b.
func (q *Queue[T, V, D]) Wanted(b *Batch[T, V, D]) bool { return b.callers > 0 }
