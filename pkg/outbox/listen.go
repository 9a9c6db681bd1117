package outbox

import (
	"context"
	"database/sql/driver"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// Why there is no listening, for good or for now.
var (
	errNotPgx   = errors.New("the driver is not pgx")
	errNarrow   = errors.New("the pool allows fewer than three connections")
	errOccupied = errors.New("the pool has no connection to spare")
)

// listens wakes the relay when PostgreSQL notifies, until Close. Where that can't be had, the poll remains.
func (r *Relay) listens() {
	if most := r.db.Stats().MaxOpenConnections; most > 0 && most < 3 {
		r.log.Debug("the outbox is polled, it does not listen", "reason", errNarrow)
		return
	}
	pause := r.times.beat
	told := false
	for r.life.Err() == nil {
		began := r.now()
		err := r.listen(r.life)
		if errors.Is(err, errNotPgx) {
			r.log.Debug("the outbox is polled, it does not listen", "reason", err)
			return
		}
		if r.life.Err() != nil {
			return
		}
		if !told {
			r.log.Debug("the outbox does not listen at the moment; it is polled", "reason", err)
		}
		told = true
		if r.now()-began > time.Minute {
			pause, told = r.times.beat, false
		}
		select {
		case <-r.life.Done():
			return
		case <-time.After(pause):
		}
		pause = min(2*pause, 30*r.times.beat)
	}
}

// listen holds a connection and wakes the relay for each notification, until the connection or ctx ends.
func (r *Relay) listen(ctx context.Context) error {
	soon, cancel := context.WithTimeout(ctx, r.times.answer)
	conn, err := r.db.Conn(soon)
	cancel()
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	var why error
	_ = conn.Raw(func(raw any) error {
		std, ok := raw.(*stdlib.Conn)
		if !ok {
			why = errNotPgx
			return nil
		}
		own := std.Conn()
		if why = r.subscribe(ctx, own); why == nil {
			why = r.spare(ctx)
		}
		for why == nil {
			r.Wake() // at once: nothing was heard before
			why = r.notified(ctx, own)
		}
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.times.grace)
		defer cancel()
		_ = own.Close(end)       // the pool must not give it to anybody else: it listens
		return driver.ErrBadConn // and must not keep it
	})
	return why
}

// subscribe says to the database what is listened for. It may be said again.
func (r *Relay) subscribe(ctx context.Context, conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, r.times.answer)
	defer cancel()
	_, err := conn.Exec(ctx, "LISTEN lethe_outbox")
	return err
}

// notified waits for a notification. A connection on which nothing comes is asked now and then: one whose other end has gone
// without a word is silent for ever.
func (r *Relay) notified(ctx context.Context, conn *pgx.Conn) error {
	soon, cancel := context.WithTimeout(ctx, r.times.listen)
	_, err := conn.WaitForNotification(soon)
	cancel()
	if err != nil && ctx.Err() == nil && soon.Err() != nil && !conn.IsClosed() {
		return r.subscribe(ctx, conn)
	}
	return err
}

// spare makes sure that listening leaves connections for the work: a pool of pgx behind db tells nobody how many it has.
func (r *Relay) spare(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, r.times.beat)
	defer cancel()
	one, err := r.db.Conn(ctx)
	if err != nil {
		return errors.Join(errOccupied, err)
	}
	two, err := r.db.Conn(ctx)
	if err != nil {
		err = errors.Join(errOccupied, err)
	} else {
		_ = two.Close()
	}
	_ = one.Close()
	return err
}
