package fence

import (
	"math"
	"sync/atomic"
	"testing"
)

// schedule is a gate whose clock runs what happens at the moment at which the time is read, and then shows what it was before.
// A step taken after the time was read therefore sees a world that went on, as after a pause of the process.
type schedule struct {
	Gate
	time int64
	then func()
}

func newSchedule(cfg Config) *schedule {
	s := &schedule{Gate: Gate{Fence: New(cfg, 0), Lease: &atomic.Int64{}}}
	s.Lease.Store(math.MaxInt64)
	s.Now = func() int64 {
		now := s.time
		if then := s.then; then != nil {
			s.then = nil
			then()
		}
		return now
	}
	return s
}

// An event waits, the lease has lapsed. Catching up applies the event and renews the lease while a read is under way.
func TestAReadLoadsTheLeaseBeforeTheFences(t *testing.T) {
	t.Parallel()
	s := newSchedule(Config{})
	s.time = 100
	s.Lease.Store(50)
	l := Life{Birth: s.Clock(), Labels: []uint64{1}, Expires: math.MaxInt64, End: math.MaxInt64}
	s.then = func() {
		s.Invalidate(100, false, 1)
		s.Lease.Store(200)
	}
	if r := s.Read(&l, nil); r.Verdict == Fresh && r.Leased() {
		t.Fatalf("%+v: served under a lease that was renewed by applying what the check had not seen", r)
	}
}

// The read is stopped for so long that the fence which forbids the entry is rotated away.
func TestAReadAsksTheFencesBeforeTheTime(t *testing.T) {
	t.Parallel()
	for _, memo := range []*Memo{nil, {}} {
		s := newSchedule(Config{Slots: 1, Rotate: 100})
		l := Life{Birth: s.Clock(), Labels: []uint64{1}, Expires: 100, End: 100}
		s.Invalidate(0, false, 1)
		s.then = s.forget(t)
		if r := s.Read(&l, memo); r.Verdict == Fresh && r.Now < l.Expires {
			t.Fatalf("%+v: served by a time read before the fences", r)
		}
	}
}

// forget lets two rotations pass.
func (s *schedule) forget(t *testing.T) func() {
	return func() {
		s.Invalidate(100, false, 2)
		s.Invalidate(200, false, 2)
		if h, _ := s.Stamps(1); h != 0 {
			t.Error("the schedule is wrong: the fence is still held")
		}
	}
}

func TestARememberedReadStillAsksForLeaseAndTime(t *testing.T) {
	t.Parallel()
	s := newSchedule(Config{})
	l := Life{Birth: s.Clock(), Labels: []uint64{1}, Expires: 10, End: 10}
	var memo Memo
	for range 2 {
		if r := s.Read(&l, &memo); r.Verdict != Fresh || r.Now != 0 || !r.Leased() {
			t.Fatalf("%+v: want fresh, at 0, leased", r)
		}
	}
	s.time = 11
	s.Lease.Store(11)
	if r := s.Read(&l, &memo); r.Now != 11 || r.Leased() || r.Lease != 11 {
		t.Fatalf("%+v: want the time 11 and a lease that has just ended", r)
	}
}

func TestOnlyFreshIsRemembered(t *testing.T) {
	t.Parallel()
	for _, soft := range []bool{true, false} {
		s := newSchedule(Config{})
		l := Life{Birth: s.Clock(), Labels: []uint64{7, 1}}
		s.Invalidate(0, soft, 1)
		var memo Memo
		first := s.Read(&l, &memo).Verdict
		if again := s.Read(&l, &memo).Verdict; first == Fresh || again != first {
			t.Errorf("soft %v: read %d, then %d", soft, first, again)
		}
	}
}

func TestARememberedReadNoticesTheNextInvalidation(t *testing.T) {
	t.Parallel()
	s := newSchedule(Config{})
	l := Life{Birth: s.Clock(), Labels: []uint64{1}}
	var memo Memo
	s.Read(&l, &memo)
	s.Invalidate(0, false, 2)
	if v := s.Read(&l, &memo).Verdict; v != Fresh {
		t.Fatalf("another label was invalidated: %d, want fresh", v)
	}
	s.Invalidate(0, true, 1)
	if v := s.Read(&l, &memo).Verdict; v != Soft {
		t.Fatalf("%d, want soft", v)
	}
	s.Invalidate(0, false, 1)
	if v := s.Read(&l, &memo).Verdict; v != Hard {
		t.Fatalf("%d, want hard", v)
	}
}

// The caller is about to wait; catching up applies an event and renews the lease. A clock noted before a lease loaded after
// would let the caller share a load that is older than the event, in the belief of being current.
func TestACallerLoadsTheLeaseBeforeItNotesTheClock(t *testing.T) {
	t.Parallel()
	s := newSchedule(Config{})
	s.time = 100
	s.Lease.Store(50)
	s.then = func() {
		s.Invalidate(100, false, 1)
		s.Lease.Store(200)
	}
	if clock, leased := s.Ask(); leased && clock < s.Clock() {
		t.Fatalf("leased at clock %d, where the lease came with %d", clock, s.Clock())
	}
	if clock, leased := s.Ask(); !leased || clock != s.Clock() {
		t.Fatalf("clock %d, leased %v; want %d under the renewed lease", clock, leased, s.Clock())
	}
}

func TestAJoinNeedsTheLeaseTheFencesAndTheirReach(t *testing.T) {
	t.Parallel()
	life := func(s *schedule) *Life { return &Life{Birth: s.Clock(), Start: s.time, Labels: []uint64{1}} } // long expired
	for _, tc := range []struct {
		name string
		do   func(*schedule)
		want bool
	}{
		{"nothing happened", func(*schedule) {}, true},
		{"another label was invalidated", func(s *schedule) { s.Invalidate(0, false, 2) }, true},
		{"invalidated", func(s *schedule) { s.Invalidate(0, false, 1) }, false},
		{"softly invalidated", func(s *schedule) { s.Invalidate(0, true, 1) }, false},
		{"no lease", func(s *schedule) { s.Lease.Store(0) }, false},
		{"just within the fences' reach", func(s *schedule) { s.time = 99 }, true},
		{"rotated away", func(s *schedule) {
			s.Invalidate(0, false, 1)
			s.Invalidate(100, false, 2)
			s.Invalidate(200, false, 2)
			s.time = 200
		}, false},
		{"rotated away while it looks", func(s *schedule) {
			s.Invalidate(0, false, 1)
			s.then = func() { s.Invalidate(100, false, 2); s.Invalidate(200, false, 2) }
		}, false},
	} {
		s := newSchedule(Config{Slots: 1, Rotate: 100})
		l := life(s)
		tc.do(s)
		if got := s.Valid(l); got != tc.want {
			t.Errorf("%s: valid %v, want %v", tc.name, got, tc.want)
		}
	}
}

func TestNothingOlderInvalidOrDeadIsAdmitted(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		have *Life
		do   func(*schedule)
		want bool
	}{
		{"over nothing", nil, nil, true},
		{"over an earlier load", &Life{Start: 9}, nil, true},
		{"over a load of the same moment", &Life{Start: 10}, nil, true},
		{"over a later load", &Life{Start: 11}, nil, false},
		{"over a later load that is invalid itself", &Life{Start: 11, Labels: []uint64{1}}, nil, false},
		{"already invalid", nil, func(s *schedule) { s.Invalidate(10, false, 1) }, false},
		{"already softly invalid", nil, func(s *schedule) { s.Invalidate(10, true, 1) }, false},
		{"another label invalid", nil, func(s *schedule) { s.Invalidate(10, false, 2) }, true},
		{"at its end of life", nil, func(s *schedule) { s.time = 60 }, false},
		{"past its expiry, for a stale serve", nil, func(s *schedule) { s.time = 59 }, true},
		{"the fence rotated away while it looks", nil, func(s *schedule) {
			s.Invalidate(10, false, 1)
			s.then = func() { s.Invalidate(110, false, 2); s.Invalidate(210, false, 2) }
		}, false},
	} {
		s := newSchedule(Config{Slots: 1, Rotate: 100})
		l := Life{Birth: s.Clock(), Start: 10, Expires: 20, End: 60, Labels: []uint64{1}}
		s.time = 10
		if tc.do != nil {
			tc.do(s)
		}
		if got := s.Admit(&l, tc.have); got != tc.want {
			t.Errorf("%s: admitted %v, want %v", tc.name, got, tc.want)
		}
	}
}
