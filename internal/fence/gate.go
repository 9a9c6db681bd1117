package fence

import "sync/atomic"

// Life is what an entry carries besides its value. Times are nanoseconds of the node's monotonic clock.
type Life struct {
	Birth   uint64   // the clock, read before the load began
	Start   int64    // when the load began, read before the birth
	Expires int64    // fresh until
	End     int64    // end of life: never served at or after, stale or by policy
	Labels  []uint64 // hashes of everything that makes it stale
}

// Memo remembers the clock at which an entry was last found valid. The zero Memo remembers nothing.
type Memo struct{ clock atomic.Uint64 }

// Gate is what every read passes: the fences, the lease and the time, in the one order that is right.
type Gate struct {
	*Fence
	Lease *atomic.Int64 // end of the lease; a lapsed one stays to be counted from
	Now   func() int64  // the node's monotonic clock, read in the call, never by a ticker
}

// Reading is what a read found.
type Reading struct {
	Verdict Verdict
	Now     int64
	Lease   int64 // end of the lease, as it was before the fences were asked
}

// Leased reports whether the node could prove at the time of the reading that it is current.
func (r Reading) Leased() bool { return r.Now < r.Lease }

// Read checks an entry. memo may be nil.
//
//  1. The end of the lease is loaded. After the fences, it could be one that was renewed by applying what the fences had not
//     seen yet.
//  2. The fences are checked, or the clock is compared with the one remembered. The remembered clock is read before the check:
//     read after, it could belong to an invalidation that the check did not see.
//  3. The time is read, last: a reader that was stopped before finds out.
func (g *Gate) Read(l *Life, memo *Memo) Reading {
	r := Reading{Lease: g.Lease.Load()}
	clock := g.clock.Load()
	if memo == nil || memo.clock.Load() != clock {
		r.Verdict = g.Check(l.Birth, l.Labels...)
		if memo != nil && r.Verdict == Fresh {
			memo.clock.Store(clock)
		}
	}
	r.Now = g.Now()
	return r
}

// Ask is how a caller that may have to wait for a load stands: (1) the lease, (2) the clock, (3) the time, in this order.
func (g *Gate) Ask() (clock uint64, leased bool) {
	end := g.Lease.Load()
	clock = g.clock.Load()
	return clock, g.Now() < end
}

// Valid is the check that a caller makes itself after a flight it waited for has ended: its labels may not have been
// invalidated since its birth, and the lease must hold. Expiry is not asked: who waited for a load may have its result. Its age
// is: what began before the fences reach back can't be checked any more, since rotation forgets on the word of end of life.
func (g *Gate) Valid(l *Life) bool {
	r := g.Read(l, nil)
	return r.Verdict == Fresh && r.Leased() && r.Now-l.Start < g.rotate
}

// Recent is the check of a caller that can't trust its lease, of what began to load after the outermost read above that caller: its
// labels may not have been invalidated since its birth, and its life may not have ended.
func (g *Gate) Recent(l *Life) bool {
	verdict := g.Check(l.Birth, l.Labels...)
	now := g.Now()
	return verdict == Fresh && now < l.End && now-l.Start < g.rotate
}

// Admit says whether an entry may be written over have (nil when there is none): not when it is already invalid or dead, nor
// when have began to load later. Store and promotion ask it under the lock of the entry's key, so that none undoes another.
func (g *Gate) Admit(l, have *Life) bool {
	if have != nil && have.Start > l.Start {
		return false
	}
	return g.Check(l.Birth, l.Labels...) == Fresh && g.Now() < l.End
}
