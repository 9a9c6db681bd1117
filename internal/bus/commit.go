package bus

import (
	"context"
	"errors"
	"maps"
	"math"
	"sync"
	"time"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/lethe-cache/lethe/internal/commit"
	"github.com/lethe-cache/lethe/pkg/event"
)

// Bounds of group commit.
const (
	lanesMost  = 64          // subjects published to at a time
	queuedMost = 16 << 20    // bytes of targets waiting to be sent
	pacedMost  = time.Second // an event is put off for the sake of the rate
	pacedEvery = 10 * time.Millisecond
)

// commits gathers what is invalidated while a publish is under way: it becomes the next event of its subject. An idle
// subject is sent at once.
type commits struct {
	mu     sync.Mutex // guards what follows, and the batches in it
	closed bool
	queue  *commit.Queue[event.Target, voice, *sending]
	timed  bool // a goroutine waits for a batch to be due
}

type batch = commit.Batch[event.Target, voice, *sending]

// sending is what the callers of a batch wait for.
type sending struct {
	trace map[string]string // of the first caller
	done  chan struct{}     // closed when token and err stand
	token event.Token
	err   error
}

// voice is who says it, why, and as the consequence of what: receivers see it, so events of two are not mixed. An event that a
// storm has widened has none of it: it says more than any of its callers, and no receiver may miss it.
type voice struct{ actorType, actorID, claim, reason, cause, receivers string }

// extensions are the attributes of an event by v beside those of its trace.
func (v voice) extensions(traced map[string]string) map[string]string {
	if v.cause == "" && v.receivers == "" && v.claim == "" {
		return traced
	}
	all := make(map[string]string, len(traced)+3)
	maps.Copy(all, traced)
	if v.cause != "" {
		all[event.AttributeCausation] = v.cause
	}
	if v.receivers != "" {
		all[event.AttributeReceivers] = v.receivers
	}
	if v.claim != "" {
		all[event.AttributeClaim] = v.claim
	}
	return all
}

func (c *commits) init(cfg *Config) {
	q := commit.Config[event.Target]{
		MaxBatch: event.MaxTargets, MaxQueued: queuedMost, MaxLanes: lanesMost,
		Rate: float64(cfg.MaxEvents), Burst: cfg.MaxEvents, MaxWait: pacedMost,
	}
	if cfg.WidenStorms {
		q.Widen = event.Widest
	}
	c.queue = commit.New[event.Target, voice, *sending](q)
}

// Invalidate publishes targets, which this node has fenced before. One event a subject and 40 KiB (less where the server's
// max_payload is small), joined with those of other callers while a publish is under way. One target over max_payload is TooLarge. ctx bounds the waiting only: what is being sent when it ends may still be
// stored, what nobody waits for any more is not sent. The token is the highest of the events that carried the targets; an
// error of sending wraps ErrNotPublished and comes with the token of what was sent. A target with an error of its own: that
// error, nothing is sent. Over Config.MaxEvents: ErrStorm, which wraps ErrNotPublished, or a wider event.
func (b *Bus) Invalidate(ctx context.Context, targets []event.Target) (event.Token, error) {
	groups, err := event.Group(targets...)
	if err != nil || len(groups) == 0 {
		return event.Token{}, err
	}
	var v voice
	v.actorType, v.actorID = event.ActorFrom(ctx)
	v.claim = event.ClaimFrom(ctx)
	v.reason = event.ReasonFrom(ctx)
	v.cause, v.receivers = event.CauseFrom(ctx)
	joined, err := b.join(groups, v, traceOf(ctx))
	if err != nil {
		return event.Token{}, err
	}
	defer b.leave(joined)
	b.pump()
	var sum tally
	for _, batch := range joined {
		s := batch.Data
		select {
		case <-s.done:
			sum.add(receipt{token: s.token}, s.err)
		case <-ctx.Done():
			select { // what is there is told all the same
			case <-s.done:
				sum.add(receipt{token: s.token}, s.err)
			default:
				sum.add(receipt{}, ctx.Err())
			}
		}
	}
	token, _, err := sum.result()
	return token, err
}

// traceOf is what the trace of ctx, if it has one, says to those who apply the event.
func traceOf(ctx context.Context) map[string]string {
	if !trace.SpanContextFromContext(ctx).IsValid() {
		return nil
	}
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier
}

// join puts all groups, each of one subject, into batches that are not sent yet, or none of them.
func (b *Bus) join(groups [][]event.Target, v voice, traced map[string]string) ([]*batch, error) {
	c := &b.commits
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, ErrClosed
	}
	now := b.cfg.Now()
	c.queue.Limit(b.batchMost())
	var joined []*batch
	for _, g := range groups {
		more, err := c.queue.Join(g[0].Subject(), v, g, now)
		joined = append(joined, more...)
		for _, at := range more {
			if at.Data == nil {
				at.Data = &sending{trace: traced, done: make(chan struct{})}
			}
		}
		if err != nil {
			c.queue.Leave(joined)
			if errors.Is(err, commit.ErrStorm) {
				b.counts.storms.Add(1)
				err = ErrStorm
			}
			return nil, notPublished(err)
		}
	}
	return joined, nil
}

// leave says that a caller no longer waits.
func (b *Bus) leave(joined []*batch) {
	b.commits.mu.Lock()
	defer b.commits.mu.Unlock()
	b.commits.queue.Leave(joined)
}

func (b *Bus) wanted(at *batch) bool {
	b.commits.mu.Lock()
	defer b.commits.mu.Unlock()
	return b.commits.queue.Wanted(at)
}

// pump begins to send what may be sent now, each batch on a goroutine of its own: at most lanesMost of them.
func (b *Bus) pump() {
	for at := b.nextBatch(nil); at != nil; at = b.nextBatch(nil) {
		if !b.running.begin(func() { b.drive(at) }) {
			b.drive(at) // behind Close: its callers are answered at once
		}
	}
}

// drive sends a batch, and those that may be sent because this one has ended.
func (b *Bus) drive(at *batch) {
	for at != nil {
		s := at.Data
		s.token, s.err = b.sendBatch(at)
		close(s.done)
		at = b.nextBatch(at)
	}
}

// nextBatch takes the batch to send now, in the place of one that has ended if there is one.
func (b *Bus) nextBatch(ended *batch) *batch {
	c := &b.commits
	c.mu.Lock()
	defer c.mu.Unlock()
	if ended != nil {
		c.queue.Sent(ended)
	}
	at, due := c.queue.Next(b.moment())
	if at == nil || ended != nil {
		b.sleep(due)
	}
	return at
}

// moment is now; once nothing more comes in it is later than anything is due, so that all get their answer.
func (b *Bus) moment() int64 {
	if b.commits.closed {
		return math.MaxInt64
	}
	return b.cfg.Now()
}

// sleep sees to it that what is due then is sent then; with the lock held.
func (b *Bus) sleep(due int64) {
	c := &b.commits
	if due == 0 || c.timed {
		return
	}
	c.timed = true
	b.running.begin(func() {
		select {
		case <-time.After(min(time.Duration(due-b.cfg.Now()), pacedEvery)): // another may be due earlier by then
		case <-b.life.Done():
		}
		c.mu.Lock()
		c.timed = false
		c.mu.Unlock()
		b.pump()
	})
}

func (b *Bus) sendBatch(at *batch) (event.Token, error) {
	if b.life.Err() != nil {
		return event.Token{}, ErrClosed
	}
	if !b.wanted(at) {
		return event.Token{}, context.Canceled
	}
	e := event.Event{
		ID: event.NewID(), Source: b.cfg.Source, Targets: at.Items, Reason: at.Voice.reason,
		ActorType: at.Voice.actorType, ActorID: at.Voice.actorID, Extensions: at.Voice.extensions(at.Data.trace),
	}
	if at.Wide {
		b.counts.widen(WidenedStorm)
		e.Reason = "a storm: more was invalidated than this node may publish one by one"
	}
	m, err := event.Encode(b.cfg.Fleet, e)
	if err != nil {
		return event.Token{}, err
	}
	if !b.cfg.PublishOnly && !at.Wide { // what was widened was not fenced here before it was published
		b.echoes.add(e.Source, e.ID)
	}
	r, err := b.post(b.life, e, m, posting{wanted: func() bool { return b.wanted(at) }})
	if err != nil && b.life.Err() != nil {
		err = &joined{"the node is closing: " + err.Error(), []error{ErrClosed, err}}
	}
	return r.token, err
}

// closeCommits lets nothing more in; what waits is answered with ErrClosed once the life of the Bus has ended.
func (b *Bus) closeCommits() {
	c := &b.commits
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
}
