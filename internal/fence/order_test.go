package fence

import (
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// many labels stretch the window between the steps of an invalidation, and of a check, so that real goroutines meet in it.
func many(n int) []uint64 {
	labels := make([]uint64, n)
	for i := range labels {
		labels[i] = uint64(i+1)<<32 | uint64(i+1)
	}
	return labels
}

// spin runs round until it says stop, or for a while.
func spin(t *testing.T, rounds int, round func(i int)) {
	t.Helper()
	end := time.Now().Add(time.Second)
	for i := 0; i < rounds && time.Now().Before(end) && !t.Failed(); i++ {
		round(i)
	}
}

// Numbered order of an invalidation: (1) map, (2) slot, (3) clock.
func TestWhoSeesTheClockSeesEveryFence(t *testing.T) {
	t.Parallel()
	labels := many(5000)
	for _, soft := range []bool{false, true} {
		want := Hard
		if soft {
			want = Soft
		}
		f := New(Config{}, 0)
		spin(t, 200, func(int) {
			birth := f.Clock()
			var wg sync.WaitGroup
			looking := make(chan struct{})
			wg.Go(func() {
				close(looking)
				for f.Clock() == birth { // to see the clock the moment it moves
				}
				for i := len(labels) - 1; i >= 0; i-- {
					if got := f.Check(birth, labels[i]); got != want {
						t.Errorf("soft %v: the clock shows the invalidation, label %d of %d does not: %d, want %d", soft, i, len(labels), got, want)
						return
					}
				}
			})
			<-looking
			f.Invalidate(0, soft, labels...)
			wg.Wait()
		})
	}
}

// A read that is under way remembers a clock; the next read, which begins after the invalidation returned, believes it.
func TestARememberedClockIsReadBeforeTheCheck(t *testing.T) {
	t.Parallel()
	labels := many(5000)
	g := Gate{Fence: New(Config{}, 0), Lease: &atomic.Int64{}, Now: func() int64 { return 0 }}
	spin(t, 100, func(int) {
		l := Life{Birth: g.Clock(), Labels: labels}
		var memo Memo
		var wg sync.WaitGroup
		reading, done := make(chan struct{}), make(chan struct{})
		wg.Go(func() {
			for i := 0; ; i++ {
				memo.clock.Store(0) // each read checks anew
				g.Read(&l, &memo)
				if i == 0 {
					close(reading)
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
		<-reading
		g.Invalidate(0, false, labels[0]) // the read under way has passed it, most likely
		close(done)
		wg.Wait()
		if r := g.Read(&l, &memo); r.Verdict != Hard {
			t.Errorf("verdict %d after the invalidation returned, want hard", r.Verdict)
		}
	})
}

// catchUp is a node whose lease lapses at each round's beginning and is renewed by applying one event. Round k is at time 10k;
// event k has the stamp k+1 and brings a lease that ends at 10k+10.
type catchUp struct {
	Gate
	time atomic.Int64
}

func newCatchUp() *catchUp {
	c := &catchUp{Gate: Gate{Fence: New(Config{Rotate: math.MaxInt64}, 0), Lease: &atomic.Int64{}}}
	c.Now = c.time.Load
	return c
}

func (c *catchUp) round(k int64, labels ...uint64) {
	c.time.Store(10 * k)
	c.Invalidate(10*k, false, labels...)
	c.Lease.Store(10*k + 10)
}

func TestALeaseIsNeverNewerThanTheFencesAsked(t *testing.T) {
	t.Parallel()
	labels := many(3000)
	c := newCatchUp()
	spin(t, 100, func(i int) {
		k := int64(i) + 1
		l := Life{Birth: c.Clock(), Labels: labels}
		var wg sync.WaitGroup
		reading, done := make(chan struct{}), make(chan struct{})
		wg.Go(func() {
			for i := 0; ; i++ {
				if r := c.Read(&l, nil); r.Now == 10*k && r.Leased() && r.Verdict == Fresh {
					t.Error("served: found fresh before the event, leased by having applied it")
				}
				if i == 0 {
					close(reading)
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
		<-reading
		c.round(k, labels[0])
		close(done)
		wg.Wait()
	})
}

func TestAClockNotedIsNeverOlderThanTheLease(t *testing.T) {
	t.Parallel()
	c := newCatchUp()
	asker := c.Gate // the same fence and lease; the time is kept for the comparison
	var stop atomic.Bool
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			mine := asker
			var at int64
			mine.Now = func() int64 { at = c.time.Load(); return at }
			for !stop.Load() {
				if clock, leased := mine.Ask(); leased && clock <= uint64(at/10) {
					t.Errorf("leased in round %d with clock %d, which has not seen its event", at/10, clock)
					return
				}
			}
		})
	}
	spin(t, 2_000_000, func(i int) { c.round(int64(i)+1, 1) })
	stop.Store(true)
	wg.Wait()
}

// Two generations read separately, the old one first, hide a current fence that a rotation moves from one to the other.
func TestARotationHidesNoCurrentFence(t *testing.T) {
	t.Parallel()
	type shown struct {
		birth  uint64
		labels []uint64
	}
	const rotate = 100
	f := New(Config{Slots: 1, Rotate: rotate}, 0)
	fill := many(1000)
	var current, seen atomic.Pointer[shown]
	var stop atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		for !stop.Load() {
			s := current.Load()
			if s == nil {
				runtime.Gosched()
				continue
			}
			seen.Store(s)
			// Shown before and after the check: the fence stood throughout, in one generation or the other.
			if v := f.Check(s.birth, s.labels...); current.Load() == s && v != Hard {
				t.Errorf("verdict %d for a label whose fence stands, want hard", v)
				return
			}
		}
	})
	now := int64(0)
	spin(t, 3000, func(i int) {
		label := uint64(1)<<40 | uint64(i)
		s := &shown{birth: f.Clock(), labels: append([]uint64{label}, fill...)}
		f.Invalidate(now, false, label)
		current.Store(s)
		for seen.Load() != s && !t.Failed() { // it is about to look
			runtime.Gosched()
		}
		now += rotate
		f.Invalidate(now, false, uint64(2)<<40) // the label's generation becomes the old one
		current.Store(nil)
	})
	stop.Store(true)
	wg.Wait()
}
