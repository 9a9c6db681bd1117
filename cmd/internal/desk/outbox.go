package desk

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/lethe-cache/lethe/cmd/internal/ctl"
)

// Bounds of a look at the outbox: it counts rows, and whoever may ask nodes how they are causes one.
const (
	outboxFor   = time.Second // the question to the database
	outboxFresh = time.Second // how long an answer is good for others
)

// outboxLook keeps the last look.
type outboxLook struct {
	mu   sync.Mutex // guards what follows; one asks at a time
	last ctl.Outbox
	at   time.Time
}

// Outbox is what waits to be announced, as of a second ago at most. Where the database does not answer it has the error, and no
// more than is known.
func (d *Desk) Outbox() *ctl.Outbox {
	l := &d.outbox
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Since(l.at) >= outboxFresh {
		ctx, cancel := context.WithTimeout(context.Background(), outboxFor) // others share the answer
		defer cancel()
		s, err := d.store.Outbox(ctx)
		l.last = ctl.Outbox{Working: s.Working, Worker: s.Worker, WorkerMs: s.WorkerFor.Milliseconds()}
		oldest := s.Oldest.Milliseconds()
		if err == nil || oldest > 0 {
			l.last.OldestMs = &oldest
		}
		if err == nil {
			l.last.Depth, l.last.Parked = &s.Depth, &s.Parked
			err = s.Err
		}
		if err != nil {
			l.last.Error = strings.ToValidUTF8(err.Error(), "")
			if len(l.last.Error) > ctl.MaxOutboxError {
				l.last.Error = strings.ToValidUTF8(l.last.Error[:ctl.MaxOutboxError], "")
			}
		}
		l.at = time.Now()
	}
	now := l.last
	return &now
}
