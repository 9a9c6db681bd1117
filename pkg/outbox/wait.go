package outbox

import (
	"context"
	"fmt"
	"time"

	"github.com/lethe-cache/lethe/pkg/event"
)

// Pauses between asking the database for a ticket: they double.
const (
	askFirst = 5 * time.Millisecond
	askMost  = 200 * time.Millisecond

	askFor = 2 * time.Second // what one question may take; it is asked again
)

// Wait returns a Token that covers t once its rows are published, here or by another process's relay; call it after the commit.
// Before it waits it lets the publisher forget what the rows are about, so that a read on this node after Wait never returns a
// value from before the commit, whether Wait was in time or not; where the rows have gone by then, it waits until this node has
// applied their token. That takes a question to the database, two seconds at most even where ctx has ended.
//
// An empty Ticket: the zero Token, at once. A Ticket that no Append returned: an error that wraps event.ErrInvalid. A row that the
// server refuses for good: ErrParked with the reason. ErrOtherBus while this process must not work with the database. After
// Close: ErrClosed. A Ticket whose transaction rolled back, or that is older than the last 100,000 rows and was published by another
// process, is waited for until ctx ends.
func (r *Relay) Wait(ctx context.Context, t Ticket) (event.Token, error) {
	rows, err := t.rows()
	if err != nil || rows == 0 {
		return event.Token{}, err
	}
	r.Wake()
	p := r.tickets.watch(t)
	fresh := r.forgetTicket(p, t)
	pause := askFirst
	if r.post.look().working { // it will be told here first
		pause = askMost
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	for {
		v := r.post.look()
		select { // what is there is told whatever else is the matter
		case <-p.done:
			return r.waited(t, p)
		default:
		}
		switch {
		case v.closed || r.life.Err() != nil:
			return event.Token{}, ErrClosed
		case v.err != nil:
			return event.Token{}, v.err
		}
		select {
		case <-p.done:
			return r.waited(t, p)
		case <-v.changed:
		case <-r.life.Done():
		case <-ctx.Done():
			return event.Token{}, fmt.Errorf("outbox: %s is not published yet: %w", t, ctx.Err())
		case <-timer.C:
			fresh = fresh || r.forgetTicket(p, t)
			token, done, err := r.ask(ctx, t, rows)
			if done && !fresh {
				return token, r.applied(ctx, token)
			}
			if done || err != nil {
				return token, err
			}
			pause = min(2*pause, askMost)
			timer.Reset(pause)
		}
	}
}

func (r *Relay) waited(t Ticket, p *progress) (event.Token, error) {
	token, refused := r.tickets.result(p)
	if refused != nil {
		return event.Token{}, fmt.Errorf("%w: %s: %w", ErrParked, t, refused)
	}
	return token, nil
}

// forgetTicket lets the publisher forget what the rows of a ticket are about. It says whether all of it is forgotten here, now or
// by the relay, which does the same with each row that it reads.
func (r *Relay) forgetTicket(p *progress, t Ticket) bool {
	select {
	case <-p.done:
		return true
	default:
	}
	if r.forget == nil || r.tickets.forgotten(p) {
		return true
	}
	ctx, cancel := context.WithTimeout(r.life, askFor)
	defer cancel()
	ids := t.ids()
	args := make([]any, 0, 2*len(ids))
	for _, id := range padded(ids) {
		args = append(args, id)
	}
	found, err := r.read(ctx, "SELECT "+columns+" FROM lethe_outbox WHERE id IN "+list(len(args)), args...)
	if err != nil {
		return false
	}
	for _, q := range found {
		if q.bad == nil {
			r.forget(q.e.Targets...)
		}
	}
	if len(found) < len(ids) {
		return false
	}
	r.tickets.forgot(p)
	return true
}

// Forgot spares Wait its question to the database: the caller has let the publisher forget what t announces, after the commit.
func (r *Relay) Forgot(t Ticket) {
	if _, err := t.rows(); err == nil && t != "" {
		r.tickets.forgot(r.tickets.watch(t))
	}
}

// applied waits until this node has applied a token whose rows had gone before it could forget them.
func (r *Relay) applied(ctx context.Context, token event.Token) error {
	node, ok := r.pub.(interface {
		Wait(ctx context.Context, t event.Token) error
	})
	if !ok || token.IsZero() {
		return nil
	}
	if err := node.Wait(ctx, token); err != nil && ctx.Err() != nil { // a node that only publishes applies nothing and says so
		return fmt.Errorf("outbox: published as %s, and this node has not applied it yet: %w", token, err)
	}
	return nil
}

// ask asks the database for a ticket. That it does not answer is no answer: it is asked again.
func (r *Relay) ask(ctx context.Context, t Ticket, want int) (token event.Token, done bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	defer context.AfterFunc(r.life, cancel)()
	rows, err := r.db.QueryContext(ctx, "SELECT number, fleet, epoch, sequence FROM lethe_outbox_announced WHERE ticket = $1 "+
		"UNION ALL SELECT number, fleet, epoch, sequence FROM lethe_outbox_done WHERE ticket = $1", string(t))
	if err != nil {
		return event.Token{}, false, nil
	}
	defer func() { _ = rows.Close() }()
	have := make(map[int64]bool) // by number, which no two rows of a ticket share: two relays of different versions write into two tables
	for rows.Next() {
		var at place
		var number int64
		var sequence uint64
		if err := rows.Scan(&number, &at.fleet, &at.epoch, &sequence); err != nil {
			return event.Token{}, false, fmt.Errorf("outbox: %w", err)
		}
		have[number] = true
		if sequence > 0 {
			token = later(token, event.NewToken(at.fleet, at.epoch, sequence))
		}
	}
	if rows.Err() != nil {
		return event.Token{}, false, nil
	}
	if len(have) >= want {
		return token, true, nil
	}
	_ = rows.Close() // before the next question, where the pool has one connection
	var why string
	row := r.db.QueryRowContext(ctx, "SELECT parked FROM lethe_outbox WHERE ticket = $1 AND parked IS NOT NULL ORDER BY number LIMIT 1", string(t))
	if row.Scan(&why) == nil {
		return event.Token{}, false, fmt.Errorf("%w: %s: %s", ErrParked, t, why)
	}
	return event.Token{}, false, nil
}
