package cursor_test

import (
	"strconv"
	"testing"

	"github.com/lethe-cache/lethe/internal/cursor"
)

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// lostTicks counts what the node has stored under "lost".
func lostTicks(w *world) (n int) {
	for _, m := range w.all {
		if m.lost {
			n++
		}
	}
	return n
}

func TestLostIsToldByWhoSawNumbersGivenAnew(t *testing.T) {
	t.Parallel()
	w := following(t)
	live(w, w.follower.View().Cursor, 12345)
	expect(t, w, cursor.Reused)
	if lostTicks(w) != 1 {
		t.Fatalf("told %d times", lostTicks(w))
	}
	if len(w.resets) != 2 {
		t.Fatalf("the node heard itself: %v", w.resets)
	}
}

func TestLostOfAnotherFencesAtOnceAndIsNotRepeated(t *testing.T) {
	t.Parallel()
	w := following(t)
	m := w.store("")
	w.flights = nil
	w.do(w.follower.Lost(m.Seq, false, w.now))
	if v := w.follower.View(); v.End != 0 || v.Standing || !m.done {
		t.Fatalf("lease until %d, standing %v, fenced %v", v.End, v.Standing, m.done)
	}
	expect(t, w, cursor.LostTold)
	if lostTicks(w) != 0 {
		t.Fatal("it was repeated")
	}
	resets := len(w.resets)
	w.do(w.follower.Lost(m.Seq, false, w.now)) // its answer counts it already
	if len(w.resets) != resets || !w.follower.View().Standing {
		t.Fatal("old news made a Reset")
	}
}

func TestLostToldOftenIsAskedForOnceASecond(t *testing.T) {
	t.Parallel()
	w := following(t)
	w.settle(2 * second)
	asked := 0
	for range 300 {
		m := w.store("")
		w.flights = nil
		w.do(w.follower.Lost(m.Seq, false, w.now))
		for i := len(w.jobs) - 1; i >= 0; i-- {
			if w.jobs[i].Do == cursor.Ping {
				asked++
			}
			w.serve(w.jobs[i])
			w.report(i)
		}
		w.beat(10 * ms)
	}
	if asked == 0 || asked > 5 {
		t.Fatalf("%d Resets in three seconds of \"lost\"", asked)
	}
}

func TestLostHeardWhileAskingIsCountedByTheAnswer(t *testing.T) {
	t.Parallel()
	w := following(t)
	live(w, w.follower.View().Cursor, 12345)
	for w.jobs[0].Do != cursor.Ask {
		w.serve(w.jobs[0])
		w.report(0)
	}
	w.serve(w.jobs[0]) // answered before the "lost" was stored
	m := w.store("")
	w.flights = nil
	w.do(w.follower.Lost(m.Seq, false, w.now))
	w.report(0)
	if w.follower.View().Standing {
		t.Fatal("an answer older than the \"lost\" ended the Reset")
	}
	expect(t, w, cursor.Reused)
}
