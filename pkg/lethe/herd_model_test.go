package lethe

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/lethe-cache/lethe/internal/flight"
)

// herdModel is a herd and what is to be true of it.
type herdModel struct {
	h         *herd
	now, calm int64
	loads     []*flight.Load
	running   map[*flight.Load]*place
	waiting   []*flight.Load // in the order they came
	places    map[*flight.Load]*place
	needed    map[*flight.Load]int
}

// settle moves those whose turn has come, and fails unless they are the first of the queue or needed.
func (m *herdModel) settle(t *rapid.T) {
	first := true
	m.waiting = slices.DeleteFunc(m.waiting, func(l *flight.Load) bool {
		p := m.places[l]
		select {
		case <-p.turn:
			if !first && m.needed[l] == 0 {
				t.Fatalf("%p runs before those that came first", l)
			}
			m.running[l] = p
			return true
		default:
			first = false
			return false
		}
	})
}

// bound is what may run, said another way: doubled for each second begun since the surge was over, none when nobody waits.
func (m *herdModel) bound() int {
	b := m.h.most
	for at := m.calm; at <= m.now; at += int64(surgeEases) {
		if b *= 2; b > 1<<20 {
			return math.MaxInt
		}
	}
	return b
}

func (m *herdModel) check(t *rapid.T) {
	if got := m.h.waiting(); got != len(m.waiting) {
		t.Fatalf("%d wait, want %d", got, len(m.waiting))
	}
	if len(m.waiting) > 0 && len(m.running) < m.bound() {
		t.Fatalf("%d run of %d, and %d wait: a wake-up was lost", len(m.running), m.bound(), len(m.waiting))
	}
	for _, l := range m.waiting {
		if m.needed[l] > 0 {
			t.Fatal("a load that another waits for waits for its turn")
		}
	}
	if len(m.h.queued) != len(m.waiting) || len(m.h.needed) != len(m.needed) {
		t.Fatalf("it remembers %d and %d loads, of %d and %d", len(m.h.queued), len(m.h.needed), len(m.waiting), len(m.needed))
	}
}

func TestNoMoreThanTheBoundRunInASurgeAndNobodyWaitsForNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := &herdModel{
			h:       &herd{most: rapid.IntRange(1, 5).Draw(t, "most")},
			calm:    int64(surgeLasts),
			running: map[*flight.Load]*place{}, places: map[*flight.Load]*place{}, needed: map[*flight.Load]int{},
		}
		var graph flight.Graph
		for range 12 {
			m.loads = append(m.loads, graph.Begin(nil))
		}
		of := func(ls []*flight.Load) *flight.Load { return rapid.SampledFrom(ls).Draw(t, "load") }
		t.Repeat(map[string]func(*rapid.T){
			"enter": func(t *rapid.T) {
				l := of(m.loads)
				if m.places[l] != nil {
					return
				}
				free := m.now < m.calm && len(m.running) < m.h.most || m.now >= m.calm && len(m.waiting) == 0 || m.needed[l] > 0
				p := &place{}
				m.places[l] = p
				if !m.h.enter(p, l, m.now, m.calm) {
					m.running[l] = p
				} else {
					m.waiting = append(m.waiting, l)
				}
				if in := m.running[l] != nil; in != free && m.now < m.calm {
					t.Fatalf("runs: %v, want %v; %d run of %d", in, free, len(m.running), m.h.most)
				}
			},
			"leave": func(t *rapid.T) {
				l := of(m.loads)
				p := m.places[l]
				if p == nil {
					return
				}
				delete(m.places, l)
				delete(m.running, l)
				m.waiting = slices.DeleteFunc(m.waiting, func(w *flight.Load) bool { return w == l })
				m.h.leave(p, m.now, m.calm)
				m.settle(t)
			},
			"need": func(t *rapid.T) {
				l := of(m.loads)
				m.needed[l]++
				m.h.need(l)
				m.settle(t)
			},
			"spare": func(*rapid.T) {
				l := of(m.loads)
				if m.needed[l] == 0 {
					return
				}
				m.needed[l]--
				if m.needed[l] == 0 {
					delete(m.needed, l)
				}
				m.h.spare(l)
			},
			"time": func(t *rapid.T) {
				m.now += rapid.Int64Range(0, int64(surgeLasts)).Draw(t, "passes")
				m.h.ease(m.now, m.calm)
				m.settle(t)
			},
			"reset": func(t *rapid.T) {
				if rapid.IntRange(0, 7).Draw(t, "rarely") == 0 {
					m.calm = m.now + int64(surgeLasts)
				}
			},
			"": func(t *rapid.T) { m.check(t) },
		})
	})
}

func TestASurgeLastsFromAResetAndAnewFromTheFirstLeaseAfterIt(t *testing.T) {
	t.Parallel()
	const second = int64(time.Second)
	var s surge
	for _, step := range []struct {
		do        func(int64)
		at, lasts int64
		why       string
	}{
		{s.leased, 1, 0, "a lease without a Reset"},
		{s.reset, 5, 15, "a Reset"},
		{s.reset, 6, 16, "its second fence"},
		{s.leased, 40, 50, "the lease after it, however late"},
		{s.leased, 45, 50, "a renewal"},
		{s.reset, 48, 58, "another Reset"},
	} {
		step.do(step.at * second)
		if got := s.calm.Load(); got != step.lasts*second {
			t.Fatalf("%s: lasts until %v, want %v", step.why, time.Duration(got), time.Duration(step.lasts*second))
		}
	}
}
