package lethe

import (
	"sync"
	"time"

	"github.com/lethe-cache/lethe/pkg/event"
)

// touch is what is remembered of an invalidation, for Explain.
type touch struct {
	id, source, typ, reason string
	at                      time.Time
	token                   event.Token
}

// maxTouches bounds how many invalidations are remembered; older ones can't be named any more.
const maxTouches = 1024

// maxTouched bounds what is remembered of a reason, in bytes.
const maxTouched = 256

// touches remembers the latest invalidations by their stamp.
type touches struct {
	mu   sync.Mutex // guards what follows
	ring [maxTouches]struct {
		stamp uint64
		touch
	}
}

func (ts *touches) add(stamp uint64, t *touch) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	at := &ts.ring[stamp%maxTouches]
	at.stamp, at.touch = stamp, *t
	if len(t.reason) > maxTouched {
		at.reason = t.reason[:maxTouched]
	}
}

func (ts *touches) find(stamp uint64) (touch, bool) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	at := &ts.ring[stamp%maxTouches]
	return at.touch, stamp != 0 && at.stamp == stamp
}
