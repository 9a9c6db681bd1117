package outbox

import (
	"math/bits"
	"strconv"
	"strings"
	"time"
)

// parkedPass goes through the parked rows, oldest first, each once, a batch beside each batch of rows that wait. What refuses
// them is often a mistake that somebody is mending, so young rows are tried more often: every second pass takes in rows twice as
// old as the one before, as the marks of a ruler, and each 64th all. A row is tried again after a quarter of its age, and after
// times.parked at the latest.
type parkedPass struct {
	running bool
	after   int64 // number of the last one tried
	next    time.Duration
	passes  uint
	age     time.Duration // rows up to it; 0 = all
}

// parkedSteps is the number of ages that a pass may take in.
const parkedSteps = 6

// begin starts a pass through all.
func (p *parkedPass) begin() { *p = parkedPass{running: true} }

// due says whether a batch of parked rows is to be tried now.
func (p *parkedPass) due(now time.Duration, t times) bool {
	if !p.running && now >= p.next {
		p.passes++
		p.running, p.after, p.age = true, 0, 0
		if step := bits.TrailingZeros(p.passes); step < parkedSteps {
			p.age = 4 * (t.parked >> parkedSteps) << step
		}
	}
	return p.running
}

// went notes what was tried, of at most that many.
func (p *parkedPass) went(rows []*queued, most int, now time.Duration, t times) {
	if len(rows) > 0 {
		p.after = rows[len(rows)-1].number
	}
	if len(rows) < most {
		p.running, p.next = false, now+t.parked>>parkedSteps
	}
}

func (r *Relay) parkedRows() ([]*queued, error) {
	p := &r.work.parked
	query := "SELECT " + columns + " FROM lethe_outbox WHERE parked IS NOT NULL AND number > $1"
	if p.age > 0 {
		query += " AND created > " + r.dialect.clock() + " - " + strconv.FormatInt(p.age.Milliseconds(), 10)
	}
	ctx, cancel := r.answering()
	defer cancel()
	rows, err := r.read(ctx, query+" ORDER BY number LIMIT "+strconv.Itoa(r.work.batch), p.after)
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
