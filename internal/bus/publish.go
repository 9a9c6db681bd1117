package bus

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/lethe-cache/lethe/internal/cursor"
	"github.com/lethe-cache/lethe/pkg/event"
)

// Bounds in time of a publish: of all its attempts, of one, and of waiting for a connection.
const (
	publishFor = 5 * time.Second
	attemptFor = 2 * time.Second
	offlineFor = time.Second
)

// receipt is what came of a publish.
type receipt struct {
	token event.Token
	again bool // it took more than one attempt, or was stored before
}

// publish sends m until it is stored, refused, or not worth another attempt: wanted says whether anybody still waits. Only
// what is certain comes back without an error; with one that is ErrUnknown it may be stored all the same, by an earlier attempt
// too. Nothing is sent after it returned.
func (b *Bus) publish(ctx context.Context, m event.Message, msgID string, wanted func() bool) (_ receipt, err error) {
	var why error
	perhaps := false
	defer func() {
		if err != nil && perhaps && !errors.Is(err, ErrUnknown) {
			err = &uncertain{err}
		}
	}()
	end, offline := b.cfg.Now()+int64(publishFor), time.Duration(0)
	for try := range 100 {
		var pause time.Duration
		if b.nc.IsConnected() {
			v, now := b.board.look(), b.cfg.Now()
			var a ack
			a, why = b.send(ctx, m, msgID, min(attemptFor, time.Duration(end-now)))
			if why == nil {
				b.counts.published.Add(1)
				r := receipt{again: try > 0 || a.Duplicate}
				r.token, why = b.token(ctx, v, v.Sending(now), a)
				return r, why
			}
			perhaps = perhaps || errors.Is(why, ErrUnknown)
			var no *Refusal
			var large *TooLarge
			if errors.As(why, &no) || errors.As(why, &large) {
				return receipt{}, why
			}
			b.doubt()
			pause = jitter(try)
		} else {
			why, pause = errConnecting(b.nc), jitter(try)
			if offline += pause; offline > offlineFor || errors.Is(why, errGaveUp) {
				return receipt{}, why
			}
		}
		select {
		case <-ctx.Done():
			return receipt{}, why
		case <-time.After(pause):
		}
		if !wanted() || b.cfg.Now() >= end {
			return receipt{}, why
		}
	}
	return receipt{}, why
}

// jitter is how long to wait after an attempt: longer after each, up to a point.
func jitter(try int) time.Duration {
	return rand.N(20 * time.Millisecond << min(try, 4)) //nolint:gosec // jitter is no secret
}

// token tells the position of an acknowledged event. An ack at or below what was known when it was sent comes from a stream
// that is not the one this node knows: its epoch has to be read again before there is a token.
func (b *Bus) token(ctx context.Context, v cursor.View, t cursor.Ticket, a ack) (event.Token, error) {
	b.acked(t, a) //nolint:contextcheck // what the loop begins lives as long as the connection, not as this call
	epoch := v.Epoch
	if epoch == "" || !a.Duplicate && a.Sequence <= t.Known() {
		var err error
		if epoch, err = b.epochOf(ctx, a.Sequence); err != nil {
			return event.Token{}, &uncertain{&joined{"stored, but of which stream can't be told: " + err.Error(), []error{err}}}
		}
	}
	return event.NewToken(b.cfg.Fleet, epoch, a.Sequence), nil
}

// epochFor bounds one question for the epoch of what was stored; all of them together take askFor at most.
const epochFor = time.Second

// epochOf asks for the epoch of the stream that has stored the sequence, until there is an answer. Other publishes wait behind this.
func (b *Bus) epochOf(ctx context.Context, sequence uint64) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	for try := 0; ; try++ {
		one, done := context.WithTimeout(ctx, epochFor)
		in, err := b.info(one, false, 0)
		done()
		var no *Refusal
		switch {
		case err == nil && in.Last >= sequence:
			return in.Epoch, nil
		case err == nil:
			err = errors.New("the stream ends before it")
		case errors.As(err, &no):
			return "", err
		}
		select {
		case <-ctx.Done():
			return "", err
		case <-time.After(jitter(try)):
		}
	}
}

func (b *Bus) acked(t cursor.Ticket, a ack) {
	b.tell(func(now int64) {
		if b.cfg.PublishOnly {
			b.stored(t, a)
			return
		}
		b.do(b.loop.follower.Acked(t, a.Sequence, a.Duplicate, now))
	})
}

// subjectsMost bounds how many subjects one Publish sends to at a time.
const subjectsMost = 16

// Publish sends events under their own ids, as a relay does: those of one subject one after the other, in order. The token
// covers all that were stored, the highest of them; with an error, which wraps ErrNotPublished, it covers what was. An event over
// the server's max_payload is sent in parts, each with some of its targets and an id made of the event's; one target that is over it
// is TooLarge.
func (b *Bus) Publish(ctx context.Context, events ...event.Event) (event.Token, error) {
	if b.life.Err() != nil {
		return event.Token{}, ErrClosed
	}
	type job struct {
		e event.Event
		m event.Message
	}
	var order []string
	jobs := make(map[string][]job)
	for _, e := range events {
		if e.ID == "" {
			e.ID = event.NewID()
		}
		m, err := event.Encode(b.cfg.Fleet, e)
		if err != nil {
			return event.Token{}, err
		}
		if jobs[m.Subject] == nil {
			order = append(order, m.Subject)
		}
		jobs[m.Subject] = append(jobs[m.Subject], job{e, m})
	}
	ctx, cancel := b.during(ctx)
	defer cancel()
	p := posting{named: true, wanted: func() bool { return ctx.Err() == nil }}
	var (
		sum  tally
		wg   sync.WaitGroup
		free = make(chan struct{}, subjectsMost)
	)
	for _, subject := range order {
		free <- struct{}{}
		wg.Add(1)
		if !b.running.begin(func() {
			defer wg.Done()
			defer func() { <-free }()
			for _, j := range jobs[subject] {
				r, err := b.post(ctx, j.e, j.m, p)
				sum.add(r, err)
				if err != nil {
					return // what follows on this subject may not overtake it
				}
			}
		}) {
			wg.Done()
			sum.add(receipt{}, ErrClosed)
			break
		}
	}
	wg.Wait()
	token, again, err := sum.result()
	if again {
		// 1. The event was stored, its leader died before it was republished.
		// 2. The retry was answered "duplicate" and is not republished either.
		// 3. Something new on the stream shows every node that it misses something.
		b.noise() //nolint:contextcheck // the tick is owed whether or not the caller still waits
	}
	return token, err
}

// during returns a context that also ends with the Bus.
func (b *Bus) during(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(b.life, cancel)
	return ctx, func() { stop(); cancel() }
}

// noise stores a tick under an id of its own.
func (b *Bus) noise() {
	b.running.begin(func() {
		ctx, cancel := context.WithTimeout(b.life, publishFor)
		defer cancel()
		id := event.NewID()
		m := event.EncodeSys(b.cfg.Fleet, event.SysTick, b.cfg.Source, b.cfg.Name, id, time.Now())
		if _, err := b.publish(ctx, m, id, func() bool { return ctx.Err() == nil }); err != nil {
			b.cfg.Logger.Debug("a tick after a repeated publish was not stored", "error", err)
		}
	})
}

// tally sums up several publishes.
type tally struct {
	mu    sync.Mutex // guards what follows
	token event.Token
	again bool
	errs  []error
}

func (t *tally) add(r receipt, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.again = t.again || r.again
	if err != nil {
		t.errs = append(t.errs, err)
	}
	t.cover(r.token)
}

// cover raises the token. Of two epochs that of the later numbers counts: a stream begins above what it replaces.
func (t *tally) cover(token event.Token) {
	if token.Sequence() > t.token.Sequence() {
		t.token = token
	}
}

func (t *tally) result() (event.Token, bool, error) {
	r, err := t.receipt()
	if err != nil {
		err = notPublished(err)
	}
	return r.token, r.again, err
}

// receipt is the sum as one publish would have it.
func (t *tally) receipt() (receipt, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return receipt{token: t.token, again: t.again}, errors.Join(t.errs...)
}
