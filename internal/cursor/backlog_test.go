package cursor_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/lethe-cache/lethe/internal/cursor"
)

// away is a world whose node has missed so many messages, more than its limit for a backlog, and knows of them.
func away(t *testing.T, missed int, hears bool) *world {
	t.Helper()
	w := following(t)
	for range missed {
		w.store("")
	}
	w.flights = w.flights[len(w.flights)-1:]
	if hears {
		w.deliver(0)
		return w
	}
	w.flights = nil
	probe(t, w, func(*cursor.Info) {})
	return w
}

// catchUp lets for d the stream store so many messages, and the node fetch so many, every 10 ms.
func (w *world) catchUp(d int64, stored, fetched int) {
	for end := w.now + d; w.now < end && len(w.resets) == 1; w.beat(10 * ms) {
		for range stored {
			w.store("")
		}
		w.flights = nil
		for i := 0; i < len(w.jobs); i++ {
			j := w.jobs[i]
			w.serve(j)
			if j.Do == cursor.Fetch {
				j.found = j.found[:min(fetched+1, len(j.found))] // the one at the cursor is the first
			}
			w.report(i)
			i--
			if j.Do == cursor.Fetch {
				break // the next one in 10 ms
			}
		}
		w.do(w.follower.Want(w.now))
	}
}

func TestABacklogThatANodeGainsOnIsCaughtUpWith(t *testing.T) {
	t.Parallel()
	for _, hears := range []bool{true, false} {
		t.Run(fmt.Sprintf("by the feed %v", hears), func(t *testing.T) {
			t.Parallel()
			w := away(t, 1000, hears)
			w.catchUp(20*second, 2, 3)
			w.settle(2 * second)
			if v := w.follower.View(); len(w.resets) != 1 || v.Cursor != w.real.last() || v.End <= w.now {
				t.Errorf("resets %v, at %d of %d, lease until %d at %d", w.resets, v.Cursor, w.real.last(), v.End, w.now)
			}
			if err := w.check(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestABacklogThatANodeDoesNotGainOnIsAReset(t *testing.T) {
	t.Parallel()
	for name, rates := range map[string][2]int{"it falls behind": {3, 2}, "it keeps its distance": {2, 2}, "it brings nothing": {0, 0}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, hears := range []bool{true, false} {
				w := away(t, 300, hears)
				begun := w.now
				w.catchUp(20*second, rates[0], rates[1])
				if !slices.Contains(w.resets, cursor.Backlog) || w.now-begun > 5*second {
					t.Fatalf("resets %v after %v", w.resets, time.Duration(w.now-begun))
				}
				expect(t, w, cursor.Backlog)
			}
		})
	}
}

// A node without a lease bypasses its memory: it must not do so for hours because it gains a little.
func TestABacklogThatWouldTakeTooLongIsAReset(t *testing.T) {
	t.Parallel()
	w := away(t, 10_000, true)
	w.catchUp(20*second, 0, 1) // 100 a second
	expect(t, w, cursor.Backlog)
}
