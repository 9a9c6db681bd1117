package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/lethe-cache/lethe/pkg/event"
)

// How a question is asked.
const (
	answersMost = 4096        // waiting to be read; what does not fit is asked for again
	againEvery  = time.Second // who has not settled is asked again
	lookEvery   = 20 * time.Millisecond
	quietFor    = 250 * time.Millisecond // Nodes: how long after an answer further ones are waited for
	onlyMost    = 256                    // instances named in a question; with more of them all are asked
)

// Barrier waits until every node has applied t or can't serve anything older, as long as ctx allows: then complete. A token
// that the nodes refuse is an error.
func (f *Fleet) Barrier(ctx context.Context, t event.Token) (applied, pending []Member, complete bool, err error) {
	p := f.poll()
	err = f.ask(ctx, p, question{Token: t}, func() bool { return p.done(f.now()) })
	now := f.now()
	complete = err == nil && p.done(now)
	f.know(p, t)
	applied, pending = p.result(now)
	return applied, pending, complete, err
}

// Nodes is who answers, who is known of and does not, and who fell silent without a goodbye within the last minutes; it returns when all known have answered, none has for a while, or
// ctx ends.
func (f *Fleet) Nodes(ctx context.Context) ([]Member, error) {
	p := f.poll()
	begun, news, count := f.now(), f.now(), 0
	err := f.ask(ctx, p, question{}, func() bool {
		n := 0
		for _, v := range p.voters {
			if v.answered {
				n++
			}
		}
		now := f.now()
		if n > count {
			news, count = now, n
		}
		if p.heard() && (p.trusted || now-news > quietFor) {
			return true
		}
		return count > 0 && now-news > quietFor && now-begun > 2*quietFor || now-begun > againEvery
	})
	f.know(p, event.Token{})
	var all []Member
	for _, v := range p.voters {
		if !v.gone {
			all = append(all, v.Member)
		}
	}
	if err != nil && ctx.Err() != nil {
		err = nil // what is known is the answer
	}
	if !f.cfg.AskOnly {
		f.mu.Lock()
		for _, m := range f.absent.list(f.now()) {
			p.miss(m, m.Vanished)
		}
		f.mu.Unlock()
	}
	all = append(all, p.missing()...)
	slices.SortFunc(all, byName)
	return all, err
}

// know puts in what this node knows of itself: it need not be asked over a bus that may be away. It changes what is shown, not
// whether all is settled: a question that came back says that whoever was there before it has been heard of.
func (f *Fleet) know(p *poll, t event.Token) {
	if !f.cfg.AskOnly {
		p.know(f.self(), t.IsZero() || f.cfg.Reached(t))
	}
}

// ask puts q to the fleet until done says so, repeating it for who has not settled. It returns an error where asking can't be
// done or the nodes say that the token can't be waited for; ctx ending is none.
func (f *Fleet) ask(ctx context.Context, p *poll, q question, done func() bool) error {
	inbox := f.cfg.Conn.NewRespInbox()
	replies := make(chan *nats.Msg, answersMost)
	sub, err := f.cfg.Conn.ChanSubscribe(inbox, replies)
	if err != nil {
		return fmt.Errorf("fleet: %w", err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	longest := make(chan time.Duration, 1)
	asking, cancel := context.WithCancel(ctx)
	learned := make(chan struct{})
	go func() {
		defer close(learned)
		f.learn(asking, longest)
	}()
	defer func() { cancel(); <-learned }()

	look := time.NewTicker(lookEvery)
	defer look.Stop()
	next := f.now()
	for {
		if done() {
			return nil
		}
		if now := f.now(); now >= next {
			next = now + againEvery
			f.question(ctx, p, q, inbox, now)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-f.life.Done():
			return errClosed
		case p.longest = <-longest:
		case msg := <-replies:
			if err := f.answer(p, msg, inbox); err != nil {
				return err
			}
		case <-look.C:
			f.goodbyes(p)
		}
	}
}

var errClosed = errors.New("fleet: closed")

// learn asks for the fleet's longest horizon until there is an answer. It has to be read after the question began: a node
// raises it before it stores anything.
func (f *Fleet) learn(ctx context.Context, to chan<- time.Duration) {
	for {
		d, err := f.cfg.Longest(ctx)
		if err == nil {
			to <- d
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(againEvery / 4):
		}
	}
}

// question asks all at first, later only those who have not settled.
func (f *Fleet) question(ctx context.Context, p *poll, q question, inbox string, now time.Duration) {
	if end, ok := ctx.Deadline(); ok {
		q.ForMs = max(time.Until(end).Milliseconds(), 1)
	}
	q.Roster = p.own
	if now > p.asked && p.trusted {
		if only := p.silent(now); len(only) > 0 && len(only) <= onlyMost {
			q.Only = only
		}
	}
	f.publish(q, inbox)
	f.want(p, q, inbox)
}

// want asks for rosters that are not known yet.
func (f *Fleet) want(p *poll, q question, inbox string) {
	if only := p.tellers(); len(only) > 0 && len(only) <= onlyMost {
		f.publish(question{Token: q.Token, ForMs: 1, Only: only, Tell: true}, inbox)
	}
}

func (f *Fleet) publish(q question, inbox string) {
	body, err := json.Marshal(q)
	if err == nil {
		err = f.cfg.Conn.PublishRequest(event.CtlSubject(f.cfg.Fleet, "barrier"), inbox, body)
	}
	if err != nil {
		f.cfg.Logger.Debug("could not ask the fleet", "error", err)
	}
}

// answer takes one reply. What is no answer is passed over.
func (f *Fleet) answer(p *poll, msg *nats.Msg, inbox string) error {
	a, err := read[answer](msg.Data, maxAnswer)
	if err != nil || !a.legal() {
		return nil //nolint:nilerr // nobody is asked to mend it
	}
	if a.Problem != "" && !a.Applied {
		return fmt.Errorf("%w: node %s: %s", ErrRefused, a.Node, strings.TrimSuffix(a.Problem, ": "+event.ErrInvalid.Error()))
	}
	before := len(p.untold)
	p.take(a)
	if len(p.untold) > before {
		f.want(p, question{}, inbox)
	}
	return nil
}

// ErrRefused says that a node can't wait for the token.
var ErrRefused = errors.New("it can't be waited for")

// goodbyes takes what was heard since.
func (f *Fleet) goodbyes(p *poll) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, d := range f.roster.gone {
		p.bye(d.key)
	}
}
