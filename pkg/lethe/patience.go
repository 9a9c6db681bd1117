package lethe

import (
	"sync/atomic"
	"time"
)

// How long a caller waits for a load of which only its end can tell whether it is good for the caller: as long as four loads of the
// function usually take, and no less than a second. On a busy node something is invalidated during nearly every slow load, and most
// of these loads are good: a caller that did not wait for as long as they take would load everything twice. Under a second, a
// source that has become slow would be asked twice as much for it.
const (
	leastPatience   = time.Second
	patienceInLoads = 4
)

// usual is how long the loads of a function take: a mean that follows the last ones. Those that failed or ran out of time do not
// count: a source that hangs must not make callers more patient.
type usual struct{ mean atomic.Int64 }

// add counts a load. Of two at the same moment one may be lost.
func (u *usual) add(took time.Duration) {
	mean := u.mean.Load()
	if mean == 0 {
		mean = int64(took)
	}
	u.mean.Store(mean + (int64(took)-mean)/8)
}

// patience is how long callers wait for a load that may not be good for them; no longer than one may take.
func (u *usual) patience(timeout time.Duration) time.Duration {
	return min(max(leastPatience, patienceInLoads*time.Duration(u.mean.Load())), timeout)
}
