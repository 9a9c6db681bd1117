package fence

import (
	"math"
	"sync"
	"sync/atomic"
	"testing"
)

// spread makes labels as hashes are: every bit counts.
func spread(i uint64) uint64 { return (i + 1) * 0x9e3779b97f4a7c15 }

func (l *ledger) cells() (n int) {
	for i := range l.tabs {
		if t := l.tabs[i].Load(); t != nil {
			n += len(t.cells)
		}
	}
	return n
}

func TestAFullGenerationTakes32MiBAndGrowsASegmentAtATime(t *testing.T) {
	t.Parallel()
	const cellSize = 16
	f := New(Config{Slots: 1}, 0)
	stamps := &f.gens.Load().cur.hard
	had, most := 0, 0
	for i := range uint64(1 << 20) {
		f.Invalidate(0, false, spread(i))
		n := stamps.cells()
		most, had = max(most, n-had), n
	}
	if n := stamps.cells(); n*cellSize != 32<<20 {
		t.Errorf("2^20 labels take %d bytes, want 32 MiB", n*cellSize)
	}
	if most > 1<<17 {
		t.Errorf("an invalidation made room for %d cells at once, want a sixteenth of 2^21 at most", most)
	}
	for i := range uint64(1 << 20) {
		if h, _ := f.Stamps(spread(i)); h != i+2 {
			t.Fatalf("label %d has the stamp %d, want %d", i, h, i+2)
		}
	}
}

func TestAGenerationMakesRoomForWhatTheOneBeforeHeld(t *testing.T) {
	t.Parallel()
	const labels = 50_000
	f := New(Config{Slots: 1, Rotate: 100}, 0)
	for i := range uint64(labels) {
		f.Invalidate(0, false, spread(i))
	}
	f.Invalidate(100, false, spread(0))
	stamps := &f.gens.Load().cur.hard
	if stamps.cells() == 0 {
		t.Fatal("no segment after the rotation")
	}
	var tabs [segments]*table
	for i := range uint64(labels) {
		f.Invalidate(100, false, spread(i))
		s := segment(spread(i))
		if tabs[s] == nil {
			tabs[s] = stamps.tabs[s].Load()
		}
		if stamps.tabs[s].Load() != tabs[s] {
			t.Fatalf("segment %d grew at label %d", s, i)
		}
	}
	if n := stamps.cells(); n > 4*labels {
		t.Errorf("room for %d cells where %d labels were", n, labels)
	}
	f.Invalidate(200, false, 1)
	f.Invalidate(300, false, 1)
	f.Invalidate(300, false, 1, 2, 3)
	if n := f.gens.Load().cur.hard.cells(); n > 4*minCells {
		t.Errorf("room for %d cells, long after the many", n)
	}
}

// Readers meet tables that grow: what was raised before the count they saw has to be found in the one they look at.
func TestAReaderFindsEveryStampWhileTablesGrow(t *testing.T) {
	t.Parallel()
	for _, soft := range []bool{false, true} {
		f := New(Config{Slots: 1, Rotate: math.MaxInt64}, 0)
		var raised atomic.Uint64
		var stop atomic.Bool
		var wg sync.WaitGroup
		for r := range uint64(2) {
			wg.Go(func() {
				for i := r; !stop.Load(); i += 7919 {
					n := raised.Load()
					if n == 0 {
						continue
					}
					hard, other := f.Stamps(spread(i % n))
					if soft {
						hard, other = other, hard
					}
					if hard != i%n+2 || other != 0 {
						t.Errorf("soft %v, label %d of %d: stamps %d and %d, want %d and 0", soft, i%n, n, hard, other, i%n+2)
						return
					}
				}
			})
		}
		spin(t, 200_000, func(i int) {
			f.Invalidate(0, soft, spread(uint64(i)))
			raised.Store(uint64(i) + 1)
		})
		stop.Store(true)
		wg.Wait()
	}
}

func TestALabelIsHardAndSoftByItself(t *testing.T) {
	t.Parallel()
	f := New(Config{Slots: 1}, 0)
	hard := f.Invalidate(0, false, 7)
	soft := f.Invalidate(0, true, 7)
	if h, s := f.Stamps(7); h != hard || s != soft {
		t.Errorf("stamps %d and %d, want %d and %d", h, s, hard, soft)
	}
	if n := f.Labels(); n != 2 {
		t.Errorf("%d labels, want one of each sort", n)
	}
}

func TestAnInvalidationOfWhatIsKnownAllocatesNothing(t *testing.T) {
	f := New(Config{}, 0)
	labels := many(1000)
	f.Invalidate(0, false, labels...)
	if got := testing.AllocsPerRun(100, func() { f.Invalidate(0, false, labels...) }); got != 0 {
		t.Errorf("%v allocations", got)
	}
	if got := testing.AllocsPerRun(100, func() { f.Invalidate(0, false, 1<<40, 2<<40, 3<<40) }); got != 0 {
		t.Errorf("one key: %v allocations", got)
	}
}
