package cursor_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestWhateverHappensNothingIsPassedAndNoLeaseIsTooLong drives a Follower against a server that loses its tail, is created
// anew, purged and partitioned, over a feed that drops, repeats, reorders and delays, with a machine that stops and sleeps.
// Each run has its own climate: only some of the faults happen in it, so that some runs get far.
func TestWhateverHappensNothingIsPassedAndNoLeaseIsTooLong(t *testing.T) {
	t.Parallel()
	var longest, leased int
	for range 30 { // rapid's own number of checks is a flag of the whole binary
		rapid.Check(t, func(rt *rapid.T) {
			w := newWorld()
			w.store("")
			w.store("")
			w.connect()
			if rapid.Bool().Draw(rt, "warm") {
				w.settle(2 * int64(time.Second))
			}
			menu := climate(rt)
			for range rapid.IntRange(10, 120).Draw(rt, "steps") {
				s := rapid.SampledFrom(menu).Draw(rt, "step")
				if do := s.do(rt, w); do != nil {
					do()
				}
				if err := w.check(); err != nil {
					rt.Fatal(err)
				}
			}
			longest = max(longest, len(w.all))
			if w.granted > w.now {
				leased++
			}
			if !w.up {
				w.connect()
			}
			w.stale, w.lag = nil, 0
			w.settle(12 * int64(time.Second))
			if err := w.check(); err != nil {
				rt.Fatal(err)
			}
			v := w.follower.View()
			if v.Cursor != w.real.last() || v.Epoch != w.real.epoch || v.End <= w.now {
				rt.Fatalf("a healthy network for 12 s, and still at %d of %d, epoch %s of %s, lease until %d, now %d",
					v.Cursor, w.real.last(), v.Epoch, w.real.epoch, v.End, w.now)
			}
		})
	}
	if leased == 0 {
		t.Error("no run ended with a lease: nothing was tried")
	}
	t.Logf("up to %d messages a run, %d runs ended with a lease", longest, leased)
}

// step does something to the world; nil where it can't be done now.
type step struct {
	name string
	do   func(*rapid.T, *world) func()
}

func (s step) String() string { return s.name }

// climate draws what can happen: life always, most of it most often, and each kind of fault or not.
func climate(rt *rapid.T) []step {
	menu := slices.Concat(life, life, life)
	for _, f := range faults {
		for range rapid.SampledFrom([]int{0, 0, 1, 3}).Draw(rt, f.name) {
			menu = append(menu, f)
		}
	}
	return menu
}

// one draws an index below n.
func one(rt *rapid.T, n int) int { return rapid.IntRange(0, n-1).Draw(rt, "which") }

var life = []step{
	{"publish", func(_ *rapid.T, w *world) func() { return func() { w.store("") } }},
	{"own publish", func(rt *rapid.T, w *world) func() {
		if !w.up || w.stale != nil {
			return nil
		}
		return func() {
			ticket := w.follower.View().Sending(w.now)
			m := w.store("")
			m.done = true // fenced before it was published
			w.now += int64(rapid.IntRange(0, 50).Draw(rt, "ms")) * ms
			w.do(w.follower.Acked(ticket, m.Seq, false, w.now))
		}
	}},
	{"deliver", func(_ *rapid.T, w *world) func() {
		if len(w.flights) == 0 {
			return nil
		}
		return func() { w.deliver(0) }
	}},
	{"serve", func(rt *rapid.T, w *world) func() {
		if len(w.jobs) == 0 {
			return nil
		}
		return func() {
			if j := w.jobs[one(rt, len(w.jobs))]; !j.served {
				w.serve(j)
			}
		}
	}},
	{"serve and report", func(rt *rapid.T, w *world) func() {
		if len(w.jobs) == 0 {
			return nil
		}
		return func() {
			i := one(rt, len(w.jobs))
			if !w.jobs[i].served {
				w.serve(w.jobs[i])
			}
			w.report(i)
		}
	}},
	{"beat", func(rt *rapid.T, w *world) func() {
		return func() { w.beat(int64(rapid.IntRange(1, 100).Draw(rt, "ms")) * ms) }
	}},
	{"time", func(rt *rapid.T, w *world) func() {
		return func() {
			for range rapid.IntRange(1, 30).Draw(rt, "beats") {
				w.beat(100 * ms)
			}
		}
	}},
	{"want", func(_ *rapid.T, w *world) func() { return func() { w.do(w.follower.Want(w.now)) } }},
	{"work", func(rt *rapid.T, w *world) func() {
		return func() { w.settle(int64(rapid.IntRange(1, 3000).Draw(rt, "ms")) * ms) }
	}},
}

var faults = []step{
	{"reorder", func(rt *rapid.T, w *world) func() {
		if len(w.flights) < 2 {
			return nil
		}
		return func() { w.deliver(one(rt, len(w.flights))) }
	}},
	{"drop", func(rt *rapid.T, w *world) func() {
		if len(w.flights) == 0 {
			return nil
		}
		return func() { i := one(rt, len(w.flights)); w.flights = slices.Delete(w.flights, i, i+1) }
	}},
	{"dead feed", func(_ *rapid.T, w *world) func() { return func() { w.flights = nil } }},
	{"repeat", func(rt *rapid.T, w *world) func() {
		if len(w.flights) == 0 {
			return nil
		}
		return func() {
			f := *w.flights[one(rt, len(w.flights))]
			w.flights = append(w.flights, &f)
		}
	}},
	{"overflow", func(_ *rapid.T, w *world) func() {
		return func() { w.flights = nil; w.do(w.follower.Overflowed(w.now)) }
	}},
	{"fail", func(rt *rapid.T, w *world) func() {
		if len(w.jobs) == 0 {
			return nil
		}
		return func() {
			i := one(rt, len(w.jobs))
			w.jobs[i].ok = false
			w.report(i)
		}
	}},
	{"pause", func(rt *rapid.T, w *world) func() {
		return func() { w.beat(int64(rapid.IntRange(1000, 12_000).Draw(rt, "ms")) * ms) }
	}},
	{"sleep", func(rt *rapid.T, w *world) func() {
		// The monotonic clock stands still while the fleet goes on: for the node, all that was stored was stored earlier.
		return func() {
			d := int64(rapid.IntRange(2000, 20_000).Draw(rt, "ms")) * ms
			w.asleep += d
			for _, s := range w.all {
				s.at -= d
			}
			w.beat(ms)
		}
	}},
	{"lag", func(rt *rapid.T, w *world) func() {
		return func() { w.lag = uint64(rapid.IntRange(0, 3).Draw(rt, "messages")) }
	}},
	{"disconnect", func(_ *rapid.T, w *world) func() {
		if !w.up {
			return nil
		}
		return w.disconnect
	}},
	{"connect", func(_ *rapid.T, w *world) func() {
		if w.up {
			return nil
		}
		return w.connect
	}},
	{"crash", func(rt *rapid.T, w *world) func() {
		// A power failure takes the tail; its numbers are given anew, perhaps by a clock that is behind.
		return func() {
			w.disconnect()
			n := rapid.IntRange(0, min(5, len(w.real.log))).Draw(rt, "lost")
			w.real.log = w.real.log[:len(w.real.log)-n]
			w.real.kept = min(w.real.kept, len(w.real.log))
			w.skew = int64(rapid.IntRange(-500, 500).Draw(rt, "skew ms")) * ms
			for range rapid.IntRange(0, 6).Draw(rt, "stored anew") {
				w.store("")
			}
			w.conn++
			w.up = true
			for range rapid.IntRange(0, 2).Draw(rt, "overtaking the news") {
				w.store("")
				w.deliver(len(w.flights) - 1)
			}
			w.do(w.follower.Connected(w.conn, w.now))
		}
	}},
	{"create anew", func(rt *rapid.T, w *world) func() {
		return func() {
			w.disconnect()
			first := uint64(1)
			if rapid.Bool().Draw(rt, "above") {
				first = w.real.last() + 1
			}
			w.unique++
			w.real = &stream{epoch: fmt.Sprint("e", w.unique), first: first}
			for range rapid.IntRange(0, 8).Draw(rt, "stored") {
				w.store("")
			}
			w.connect()
		}
	}},
	{"truncate", func(rt *rapid.T, w *world) func() {
		return func() { w.real.kept = rapid.IntRange(w.real.kept, len(w.real.log)).Draw(rt, "kept from") }
	}},
	{"partition", func(_ *rapid.T, w *world) func() {
		// The node stays with a leader that has lost its quorum. (With a feed that delays as well it could be fooled: that is
		// the bound's known price.)
		if !w.up || w.stale != nil {
			return nil
		}
		return func() {
			w.flights = nil
			w.stale = w.real.clone()
		}
	}},
	{"heal", func(_ *rapid.T, w *world) func() {
		if w.stale == nil {
			return nil
		}
		return func() { w.stale = nil }
	}},
}
