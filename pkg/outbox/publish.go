package outbox

import (
	"context"
	"sync"

	"github.com/lethe-cache/lethe/pkg/event"
)

// queued is a row on its way.
type queued struct {
	row
	e       event.Event
	widened string
	bad     error // what it says can't be published
	again   bool  // it was parked

	token  event.Token // of the stream
	acked  bool        // it is stored there
	failed error       // it is not, perhaps
}

// emptyFleet stands in where the publisher does not tell its fleet: nothing of it is published.
const emptyFleet = "none"

func (q *queued) open(fleet string) {
	if fleet == "" {
		fleet = emptyFleet
	}
	q.e, q.widened, q.bad = q.read(fleet)
	if fleet == emptyFleet {
		q.e.Source = sourceOf("")
	}
}

// publish sends rows, those of one lane one after the other, and returns when all have been tried. What fails keeps its lane
// from going on; what is refused for good does not.
func (r *Relay) publish(now turn, rows []*queued) []*queued {
	var (
		began = r.now()
		order []string
		lanes = make(map[string][]*queued)
		free  = make(chan struct{}, lanesMost)
		wg    sync.WaitGroup
	)
	for _, q := range rows {
		lane := q.lane()
		if h, held := r.work.holds[lane]; held && r.now() < h.until {
			continue
		}
		if lanes[lane] == nil {
			order = append(order, lane)
		}
		lanes[lane] = append(lanes[lane], q)
	}
	for _, lane := range order {
		free <- struct{}{}
		wg.Go(func() {
			defer func() { <-free }()
			first := r.now()
			for i, q := range lanes[lane] {
				if r.now()-began >= roundFor || i > 0 && r.now()-first >= laneFor || !r.send(now, q) {
					return
				}
			}
		})
	}
	wg.Wait()
	var tried []*queued
	for _, lane := range order {
		failed := false
		for _, q := range lanes[lane] {
			if q.acked || q.failed != nil {
				tried = append(tried, q)
			}
			failed = failed || q.failed != nil && (now.trial > 0 || !permanent(q.failed))
		}
		if failed {
			r.hold(lane)
		} else {
			delete(r.work.holds, lane)
		}
	}
	return tried
}

// send publishes one row and says whether the next of its lane may follow.
func (r *Relay) send(in turn, q *queued) bool {
	if q.bad != nil {
		q.failed = q.bad
		return true
	}
	if token, ok := r.work.acked[q.id]; ok { // nothing writes the map while lanes are under way
		q.token, q.acked = token, true
		return true
	}
	if now, ok := r.may(); !ok || now.at != in.at {
		return false
	}
	if q.widened != "" {
		r.log.Warn("a row says what this version does not understand: more is forgotten than it says", "id", q.id, "subject", q.subject, "reason", q.widened)
	}
	ctx, cancel := context.WithTimeout(r.late, publishFor)
	defer cancel()
	token, err := r.pub.Publish(ctx, q.e)
	switch {
	case err != nil:
		q.failed = err
		return permanent(err)
	case !r.stored(in.at, token): // everything is owed to that stream before
		poke(r.beatNow)
		return false
	}
	if base := r.work.base; base.Epoch() == token.Epoch() && base.Sequence() > token.Sequence() {
		token = base
	}
	q.token, q.acked = token, true
	r.tickets.reached(q.ticket, q.id, token)
	return true
}
