package fence

import (
	"fmt"
	"math"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// model is the fence without its economies: every stamp of every label, for ever.
type model struct {
	clock      uint64
	hard, soft map[uint64]uint64
}

func (m *model) invalidate(soft bool, labels []uint64) {
	m.clock++
	for _, l := range labels {
		if soft {
			m.soft[l] = m.clock
		} else {
			m.hard[l] = m.clock
		}
	}
}

func (m *model) check(l *Life) Verdict {
	v := Fresh
	for _, label := range l.Labels {
		if m.hard[label] > l.Birth {
			return Hard
		}
		if m.soft[label] > l.Birth {
			v = Soft
		}
	}
	return v
}

// entry is something cached, with the memo that a hot tier keeps for it.
type entry struct {
	Life
	memo Memo
}

// machine drives a fence and its model side by side.
type machine struct {
	cfg     Config
	fence   *Fence
	gate    Gate
	model   model
	now     int64
	entries []*entry
	largest int // labels in one call
}

func newMachine(t *rapid.T) *machine {
	m := &machine{
		cfg: Config{
			Slots:     rapid.SampledFrom([]int{1, 2, 1024}).Draw(t, "slots"),
			Rotate:    time.Duration(rapid.SampledFrom([]int{4, 50, 1000}).Draw(t, "rotate")),
			MaxLabels: rapid.SampledFrom([]int{1, 3, 12, math.MaxInt}).Draw(t, "max labels"),
		},
		model: model{clock: 1, hard: map[uint64]uint64{}, soft: map[uint64]uint64{}},
	}
	m.fence = New(m.cfg, 0)
	m.gate = Gate{Fence: m.fence, Lease: &atomic.Int64{}, Now: func() int64 { return m.now }}
	m.gate.Lease.Store(math.MaxInt64)
	return m
}

// Labels that share cells of the tables and slots of the array, among them the empty cell's mark.
var labelGen = rapid.Custom(func(t *rapid.T) uint64 {
	n := rapid.Uint64Range(0, 12).Draw(t, "label")
	switch n % 3 {
	case 0:
		return n << 32 // one home cell, a slot of its own
	case 1:
		return n<<8 | 64 // one home cell in small tables, one slot
	default:
		return n<<33 | n
	}
})

func (m *machine) Invalidate(t *rapid.T) {
	labels := rapid.SliceOfN(labelGen, 0, 4).Draw(t, "labels")
	m.raise(t, rapid.Bool().Draw(t, "soft"), labels)
}

func (m *machine) InvalidateMany(t *rapid.T) {
	from, n := rapid.Uint64Range(0, 300).Draw(t, "from"), rapid.Uint64Range(10, 200).Draw(t, "n")
	var labels []uint64
	for l := from; l < from+n; l++ {
		labels = append(labels, l<<33|l)
	}
	m.raise(t, rapid.Bool().Draw(t, "soft"), labels)
}

func (m *machine) raise(t *rapid.T, soft bool, labels []uint64) {
	m.largest = max(m.largest, len(labels))
	m.model.invalidate(soft, labels)
	if stamp := m.fence.Invalidate(m.now, soft, labels...); stamp != m.model.clock || m.fence.Clock() != stamp {
		t.Fatalf("stamp %d, clock %d, want %d", stamp, m.fence.Clock(), m.model.clock)
	}
}

func (m *machine) Pass(t *rapid.T) {
	m.now += rapid.Int64Range(1, int64(m.cfg.Rotate)+1).Draw(t, "by")
}

// Load begins a load; its entry lives as long as the rotation allows.
func (m *machine) Load(t *rapid.T) {
	life := rapid.Int64Range(1, int64(m.cfg.Rotate)).Draw(t, "life")
	m.entries = append(m.entries, &entry{Life: Life{
		Start: m.now, Birth: m.fence.Clock(), Expires: m.now + life, End: m.now + life,
		Labels: rapid.SliceOfN(labelGen, 1, 5).Draw(t, "labels"),
	}})
}

// Check reads every entry that lives, by its memo and without, and through a join.
func (m *machine) Check(t *rapid.T) {
	m.entries = slices.DeleteFunc(m.entries, func(e *entry) bool { return m.now >= e.End })
	g := m.fence.gens.Load()
	floor := max(g.floorHard, g.floorSoft)
	for i, e := range m.entries {
		want, at := m.model.check(&e.Life), fmt.Sprintf("entry %d %+v at %d, floor %d", i, e.Life, m.now, floor)
		if got := m.fence.Check(e.Birth, e.Labels...); got < want || e.Birth >= floor && got != want {
			t.Fatalf("%s: checked %d, want %d", at, got, want)
		}
		if got := m.gate.Read(&e.Life, &e.memo).Verdict; got < want || e.Birth >= floor && got != want {
			t.Fatalf("%s: read %d, want %d", at, got, want)
		}
		if m.gate.Valid(&e.Life) && want != Fresh {
			t.Fatalf("%s: joined, want %d", at, want)
		}
		if m.gate.Admit(&e.Life, nil) && want != Fresh {
			t.Fatalf("%s: admitted, want %d", at, want)
		}
	}
}

// Invariant holds after every step.
func (m *machine) Invariant(t *rapid.T) {
	m.Check(t)
	if m.cfg.MaxLabels == math.MaxInt {
		if g := m.fence.gens.Load(); g.floorHard != 0 || g.floorSoft != 0 {
			t.Fatalf("floor %d, %d although no generation was ever full", g.floorHard, g.floorSoft)
		}
		return
	}
	if n := m.fence.Labels(); n > 2*max(m.cfg.MaxLabels, m.largest) {
		t.Fatalf("%d labels are held, with at most %d a generation and %d a call", n, m.cfg.MaxLabels, m.largest)
	}
}

func TestAFenceIsNeverMorePermissiveThanAPerfectMemory(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := newMachine(t)
		t.Repeat(map[string]func(*rapid.T){
			"":                m.Invariant,
			"invalidate":      m.Invalidate,
			"invalidate many": m.InvalidateMany,
			"load":            m.Load,
			"load more":       m.Load,
			"pass":            m.Pass,
		})
	})
}

func TestAFenceRemembersExactlyAcrossTheGrowthOfItsTables(t *testing.T) {
	t.Parallel()
	const n = 5000
	f := New(Config{Slots: 1}, 0) // one slot: every check is answered by the map
	for i := uint64(1); i <= n; i++ {
		f.Invalidate(0, i%3 == 0, i*64) // 64 cells at first: all start at one
	}
	for i := uint64(1); i <= n; i++ {
		want := Hard
		if i%3 == 0 {
			want = Soft
		}
		if got := f.Check(i, i*64); got != want { // label i*64 got stamp i+1
			t.Fatalf("label %d, born before: %d, want %d", i, got, want)
		}
		if got := f.Check(i+1, i*64); got != Fresh {
			t.Fatalf("label %d, born after: %d, want fresh", i, got)
		}
	}
	if f.Labels() != n {
		t.Fatalf("%d labels held, want %d", f.Labels(), n)
	}
}

func TestAGenerationDroppedEarlyLeavesItsHighestStampsAsTheFloor(t *testing.T) {
	t.Parallel()
	f := New(Config{Slots: 1, MaxLabels: 2}, 0)
	birth := f.Clock()
	f.Invalidate(0, false, 1)
	last := f.Invalidate(0, false, 2)
	soft := f.Invalidate(0, true, 1)
	f.Invalidate(0, false, 3, 4) // a second generation, which stays while
	f.Invalidate(0, false, 5, 6) // the third pushes the first out
	if got := f.Check(birth, 1); got != Hard {
		t.Errorf("invalidated and dropped: %d, want hard", got)
	}
	if got := f.Check(last, 1); got != Soft {
		t.Errorf("softly invalidated and dropped: %d, want soft", got)
	}
	if h, s := f.Stamps(1); h != last || s != soft {
		t.Errorf("stamps %d and %d, want the highest dropped, %d and %d", h, s, last, soft)
	}
	if got := f.Check(soft, 7, 1, 2); got != Fresh {
		t.Errorf("born after all that was dropped: %d, want fresh", got)
	}
	f.Invalidate(0, true, 7, 8)
	f.Invalidate(0, true, 9, 10)
	f.Invalidate(2*int64(time.Hour), false, 11)
	if got := f.Check(birth, 1); got != Hard {
		t.Errorf("three rotations later: %d, want hard", got)
	}
}

func TestARotationByTimeForgetsWhatNothingAliveNeeds(t *testing.T) {
	t.Parallel()
	f := New(Config{Slots: 1, Rotate: 100}, 0)
	f.Invalidate(0, false, 1)
	for now := int64(99); now < 600; now += 100 {
		f.Invalidate(now, false, 2)
	}
	if h, s := f.Stamps(1); h != 0 || s != 0 {
		t.Errorf("stamps %d and %d are still held", h, s)
	}
	if n := f.Labels(); n > 2 {
		t.Errorf("%d labels are held, want one a generation", n)
	}
}
