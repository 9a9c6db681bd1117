package outbox

import (
	"context"
	"errors"
	"time"
)

// sayEvery is how often it is logged that rows wait.
const sayEvery = time.Minute

// trouble is what failed last.
type trouble struct {
	err   error
	since time.Duration // of the first failure after the last success
}

// failed notes why a row could not be published.
func (r *Relay) failed(err error) {
	since := r.now()
	if t := r.trouble.Load(); t != nil {
		since = t.since
	}
	r.trouble.Store(&trouble{err, since})
}

// errUnsettled says what keeps a relay from publishing before it has tried.
var errUnsettled = errors.New("outbox: the publisher does not know its stream yet")

// lastError is why rows wait, as far as this relay knows.
func (r *Relay) lastError() error {
	if err := r.post.look().err; err != nil {
		return err
	}
	if _, known := r.where(); !known {
		return errUnsettled
	}
	if t := r.trouble.Load(); t != nil {
		return t.err
	}
	return nil
}

// lateness is what has been logged of rows that wait.
type lateness struct {
	said  bool
	again time.Duration
}

// sayLate logs that rows wait for too long, and who could do what about it.
func (r *Relay) sayLate(l *lateness, q queue) {
	if q.first == 0 || q.oldest < r.times.late {
		if l.said {
			r.log.Info("the outbox goes on: no row has waited for long", "event", "outbox_drained")
		}
		l.said = false
		return
	}
	if l.said && r.now() < l.again {
		return
	}
	ctx, cancel := context.WithTimeout(r.life, scrapeFor)
	defer cancel()
	s, err := r.Status(ctx)
	if err != nil {
		return // the next beat says that the database does not answer
	}
	l.said, l.again = true, r.now()+sayEvery
	fields := []any{"event", "outbox_waits", "rows", s.Depth, "oldest", q.oldest.Round(time.Second), "parked", s.Parked}
	if s.Worker == "" {
		fields = append(fields, "worker", "nobody")
	} else {
		fields = append(fields, "worker", s.Worker, "worker_for", s.WorkerFor.Round(time.Second), "worker_is_this", s.Worker == r.id)
	}
	if t := r.trouble.Load(); t != nil {
		fields = append(fields, "failing_for", (r.now() - t.since).Round(time.Second))
	}
	if s.Err != nil {
		fields = append(fields, "last_error", s.Err)
	} else {
		fields = append(fields, "last_error", "none here")
	}
	r.log.Warn("rows of the outbox wait to be announced", fields...)
}
