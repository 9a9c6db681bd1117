package cursor_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lethe-cache/lethe/internal/cursor"
)

const second = int64(time.Second)

// following is a world whose node follows, at the end of a stream of some messages.
func following(t *testing.T) *world {
	t.Helper()
	w := newWorld()
	for range 3 {
		w.store("")
	}
	w.connect()
	w.settle(second / 2)
	if v := w.follower.View(); v.End <= w.now || v.Cursor != w.real.last() {
		t.Fatalf("not following: %+v", v)
	}
	return w
}

// expect checks that the Resets so far ended with this cause, after a healthy while.
func expect(t *testing.T, w *world, cause cursor.Cause) {
	t.Helper()
	w.settle(2 * second)
	if w.broken != nil {
		t.Fatal(w.broken)
	}
	if last := w.resets[len(w.resets)-1]; last != cause {
		t.Fatalf("resets %v, want %q as the last", w.resets, cause)
	}
	if v := w.follower.View(); v.End <= w.now || v.Cursor != w.real.last() {
		t.Fatalf("not following again: %+v", v)
	}
}

// names are what Actions ask for, in order.
func names(as []cursor.Action) string {
	words := map[cursor.Do]string{
		cursor.Fence: "fence", cursor.Grant: "grant", cursor.Done: "done", cursor.Ping: "ping",
		cursor.Ask: "ask", cursor.Fetch: "fetch", cursor.Tick: "tick",
	}
	var out []string
	for _, a := range as {
		out = append(out, words[a.Do])
	}
	return strings.Join(out, " ")
}

func TestResetFencesBeforeTheQuestionAndBeforeTheCursorStands(t *testing.T) {
	t.Parallel()
	f := cursor.New(cursor.Config{}, second, second)
	step := func(as []cursor.Action, want string) []cursor.Action {
		t.Helper()
		as = slices.Clone(as)
		if got := names(as); got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
		return as
	}
	ping := step(f.Connected(1, second), "grant fence ping")
	ask := step(f.Pong(ping[2].ID, 0, true, second), "ask")
	if f.View().Standing {
		t.Fatal("the cursor stands before there is an answer")
	}
	in := cursor.Info{Epoch: "e", First: 1, Last: 7, LastTime: 1, Asked: second, At: second}
	tick := step(f.Answered(ask[0].ID, in, true, second), "fence done tick")
	if v := f.View(); v.Cursor != 7 || v.End != 0 || !tick[2].Fresh || tick[1].Cause != cursor.Start {
		t.Fatalf("%+v %+v", v, tick)
	}
	ticket := f.View().Sending(second)
	step(f.Ticked(tick[2].ID, ticket, 8, false, true, second+ms), "") // stored, but not reached
	grant := step(f.Live(cursor.Arrival{Message: cursor.Message{Seq: 8, Time: 2}, At: second + ms, Conn: 1, Number: 1}, second+ms), "grant")
	if grant[0].End != second+maxStaleness {
		t.Fatalf("the first lease ends %v after the sending of the tick", time.Duration(grant[0].End-second))
	}
}

func TestResetEndsWithATickOfItsOwnAndNothingElse(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.connect()
	for range 600 { // all works, other nodes are heard, but the node itself can't publish
		w.beat(10 * ms)
		w.store("")
		for len(w.flights) > 0 {
			w.deliver(0)
		}
		for i := len(w.jobs) - 1; i >= 0; i-- {
			if w.jobs[i].Do != cursor.Tick {
				w.serve(w.jobs[i])
			}
			w.report(i)
		}
	}
	if v := w.follower.View(); v.Ready || v.End != 0 || v.Cursor == 0 {
		t.Fatalf("a node that can't publish ticks is ready: %+v", v)
	}
}

func TestResetCountsNothingThatArrivedBeforeItsAnswer(t *testing.T) {
	t.Parallel()
	w := following(t)
	late := cursor.Arrival{Message: cursor.Message{Seq: w.real.last() + 1, Time: 1}, At: w.now, Conn: w.conn, Number: w.number + 1}
	w.real = &stream{epoch: "e2", first: 1}
	for range 3 {
		w.store("")
	}
	w.settle(3 * second)
	late.Number = w.number + 1000 // of the old stream, it waited in a queue of the node until now
	at := w.follower.View().Cursor
	late.Seq = at + 1
	w.do(w.follower.Live(late, w.now))
	if v := w.follower.View(); v.Cursor != at || v.Known != at {
		t.Fatalf("the cursor went from %d to %d, known %d", at, v.Cursor, v.Known)
	}
}

func TestResetsThatFollowEachOtherAreSpaced(t *testing.T) {
	t.Parallel()
	w := following(t)
	pings := 0
	for range 1000 { // each answer is followed by a contradiction
		for i := len(w.jobs) - 1; i >= 0; i-- {
			if w.jobs[i].Do == cursor.Ping {
				pings++
			}
			w.serve(w.jobs[i])
			w.report(i)
		}
		v := w.follower.View()
		w.do(w.follower.Live(cursor.Arrival{
			Message: cursor.Message{Seq: v.Cursor, Time: 99}, At: w.now, Conn: w.conn, Number: w.number + 1,
		}, w.now))
		w.beat(ms)
	}
	if pings == 0 || pings > 20 {
		t.Fatalf("%d resets asked in a second", pings)
	}
}

// Two streams of one name, behind a leaf node that has a JetStream of its own: each Reset ends with a lease, and the next
// message is a contradiction.
func TestResetsWithALeaseInBetweenAreSpacedAsWell(t *testing.T) {
	t.Parallel()
	w := following(t)
	leases, had := 0, len(w.resets)
	for begun := w.now; w.now-begun < second; {
		if v := w.follower.View(); v.Standing && w.granted > w.now {
			leases++
			w.do(w.follower.Live(cursor.Arrival{
				Message: cursor.Message{Seq: v.Cursor, Time: 99}, At: w.now, Conn: w.conn, Number: w.number + 1,
			}, w.now))
		}
		w.settle(5 * ms)
	}
	if n := len(w.resets) - had; n == 0 || n > 20 || leases == 0 {
		t.Fatalf("%d Resets in a second, %d leases", n, leases)
	}
}

func TestEveryWaitForTheTimeIsDue(t *testing.T) {
	t.Parallel()
	w := following(t)
	for range 100 {
		due := w.follower.Due()
		if due <= w.now {
			t.Fatalf("due at %d, now %d: nothing was done", due, w.now)
		}
		w.now = due
		before := len(w.jobs)
		w.do(w.follower.Beat(w.now, w.now))
		if len(w.jobs) == before && w.follower.Due() <= w.now {
			t.Fatal("what was due was not done")
		}
		w.settle(ms)
	}
}

// An owner sets a timer to what is due. Were something due that can't be done, it would go round without end.
func TestNothingIsDueThatWaitsForAnAnswer(t *testing.T) {
	t.Parallel()
	f := cursor.New(cursor.Config{}, 1, 1)
	now := int64(1)
	quiet := func(when string) {
		t.Helper()
		f.Beat(now, now)
		if due := f.Due(); due != 0 && due <= now {
			t.Errorf("%s: due at %d although it is %d and everything was done", when, due, now)
		}
		now += ms
	}
	find := func(as []cursor.Action, do cursor.Do) cursor.Action {
		t.Helper()
		for _, a := range as {
			if a.Do == do {
				return a
			}
		}
		t.Fatalf("no action %d among %v", do, as)
		return cursor.Action{}
	}
	ping := find(f.Connected(1, now), cursor.Ping)
	quiet("the ping is out")
	ask := find(f.Pong(ping.ID, 0, true, now), cursor.Ask)
	quiet("the question is out")
	find(f.Answered(ask.ID, cursor.Info{Epoch: "e", First: 1, Last: 7, LastTime: 5, Asked: now, At: now}, true, now), cursor.Tick)
	quiet("the tick is out")
	f.Want(now)
	quiet("somebody waits")
	f.Disconnected(now)
	quiet("disconnected")
	ping = find(f.Connected(2, now), cursor.Ping)
	quiet("connected again, with a tick owed")
	f.Want(now)
	find(f.Pong(ping.ID, 0, true, now), cursor.Ask)
	quiet("the question is out, with a tick owed and somebody waiting")
	f.Overflowed(now)
	quiet("and a hole")
}

// 1. A message comes late on the live feed, when others were stored beyond it already.
// 2. The node reconnects, to the side of a leader that was cut off before those.
// 3. That leader's word is confirmed by nothing the new connection has brought.
func TestWhatCameBeforeAReconnectConfirmsNoLeader(t *testing.T) {
	t.Parallel()
	w := following(t)
	before := w.follower.View()
	late := w.now + 3000*ms
	f := w.follower
	f.Live(cursor.Arrival{Message: cursor.Message{Seq: before.Cursor + 1, Time: w.now + 5}, At: late, Conn: 1, Number: 1000}, late)
	if f.View().Cursor != before.Cursor+1 {
		t.Fatal("the message did not move the cursor: this shows nothing")
	}
	f.Disconnected(late)
	as := f.Connected(2, late)
	as = f.Pong(as[len(as)-1].ID, 1000, true, late+ms)
	var ask cursor.Action
	for _, a := range as {
		if a.Do == cursor.Ask {
			ask = a
		}
	}
	f.Answered(ask.ID, cursor.Info{
		Epoch: before.Epoch, First: 1, Last: before.Cursor + 1, LastTime: w.now + 5, Asked: late + ms, At: late + 2*ms,
	}, true, late+2*ms)
	if got := f.View().AsOf; got > before.AsOf {
		t.Errorf("the lease was renewed as of %d, it was of %d: the word of a leader that is cut off was believed", got, before.AsOf)
	}
}
