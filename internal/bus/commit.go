package bus

import (
	"context"
	"errors"
	"sync"

	"go.opentelemetry.io/otel/propagation"

	"github.com/lethe-cache/lethe/pkg/event"
)

// Bounds of group commit.
const (
	lanesMost  = 64       // subjects published to at a time
	queuedMost = 16 << 20 // bytes of targets waiting to be sent
)

// commits gathers what is invalidated while a publish is under way: it becomes the next event of its subject. An idle lane
// sends at once.
type commits struct {
	mu     sync.Mutex // guards what follows, and the lanes and batches in it
	closed bool
	lanes  map[string]*lane
	queued int
	slots  chan struct{}
}

// lane is one subject with something to publish.
type lane struct{ waiting []*batch }

// batch is what becomes one event. All in it have the same voice, and none of it was sent yet: an equal target that was may
// have been applied before this one's change was committed.
type batch struct {
	voice   voice
	targets []event.Target
	has     map[event.Target]struct{}
	size    int
	trace   map[string]string // of the first caller
	callers int               // who still wait for it

	done  chan struct{} // closed when token and err stand
	token event.Token
	err   error
}

// voice is who says it and why: receivers see it, so events of two are not mixed.
type voice struct{ actorType, actorID, reason string }

// Invalidate publishes targets, which this node has fenced before. One event a subject and 40 KiB, joined with those of
// other callers while a publish is under way. ctx bounds the waiting only: what is being sent when it ends may still be
// stored, what nobody waits for any more is not sent. The token is the highest of the events that carried the targets; an
// error of sending wraps ErrNotPublished and comes with the token of what was sent. A target with an error of its own: that
// error, nothing is sent.
func (b *Bus) Invalidate(ctx context.Context, targets []event.Target) (event.Token, error) {
	groups, err := event.Group(targets...)
	if err != nil || len(groups) == 0 {
		return event.Token{}, err
	}
	var v voice
	v.actorType, v.actorID = event.ActorFrom(ctx)
	v.reason = event.ReasonFrom(ctx)
	trace := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, trace)

	var joined []*batch
	for _, g := range groups {
		more, err := b.join(g, v, trace)
		joined = append(joined, more...)
		if err != nil {
			b.leave(joined)
			return event.Token{}, err
		}
	}
	defer b.leave(joined)
	var sum tally
	for _, batch := range joined {
		select {
		case <-batch.done:
			sum.add(receipt{token: batch.token}, batch.err)
		case <-ctx.Done():
			select { // what is there is told all the same
			case <-batch.done:
				sum.add(receipt{token: batch.token}, batch.err)
			default:
				sum.add(receipt{}, ctx.Err())
			}
		}
	}
	token, _, err := sum.result()
	return token, err
}

// join puts targets of one subject into batches that are not sent yet.
func (b *Bus) join(targets []event.Target, v voice, trace map[string]string) ([]*batch, error) {
	c := &b.commits
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, ErrClosed
	}
	subject := targets[0].Subject()
	l, running := c.lanes[subject]
	if !running {
		l = &lane{}
	}
	var joined []*batch
	for _, t := range targets {
		at := l.place(t, v)
		if at == nil {
			at = &batch{voice: v, has: make(map[event.Target]struct{}), trace: trace, done: make(chan struct{})}
			l.waiting = append(l.waiting, at)
		}
		if len(joined) == 0 || joined[len(joined)-1] != at {
			at.callers++
			joined = append(joined, at)
		}
		if _, ok := at.has[t]; ok {
			continue
		}
		if c.queued+t.Size() > queuedMost {
			return joined, notPublished(errors.New("too much is waiting to be sent"))
		}
		at.has[t] = struct{}{}
		at.targets = append(at.targets, t)
		at.size += t.Size()
		c.queued += t.Size()
	}
	if !running {
		c.lanes[subject] = l
		b.wg.Go(func() { b.drive(subject, l) })
	}
	return joined, nil
}

// place finds the batch for t: one that has it, else the last if there is room.
func (l *lane) place(t event.Target, v voice) *batch {
	for _, at := range l.waiting {
		if at.voice != v {
			continue
		}
		if _, ok := at.has[t]; ok {
			return at
		}
	}
	if n := len(l.waiting); n > 0 {
		if at := l.waiting[n-1]; at.voice == v && (at.size == 0 || at.size+t.Size() <= event.MaxTargets) {
			return at
		}
	}
	return nil
}

// leave says that a caller no longer waits.
func (b *Bus) leave(joined []*batch) {
	b.commits.mu.Lock()
	defer b.commits.mu.Unlock()
	for _, at := range joined {
		at.callers--
	}
}

func (b *Bus) wanted(at *batch) bool {
	b.commits.mu.Lock()
	defer b.commits.mu.Unlock()
	return at.callers > 0
}

// next takes the batch that is sent next; none ends the lane.
func (b *Bus) next(subject string, l *lane) *batch {
	c := &b.commits
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(l.waiting) == 0 {
		delete(c.lanes, subject)
		return nil
	}
	at := l.waiting[0]
	l.waiting = l.waiting[1:]
	c.queued -= at.size
	return at
}

// drive sends the batches of one lane, one after the other.
func (b *Bus) drive(subject string, l *lane) {
	b.commits.slots <- struct{}{}
	defer func() { <-b.commits.slots }()
	for {
		at := b.next(subject, l)
		if at == nil {
			return
		}
		at.token, at.err = b.sendBatch(at)
		close(at.done)
	}
}

func (b *Bus) sendBatch(at *batch) (event.Token, error) {
	if b.life.Err() != nil {
		return event.Token{}, ErrClosed
	}
	if !b.wanted(at) {
		return event.Token{}, context.Canceled
	}
	e := event.Event{
		ID: event.NewID(), Source: b.cfg.Source, Targets: at.targets, Reason: at.voice.reason,
		ActorType: at.voice.actorType, ActorID: at.voice.actorID, Extensions: at.trace,
	}
	m, err := event.Encode(b.cfg.Fleet, e)
	if err != nil {
		return event.Token{}, err
	}
	if !b.cfg.PublishOnly {
		b.echoes.add(e.Source, e.ID)
	}
	r, err := b.publish(b.life, m, "", func() bool { return b.wanted(at) })
	if err != nil && b.life.Err() != nil {
		err = &joined{"the node is closing: " + err.Error(), []error{ErrClosed, err}}
	}
	return r.token, err
}

// close lets nothing more in; what waits is answered with ErrClosed when the life of the Bus has ended.
func (c *commits) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
}
