package cursor_test

import (
	"testing"
	"time"

	"github.com/lethe-cache/lethe/internal/cursor"
)

func asOf(w *world) int64 { return w.follower.View().AsOf }

func TestLeaseCountsFromTheQuestionAndFromTheFeed(t *testing.T) {
	t.Parallel()
	w := following(t)
	w.store("")
	w.deliver(len(w.flights) - 1)
	heard := w.now
	w.beat(300 * ms)
	w.do(w.follower.Want(w.now))
	asked, j := w.now, len(w.jobs)-1
	w.serve(w.jobs[j])
	w.beat(50 * ms)
	w.report(j)
	if asOf(w) != heard {
		t.Fatalf("as of %v after the last live message; a silent feed proves nothing later", time.Duration(asOf(w)-heard))
	}
	w.store("")
	w.deliver(len(w.flights) - 1)
	if asOf(w) != asked {
		t.Fatalf("as of %v after the question, want the question: the feed has confirmed it", time.Duration(asOf(w)-asked))
	}
}

func TestLeaseOfAnAckWaitsForTheCursor(t *testing.T) {
	t.Parallel()
	w := following(t)
	before := asOf(w)
	w.store("") // missed
	w.flights = nil
	w.beat(ms)
	sent := w.now
	ticket := w.follower.View().Sending(sent)
	own := w.store("")
	w.flights = nil
	w.beat(ms)
	w.do(w.follower.Acked(ticket, own.Seq, false, w.now))
	if asOf(w) != before {
		t.Fatal("an ack that the cursor has not reached renewed the lease")
	}
	w.beat(25 * ms)
	for i := len(w.jobs) - 1; i >= 0; i-- {
		w.serve(w.jobs[i])
		w.report(i)
	}
	if asOf(w) != sent {
		t.Fatalf("as of %v after the sending", time.Duration(asOf(w)-sent))
	}
}

func TestFetchedMessagesDoNotProveTheFeedAlive(t *testing.T) {
	t.Parallel()
	w := following(t)
	heard := w.now
	w.beat(100 * ms)
	m := w.store("")
	w.flights = nil
	w.do(w.follower.Want(w.now))
	for range 20 {
		w.beat(10 * ms)
		for i := len(w.jobs) - 1; i >= 0; i-- {
			w.serve(w.jobs[i])
			w.report(i)
		}
	}
	if v := w.follower.View(); v.Cursor != m.Seq || v.AsOf > heard {
		t.Fatalf("at %d of %d, as of %v after the last live message", v.Cursor, m.Seq, time.Duration(v.AsOf-heard))
	}
}

func TestPauseOfTheProcessMakesArrivalsProveNothing(t *testing.T) {
	t.Parallel()
	w := following(t)
	before := asOf(w)
	end := w.follower.View().End
	w.store("") // waits in a buffer
	w.now += 2 * second
	w.do(w.follower.Beat(w.now, w.now+w.asleep)) // stopped for two seconds
	w.do(w.follower.Want(w.now))
	w.deliver(len(w.flights) - 1)
	var ask *job
	for _, j := range w.jobs {
		if j.Do == cursor.Ask {
			ask = j
		}
	}
	if ask == nil {
		t.Fatal("nothing was asked")
	}
	w.serve(ask)
	for i, j := range w.jobs {
		if j == ask {
			w.report(i)
			break
		}
	}
	if asOf(w) > before+second || w.follower.View().End < end {
		t.Fatalf("as of %v later, by a message that waited in a buffer", time.Duration(asOf(w)-before))
	}
	w.settle(2 * second)
	if asOf(w) < w.now-2*second {
		t.Fatal("after the round trip arrivals prove nothing either")
	}
}

func TestSleepOfTheMachineEndsTheLeaseAndWhatWasOnTheWay(t *testing.T) {
	t.Parallel()
	w := following(t)
	ticket := w.follower.View().Sending(w.now)
	own := w.store("")
	w.asleep += 3600 * second
	w.beat(ms)
	if v := w.follower.View(); v.End != 0 {
		t.Fatalf("a lease until %d after an hour of sleep", v.End)
	}
	w.deliver(len(w.flights) - 1)
	w.do(w.follower.Acked(ticket, own.Seq, false, w.now))
	if v := w.follower.View(); v.End != 0 {
		t.Fatal("an ack of what was sent before the sleep is a lease")
	}
	w.settle(2 * second)
	if v := w.follower.View(); v.End <= w.now || len(w.resets) != 1 {
		t.Fatalf("no lease again, or a Reset: %+v, %v", v, w.resets)
	}
}

func TestSleepBeforeTheFirstBeatEndsTheLeaseAsWell(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.store("")
	w.connect()
	for len(w.jobs) > 0 {
		w.serve(w.jobs[0])
		w.report(0)
		for len(w.flights) > 0 {
			w.now += ms
			w.deliver(0)
		}
	}
	if v := w.follower.View(); v.End == 0 {
		t.Fatal("no lease to lose")
	}
	w.asleep += 3600 * second
	w.beat(ms)
	if v := w.follower.View(); v.End != 0 {
		t.Fatalf("a lease until %d after an hour of sleep", v.End)
	}
}

func TestDuplicateTicksAreSentAgainUnderAnIdOfTheirOwn(t *testing.T) {
	t.Parallel()
	w := following(t)
	before := w.real.last()
	// Somebody holds every id that all nodes share.
	for s := range int64(100) {
		w.real.log = append(w.real.log, &stored{Message: cursor.Message{Seq: w.real.last() + 1, Time: w.now + s}, at: w.now, id: "tick-" + itoa(s), done: true})
	}
	w.settle(10 * second)
	if got := w.real.last() - before - 100; got < 3 || got > 6 {
		t.Fatalf("%d ticks in ten seconds, want one every 2 T", got)
	}
	if v := w.follower.View(); v.End <= w.now {
		t.Fatal("the lease lapsed")
	}
}

func TestAQuietFleetKeepsAboutOneTickASecond(t *testing.T) {
	t.Parallel()
	w := following(t)
	before := w.real.last()
	w.settle(20 * second)
	if got := w.real.last() - before; got < 15 || got > 20 {
		t.Fatalf("%d messages in 20 s", got)
	}
	before = w.real.last()
	for range 100 {
		w.store("")
		w.settle(100 * ms)
	}
	if got := w.real.last() - before; got != 100 {
		t.Fatalf("%d ticks on a busy stream", got-100)
	}
}

func TestWantedProofIsAskedForOnceForAll(t *testing.T) {
	t.Parallel()
	w := following(t)
	w.beat(200 * ms)
	asks := 0
	for range 50 {
		w.do(w.follower.Want(w.now))
		for i := len(w.jobs) - 1; i >= 0; i-- {
			if w.jobs[i].Do == cursor.Ask {
				asks++
			}
			w.serve(w.jobs[i])
			w.report(i)
		}
		w.beat(10 * ms)
	}
	if asks < 3 || asks > 6 {
		t.Fatalf("%d questions for fifty who wanted proof within half a second", asks)
	}
}

func TestDuplicateTickProvesNothing(t *testing.T) {
	t.Parallel()
	w := following(t)
	before := asOf(w)
	for w.now < 3*second { // until the tick is due; what answers it is a leader without a quorum
		w.beat(10 * ms)
		for i := len(w.jobs) - 1; i >= 0; i-- {
			j := w.jobs[i]
			if j.Do == cursor.Tick {
				j.ok, j.dup, j.seq = true, true, w.follower.View().Cursor
			}
			w.report(i)
		}
	}
	if asOf(w) != before {
		t.Fatalf("as of %v later by a duplicate", time.Duration(asOf(w)-before))
	}
}

func TestLeaseOfTheLeadersWordWaitsForTheCursor(t *testing.T) {
	t.Parallel()
	w := following(t)
	before := asOf(w)
	w.beat(200 * ms)
	w.store("") // missed
	w.flights = nil
	m := w.store("")
	w.deliver(0) // beyond the hole, and the feed is alive
	w.do(w.follower.Want(w.now))
	for i, j := range w.jobs {
		if j.Do == cursor.Ask {
			w.serve(j)
			w.report(i)
			break
		}
	}
	if v := w.follower.View(); v.Known != m.Seq || v.AsOf != before {
		t.Fatalf("known %d of %d, as of %v later with a hole", v.Known, m.Seq, time.Duration(v.AsOf-before))
	}
}

func TestSleepMakesWhatWasHeardBeforeProveNothing(t *testing.T) {
	t.Parallel()
	w := following(t)
	w.store("")
	w.deliver(0)
	w.asleep += 3600 * second
	w.beat(ms)
	for range 3 { // the leader answers, and nothing new is heard
		w.beat(200 * ms)
		w.do(w.follower.Want(w.now))
		for i := len(w.jobs) - 1; i >= 0; i-- {
			if w.jobs[i].Do != cursor.Tick {
				w.serve(w.jobs[i])
			}
			w.report(i)
		}
	}
	if v := w.follower.View(); v.End != 0 {
		t.Fatalf("a lease by what was heard before an hour of sleep, as of %d", v.AsOf)
	}
}
