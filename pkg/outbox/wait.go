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
)

// Wait returns a Token that covers t once its rows are published, here or by another process's relay; call it after the commit.
// An empty Ticket: the zero Token, at once. A Ticket that no Append returned: an error that wraps event.ErrInvalid. A row that the
// server refuses for good: ErrParked with the reason. ErrOtherBus while this process must not work with the database. After
// Close: ErrClosed. A Ticket whose transaction rolled back, or that is older than the last 100,000 rows and was published by another
// process, is waited for until ctx ends.
func (r *Relay) Wait(ctx context.Context, t Ticket) (event.Token, error) {
	rows, err := t.rows()
	if err != nil || rows == 0 {
		return event.Token{}, err
	}
	p := r.tickets.watch(t)
	pause := askFirst
	if r.post.look().working { // it will be told here first
		pause = askMost
	}
	r.Wake()
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
			token, done, err := r.askFor(ctx, t, rows)
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

// askFor asks the database for a ticket. That it does not answer is no answer: it is asked again.
func (r *Relay) askFor(ctx context.Context, t Ticket, want int) (token event.Token, done bool, err error) {
	rows, err := r.db.QueryContext(ctx, "SELECT fleet, epoch, sequence FROM lethe_outbox_done WHERE ticket = $1", string(t))
	if err != nil {
		return event.Token{}, false, nil
	}
	defer func() { _ = rows.Close() }()
	have := 0
	for rows.Next() {
		var at place
		var sequence uint64
		if err := rows.Scan(&at.fleet, &at.epoch, &sequence); err != nil {
			return event.Token{}, false, fmt.Errorf("outbox: %w", err)
		}
		have++
		if sequence > 0 {
			token = later(token, event.NewToken(at.fleet, at.epoch, sequence))
		}
	}
	if rows.Err() != nil {
		return event.Token{}, false, nil
	}
	if have >= want {
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
