package cursor

import "time"

// gaining is about a node that is further behind than Config.Backlog. As long as it gains on the stream fast enough, what it
// has in memory is worth more than being current at once.
type gaining struct {
	since  int64  // when the distance was measured; 0 = it is within the limit
	behind uint64 // the distance then
}

// How long a measurement takes, and how long a node may take to catch up.
const (
	gainOver    = time.Second
	catchUpMost = time.Minute
)

// backlog is Backlog where the node is too far behind and does not gain on the stream, or so slowly that it would take more
// than catchUpMost.
func (f *Follower) backlog(now int64) Cause {
	behind := f.Behind()
	g := &f.gain
	if behind <= f.cfg.Backlog {
		*g = gaining{}
		return none
	}
	if g.since == 0 {
		*g = gaining{now, behind}
		return none
	}
	took := now - g.since
	if took < gainOver.Nanoseconds() {
		return none
	}
	was := g.behind
	*g = gaining{now, behind}
	if was > behind && float64(took)*float64(behind)/float64(was-behind) <= float64(catchUpMost) {
		return none
	}
	return Backlog
}
