package fleet

import (
	"sync"
	"time"
)

// How many questions a node answers: what anybody may ask who may ask for a Barrier costs each node of the fleet an answer. One
// that is not answered is asked again in a second.
const (
	answersRate = 1000 // a second, and as many at once after a rest
	wholeRate   = 20   // of them with a roster too large to be told unasked
)

// limits are those of a Fleet.
type limits struct{ any, whole *limit }

func newLimits() limits { return limits{&limit{rate: answersRate}, &limit{rate: wholeRate}} }

func (l limits) may(now time.Duration) bool { return l.any.may(now) }

// limit is a token bucket. It is safe for concurrent use.
type limit struct {
	rate int // a second, and at once after a rest

	mu   sync.Mutex // guards what follows
	used float64
	at   time.Duration
}

func (l *limit) may(now time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.used = max(l.used-float64(l.rate)*max(now-l.at, 0).Seconds(), 0)
	l.at = max(now, l.at)
	if l.used+1 > float64(l.rate) {
		return false
	}
	l.used++
	return true
}
