package outbox

import (
	"context"
	"strings"
	"time"
)

// parkedPass goes through the parked rows, oldest first, each once, a batch beside each batch of rows that wait.
type parkedPass struct {
	running bool
	after   int64 // number of the last one tried
	next    time.Duration
}

func (p *parkedPass) begin(next time.Duration) { *p = parkedPass{running: true, next: next} }

// due says whether a batch of parked rows is to be tried now.
func (p *parkedPass) due(now time.Duration) bool {
	if !p.running && now >= p.next {
		p.running, p.after = true, 0
	}
	return p.running
}

// went notes what was tried.
func (p *parkedPass) went(rows []*queued, next time.Duration) {
	if len(rows) > 0 {
		p.after = rows[len(rows)-1].number
	}
	if len(rows) < batchMost {
		p.running, p.next = false, next
	}
}

func (r *Relay) parkedRows(ctx context.Context) ([]*queued, error) {
	rows, err := r.read(ctx, "SELECT number, id, ticket, subject, event FROM lethe_outbox WHERE parked IS NOT NULL AND number > $1 "+
		"ORDER BY number LIMIT 256", r.work.parked.after)
	for _, q := range rows {
		q.again = true
	}
	return rows, err
}

// subjectsOf are those that rows of a lane may have.
func subjectsOf(lane string) []string {
	if !strings.HasPrefix(lane, "manifest.") {
		return []string{lane}
	}
	return []string{lane + ".applied", lane + ".deleted", lane + ".invalidated"}
}
