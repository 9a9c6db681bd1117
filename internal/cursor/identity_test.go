package cursor_test

import (
	"testing"

	"github.com/lethe-cache/lethe/internal/cursor"
)

// live hands the node a message as if the feed had brought it just now.
func live(w *world, seq uint64, time int64) {
	w.number++
	w.do(w.follower.Live(cursor.Arrival{Message: cursor.Message{Seq: seq, Time: time}, At: w.now, Conn: w.conn, Number: w.number}, w.now))
}

// probe asks and answers, with a change to the answer.
func probe(t *testing.T, w *world, change func(*cursor.Info)) {
	t.Helper()
	w.beat(200 * ms)
	w.do(w.follower.Want(w.now))
	for i, j := range w.jobs {
		if j.Do == cursor.Ask {
			w.serve(j)
			change(&j.info)
			w.report(i)
			return
		}
	}
	t.Fatal("nothing was asked")
}

func TestNumberGivenAnewIsSeenOnTheLiveFeed(t *testing.T) {
	t.Parallel()
	w := following(t)
	live(w, w.follower.View().Cursor, 12345)
	expect(t, w, cursor.Reused)
}

func TestNumberGivenAnewIsSeenWhenCatchingUp(t *testing.T) {
	t.Parallel()
	w := following(t)
	w.real.log[len(w.real.log)-1] = &stored{Message: cursor.Message{Seq: w.real.last(), Time: 12345}, at: w.now}
	w.store("")
	w.flights = nil
	w.store("")
	expect(t, w, cursor.Reused)
}

func TestNumberGivenAnewIsSeenByAProbe(t *testing.T) {
	t.Parallel()
	w := following(t)
	probe(t, w, func(in *cursor.Info) { in.LastTime++ })
	expect(t, w, cursor.Reused)
}

func TestNumberBelowWhatIsKnownIsSeenByAProbe(t *testing.T) {
	t.Parallel()
	w := following(t)
	probe(t, w, func(in *cursor.Info) { in.Last--; in.LastTime = 0 })
	expect(t, w, cursor.Back)
}

func TestNumberOfAQuestionIsComparedWithWhatWasKnownWhenItWasAsked(t *testing.T) {
	t.Parallel()
	w := following(t)
	resets := len(w.resets)
	w.beat(200 * ms)
	w.do(w.follower.Want(w.now))
	j := w.jobs[len(w.jobs)-1]
	w.serve(j) // answered, and the answer is overtaken
	w.store("")
	w.deliver(len(w.flights) - 1)
	w.report(len(w.jobs) - 1)
	if len(w.resets) != resets || !w.follower.View().Standing {
		t.Fatal("a message that overtook an answer made a Reset")
	}
}

func TestNumberFromLongAgoIsDoubt(t *testing.T) {
	t.Parallel()
	w := following(t)
	for range 1100 {
		w.store("")
		w.deliver(len(w.flights) - 1)
	}
	live(w, 5, w.real.log[4].Time)
	expect(t, w, cursor.Back)
}

func TestNumberFromBeforeTheResetIsLateAndNoDoubt(t *testing.T) {
	t.Parallel()
	w := following(t)
	live(w, 1, w.real.log[0].Time)
	if !w.follower.View().Standing {
		t.Fatal("a late message made a Reset")
	}
	live(w, 1, w.now*2)
	expect(t, w, cursor.Back)
}

func TestAckAtOrBelowWhatWasKnownIsDoubt(t *testing.T) {
	t.Parallel()
	w := following(t)
	v := w.follower.View()
	ticket := v.Sending(w.now)
	if ticket.Known() != v.Known {
		t.Fatalf("known %d, want %d", ticket.Known(), v.Known)
	}
	w.do(w.follower.Acked(ticket, v.Known, true, w.now)) // a duplicate is old by nature
	if !w.follower.View().Standing {
		t.Fatal("a duplicate made a Reset")
	}
	w.do(w.follower.Acked(ticket, v.Known, false, w.now))
	expect(t, w, cursor.Back)
}

func TestConnectionThatIsNewMovesNothingBeforeItWasChecked(t *testing.T) {
	t.Parallel()
	w := following(t)
	at := w.follower.View().Cursor
	// 1. The server loses the last message, gives its number to another and stores one more.
	w.real.log = w.real.log[:len(w.real.log)-1]
	w.flights = nil
	w.up = false
	w.store("")
	w.store("")
	// 2. The first message on the new connection comes before the news of the connection.
	w.conn++
	w.up = true
	live(w, w.real.last(), w.real.log[len(w.real.log)-1].Time)
	if v := w.follower.View(); v.Cursor != at {
		t.Fatalf("the cursor went from %d to %d over what it has not seen", at, v.Cursor)
	}
	w.do(w.follower.Connected(w.conn, w.now))
	expect(t, w, cursor.Reused)
}

func TestHeldMessageOlderThanWhatItFollowsIsComparedFirst(t *testing.T) {
	t.Parallel()
	w := following(t)
	at := w.follower.View().Cursor
	live(w, at+2, 5) // of a stream that has since lost it
	a := w.store("")
	w.store("") // the impostor of at+2, which the node does not hear
	w.flights = nil
	live(w, a.Seq, a.Time)
	if v := w.follower.View(); v.Cursor != at+1 {
		t.Fatalf("the cursor went from %d to %d", at, v.Cursor)
	}
	expect(t, w, cursor.Reused)
}

func TestHeldMessageIsComparedWithWhatIsFetched(t *testing.T) {
	t.Parallel()
	w := following(t)
	at := w.follower.View().Cursor
	live(w, at+2, w.now*2)
	w.store("")
	w.store("")
	w.flights = nil
	expect(t, w, cursor.Reused)
}

func TestHeldMessagesAreBounded(t *testing.T) {
	t.Parallel()
	w := following(t)
	w.store("") // the hole
	for range 100 {
		w.store("")
	}
	for _, f := range w.flights[1:] {
		live(w, f.Seq, f.Time)
	}
	seen := 0
	for _, f := range w.flights {
		if w.follower.Seen(f.Message) {
			seen++
		}
	}
	if seen != 20 {
		t.Fatalf("%d messages are held, the bound is 20", seen)
	}
	w.flights = nil
	w.settle(second)
	if v := w.follower.View(); v.Cursor != w.real.last() || len(w.resets) != 1 {
		t.Fatalf("at %d of %d, resets %v", v.Cursor, w.real.last(), w.resets)
	}
}

func TestHeadBeyondTheCursorIsAReset(t *testing.T) {
	t.Parallel()
	w := following(t)
	for range 5 {
		w.store("")
	}
	w.flights = nil
	w.real.kept = len(w.real.log)
	probe(t, w, func(*cursor.Info) {})
	if w.follower.View().Standing {
		t.Fatal("nothing is left to fetch, and the node goes on fetching")
	}
	expect(t, w, cursor.Head)
}

func TestHoleInTheLogIsAReset(t *testing.T) {
	t.Parallel()
	w := following(t)
	gone := w.store("")
	gone.done = true // an admin took it out: nobody can have it
	w.store("")
	w.flights = nil
	w.do(w.follower.Want(w.now))
	for range 200 {
		w.beat(10 * ms)
		for i := len(w.jobs) - 1; i >= 0; i-- {
			j := w.jobs[i]
			w.serve(j)
			for k, m := range j.found {
				if m == gone {
					j.found = append(j.found[:k:k], j.found[k+1:]...)
					break
				}
			}
			w.report(i)
		}
	}
	expect(t, w, cursor.Hole)
}

func TestEpochOfAnotherStreamIsAReset(t *testing.T) {
	t.Parallel()
	w := following(t)
	w.real = &stream{epoch: "other", first: w.real.last() + 1}
	probe(t, w, func(*cursor.Info) {})
	expect(t, w, cursor.Epoch)
}

func TestConnectionThatIsNewProvesNothingAboutACursorOnNothing(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.store("")
	w.store("")
	w.real.kept = 2 // purged before the node came
	w.connect()
	for w.jobs[0].Do != cursor.Tick {
		w.serve(w.jobs[0])
		w.report(0)
	}
	w.disconnect()
	// The server loses what it had, gives the number to another message, and that is purged as well.
	w.real.log = w.real.log[:1]
	w.store("")
	w.real.kept = 2
	w.connect()
	expect(t, w, cursor.Head)
}

func TestHoleIsNotJumpedAndClosesByItselfOrByFetching(t *testing.T) {
	t.Parallel()
	w := following(t)
	at, healed := w.follower.View().Cursor, w.follower.View().Healed
	w.store("")
	w.store("")
	w.deliver(1)
	if v := w.follower.View(); v.Cursor != at || v.Known != at+2 {
		t.Fatalf("at %d, known %d, with %d missing", v.Cursor, v.Known, at+1)
	}
	w.deliver(0) // only reordered
	if v := w.follower.View(); v.Cursor != at+2 || v.Healed != healed {
		t.Fatalf("at %d, %d healed by fetching", v.Cursor, v.Healed)
	}
	w.store("")
	w.store("")
	w.flights = w.flights[1:] // lost
	w.settle(100 * ms)
	if v := w.follower.View(); v.Cursor != at+4 || v.Healed != healed+1 || len(w.resets) != 1 {
		t.Fatalf("at %d of %d, %d healed by fetching, resets %v", v.Cursor, at+4, v.Healed, w.resets)
	}
}

func TestConnectionThatIsNewIsCheckedBeforeTheFeedMovesTheCursor(t *testing.T) {
	t.Parallel()
	w := following(t)
	at := w.follower.View().Cursor
	w.disconnect()
	w.real.log = w.real.log[:len(w.real.log)-1]
	w.store("") // given anew
	w.connect()
	w.serve(w.jobs[0])
	w.report(0) // the round trip
	w.store("")
	w.deliver(0) // follows the cursor by its number, and arrives before the leader has answered
	if v := w.follower.View(); v.Cursor != at {
		t.Fatalf("the cursor went from %d to %d", at, v.Cursor)
	}
	expect(t, w, cursor.Reused)
}

func TestHeadThatTookTheCursorsMessageIsAReset(t *testing.T) {
	t.Parallel()
	w := following(t)
	w.store("")
	w.store("")
	w.flights = w.flights[1:]
	w.real.kept = len(w.real.log) - 2 // the message at the cursor is gone, what follows it is there
	expect(t, w, cursor.Head)
}
