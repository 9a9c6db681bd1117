package cursor_test

import (
	"testing"

	"github.com/lethe-cache/lethe/internal/cursor"
)

// fetches counts the fetches that are under way.
func fetches(w *world) (n int) {
	for _, j := range w.jobs {
		if j.Do == cursor.Fetch {
			n++
		}
	}
	return n
}

func TestAHoleBehindWhichTheFeedGoesOnIsFetchedAtOnce(t *testing.T) {
	t.Parallel()
	w := following(t)
	w.store("") // missed
	w.flights = nil
	w.store("")
	w.deliver(0)
	if fetches(w) != 1 {
		t.Fatalf("%d fetches, want one without waiting", fetches(w))
	}
}

// What is known only from an acknowledgement or an answer is most often on its way.
func TestWhatIsOnlyKnownOfGetsAMomentToCome(t *testing.T) {
	t.Parallel()
	w := following(t)
	w.store("")
	probe(t, w, func(*cursor.Info) {})
	if fetches(w) != 0 {
		t.Fatal("it is fetched before it could come")
	}
	w.deliver(0)
	w.beat(30 * ms)
	if fetches(w) != 0 || w.follower.View().Cursor != w.real.last() {
		t.Fatal("it has come, and is fetched nevertheless")
	}
	w.store("")
	w.flights = nil
	probe(t, w, func(*cursor.Info) {})
	w.beat(30 * ms)
	if fetches(w) != 1 {
		t.Fatal("it has not come, and is not fetched")
	}
}

// After a change of leaders messages overtake each other: there a hole gets its moment too, until the feed keeps its order again.
func TestAHoleOfAFeedOutOfOrderGetsAMomentToClose(t *testing.T) {
	t.Parallel()
	w := following(t)
	overtaken := func() {
		t.Helper()
		w.store("")
		w.store("")
		w.deliver(1)
	}
	overtaken()
	w.deliver(0) // the feed is seen to be out of order
	w.settle(second)
	overtaken()
	if fetches(w) != 0 {
		t.Fatal("a hole that the feed may close is fetched")
	}
	w.deliver(0)
	w.beat(30 * ms)
	if fetches(w) != 0 || w.follower.View().Cursor != w.real.last() {
		t.Fatal("the feed has closed it, and it is fetched nevertheless")
	}
	w.settle(11 * second)
	overtaken()
	if fetches(w) != 1 {
		t.Fatal("the feed has kept its order for long, and a hole is still waited for")
	}
}
