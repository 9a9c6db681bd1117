package commit

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Whatever is joined, sent and left in whatever order: every item is carried by a batch that was not handed out before it was
// joined, lanes send one batch at a time in the order they were begun, the pace is kept, and nothing stays behind.
func TestEveryItemIsCarriedByALaterBatch(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		cfg := Config[word]{
			MaxBatch: rapid.IntRange(1, 6).Draw(t, "batch"), MaxQueued: rapid.IntRange(4, 40).Draw(t, "queued"),
			MaxLanes: rapid.IntRange(1, 3).Draw(t, "lanes"), Rate: 10, Burst: rapid.IntRange(1, 5).Draw(t, "burst"),
			MaxWait: time.Duration(rapid.IntRange(0, 3).Draw(t, "wait")) * 100 * time.Millisecond,
		}
		if rapid.Bool().Draw(t, "widen") {
			cfg.Widen = func(lane string) word { return word("*" + lane) }
		}
		m := &model{q: New[word, string, int](cfg), cfg: cfg, now: 1, under: map[string]*Batch[word, string, int]{}}
		t.Repeat(map[string]func(*rapid.T){
			"join": m.join, "send": m.send, "sent": m.sent, "leave": m.leave, "time": m.time, "": func(t *rapid.T) {
				if len(m.under) > cfg.MaxLanes || m.q.queued > cfg.MaxQueued || m.q.queued < 0 {
					t.Fatalf("%d under way, %d bytes waiting", len(m.under), m.q.queued)
				}
			},
		})
		m.end(t)
	})
}

type model struct {
	q      *Queue[word, string, int]
	cfg    Config[word]
	now    int64
	under  map[string]*Batch[word, string, int]
	calls  [][]*Batch[word, string, int]
	handed int
	ids    int // Data of a batch: in which order it was begun; negative: handed out
}

func (m *model) join(t *rapid.T) {
	lane := rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "lane")
	items := rapid.SliceOfN(rapid.SampledFrom([]word{"1", "22", "333", "4", "5"}), 1, 4).Draw(t, "items")
	voice := rapid.SampledFrom([]string{"", "x"}).Draw(t, "voice")
	bs, err := m.q.Join(lane, voice, items, m.now)
	for _, b := range bs {
		if b.Data < 0 {
			t.Fatalf("%v joined a batch that was handed out", items)
		}
		if b.Data == 0 {
			m.ids++
			b.Data = m.ids
		}
	}
	if err != nil {
		if !errors.Is(err, ErrFull) && (!errors.Is(err, ErrStorm) || m.cfg.Widen != nil) {
			t.Fatalf("refused: %v", err)
		}
		m.q.Leave(bs)
		return
	}
	for _, item := range items {
		if !slices.ContainsFunc(bs, func(b *Batch[word, string, int]) bool {
			return b.Lane == lane && (b.Wide && b.Items[0] == word("*"+lane) || b.Voice == voice && slices.Contains(b.Items, item))
		}) {
			t.Fatalf("%s of %s is in none of its batches", item, lane)
		}
	}
	m.calls = append(m.calls, bs)
}

func (m *model) send(t *rapid.T) {
	b, at := m.q.Next(m.now)
	if b == nil {
		if at != 0 && at <= m.now {
			t.Fatalf("told to ask again in the past")
		}
		return
	}
	switch {
	case m.under[b.Lane] != nil:
		t.Fatalf("two batches of %s under way", b.Lane)
	case b.Data <= 0:
		t.Fatal("handed out twice, or never joined")
	case !b.Wide && len(b.Items) > 1 && total(b.Items) > m.cfg.MaxBatch:
		t.Fatalf("a batch of %d bytes", total(b.Items))
	}
	b.Data = -b.Data
	m.under[b.Lane] = b
	// Burst at once, and Rate a second on top.
	m.handed++
	if most := float64(m.cfg.Burst) + m.cfg.Rate*time.Duration(m.now-1).Seconds(); float64(m.handed) > most {
		t.Fatalf("%d batches in the first %v", m.handed, time.Duration(m.now-1))
	}
}

func (m *model) sent(t *rapid.T) {
	if len(m.under) == 0 {
		return
	}
	lanes := make([]string, 0, len(m.under))
	for name := range m.under {
		lanes = append(lanes, name)
	}
	slices.Sort(lanes)
	name := rapid.SampledFrom(lanes).Draw(t, "which")
	m.q.Sent(m.under[name])
	delete(m.under, name)
}

func (m *model) leave(t *rapid.T) {
	if len(m.calls) == 0 {
		return
	}
	i := rapid.IntRange(0, len(m.calls)-1).Draw(t, "call")
	m.q.Leave(m.calls[i])
	m.calls = slices.Delete(m.calls, i, i+1)
}

func (m *model) time(t *rapid.T) {
	m.now += int64(rapid.IntRange(1, 500).Draw(t, "ms")) * int64(time.Millisecond)
}

// end lets everything run out: nothing may be stuck or stay behind.
func (m *model) end(t *rapid.T) {
	for range 10_000 {
		for name, b := range m.under {
			m.q.Sent(b)
			delete(m.under, name)
		}
		b, at := m.q.Next(m.now)
		switch {
		case b != nil:
			m.under[b.Lane] = b
		case at != 0:
			m.now = at
		default:
			if len(m.q.lanes)+len(m.q.ready)+m.q.queued+m.q.under != 0 {
				t.Fatal(fmt.Sprintf("left behind: %d lanes, %d ready, %d bytes, %d under way", len(m.q.lanes), len(m.q.ready), m.q.queued, m.q.under))
			}
			return
		}
	}
	t.Fatal("it never ends")
}

func total(items []word) (n int) {
	for _, w := range items {
		n += w.Size()
	}
	return n
}
