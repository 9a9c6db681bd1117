package lethe_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

// worldKeys is more than an entry has labels: what reads all of them is collapsed.
const (
	worldKeys   = 72
	worldGroups = 8
)

// world is a store that changes, a fleet that remembers it, and what each node has to know by now.
type world struct {
	t     testing.TB
	truth [worldKeys]atomic.Int64 // versions; raised before the invalidation
	last  [worldKeys]atomic.Pointer[written]
	nodes []*member
	slow  func(*rand.Rand) // in loaders, to widen what can go wrong
	rest  time.Duration    // of a reader, on average, after twenty reads
	pause time.Duration    // of a writer, on average, after each write

	bound time.Duration // beyond which nothing may be behind the stream; 0 = not checked
	acked [worldKeys]ackedVersions

	tolerant bool // writes may fail, for want of a server

	checked, behind, written, wrong atomic.Int64
}

// written is a version and the token of its invalidation.
type written struct {
	version int64
	token   event.Token
}

// ackedVersions is when the stream is known to have had the invalidation of a version.
type ackedVersions struct {
	mu   sync.Mutex // guards what follows
	at   []time.Time
	upTo []int64
}

func (a *ackedVersions) add(v int64, at time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.at, a.upTo = append(a.at, at), append(a.upTo, v)
}

// before is the highest version that the stream had by then.
func (a *ackedVersions) before(then time.Time) (high int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i, at := range a.at {
		if at.Before(then) {
			high = max(high, a.upTo[i])
		}
	}
	return high
}

// row is what a load of one key brings; two is what a load of a key and its neighbour brings.
type row struct {
	Key     int
	Version int64
}
type two struct{ A, B row }

// member is a node with its functions, and the versions it has applied: a token of theirs was waited for.
type member struct {
	n                              *lethe.Node
	hard, any                      [worldKeys]atomic.Int64
	item, bulk, hot, batch, serves *lethe.Func[int, row]
	pair, deep                     *lethe.Func[int, two]
	all                            *lethe.Func0[[]row]
}

var leaves = []string{"item", "bulk", "hot", "batch", "serves"}

func tagsOf(k int) []string {
	key := strconv.Itoa(k)
	return []string{"item:" + key, "group:" + strconv.Itoa(k%worldGroups) + "/" + key}
}

// load reads the truth.
func (w *world) load(ctx context.Context, k int) (row, error) {
	r := rand.New(rand.NewPCG(rand.Uint64(), 0))
	w.slow(r)
	got := row{k, w.truth[k].Load()}
	w.slow(r)
	lethe.AddTags(ctx, tagsOf(k)...)
	return got, nil
}

func (w *world) loadMany(_ context.Context, ks []int) (map[int]row, error) {
	r := rand.New(rand.NewPCG(rand.Uint64(), 0))
	m := make(map[int]row, len(ks))
	for _, k := range ks {
		m[k] = row{k, w.truth[k].Load()}
	}
	w.slow(r)
	return m, nil
}

// join memoizes the world's functions on n.
func (w *world) join(n *lethe.Node) *member {
	m := &member{n: n}
	byTag := lethe.WithTags(func(k int, _ row) []string { return tagsOf(k) })
	m.item = lethe.Memoize(n, "item", func(_ context.Context, k int) (row, error) { return w.load(context.Background(), k) }, byTag)
	m.bulk = lethe.Memoize(n, "bulk", w.load, lethe.WithoutHot())
	m.hot = lethe.Memoize(n, "hot", w.load, lethe.WithoutBulk(), lethe.WithTTL(time.Second), lethe.WithRefreshAhead(0.01))
	m.batch = lethe.Memoize(n, "batch", w.load, lethe.WithBatch(w.loadMany), byTag)
	m.serves = lethe.Memoize(n, "serves", w.load, lethe.WithTTL(20*time.Millisecond), lethe.WithStale(time.Minute), lethe.WithPolicy(lethe.ServeStale(time.Second)))
	m.pair = lethe.Memoize(n, "pair", func(ctx context.Context, k int) (p two, err error) {
		if p.A, err = m.item.Get(ctx, k); err != nil {
			return p, err
		}
		w.slow(rand.New(rand.NewPCG(rand.Uint64(), 0)))
		if v, ok := m.bulk.Peek(ctx, (k+1)%worldKeys); ok {
			p.B = v
			return p, nil
		}
		p.B, err = m.bulk.Get(ctx, (k+1)%worldKeys)
		return p, err
	})
	m.deep = lethe.Memoize(n, "deep", func(ctx context.Context, k int) (two, error) {
		if k%2 == 0 {
			return m.pair.Get(ctx, k)
		}
		ks := []int{k, (k + 1) % worldKeys}
		vs, err := m.batch.GetMany(ctx, ks)
		return two{vs[ks[0]], vs[ks[1]]}, err
	}, lethe.WithoutHot())
	m.all = lethe.Memoize0(n, "all", func(ctx context.Context) ([]row, error) {
		rows := make([]row, worldKeys)
		for k := range rows {
			var err error
			if rows[k], err = m.item.Get(ctx, k); err != nil {
				return nil, err
			}
		}
		return rows, nil
	})
	w.nodes = append(w.nodes, m)
	return m
}

// target names k, in one of the ways that every leaf function obeys.
func target(r *rand.Rand, k int) []event.Target {
	switch p := r.IntN(100); {
	case p < 45:
		return []event.Target{event.Tag(fmt.Sprintf("item:%d", k))}
	case p < 70:
		ts := make([]event.Target, 0, len(leaves))
		for _, f := range leaves {
			ts = append(ts, event.Name[int](f).Key(k))
		}
		return ts
	case p < 80:
		return []event.Target{event.TagPrefix(fmt.Sprintf("group:%d/%d/", k%worldGroups, k))}
	case p < 94:
		return []event.Target{event.TagPrefix(fmt.Sprintf("group:%d/", k%worldGroups))}
	case p < 99:
		ts := make([]event.Target, 0, len(leaves))
		for _, f := range leaves {
			ts = append(ts, event.Function(f))
		}
		return ts
	}
	return []event.Target{event.All()}
}

// write changes a key and tells of it from some node. What it returns waits on another node and notes what that has applied.
func (w *world) write(ctx context.Context, r *rand.Rand) error {
	k := r.IntN(worldKeys)
	v := w.truth[k].Add(1)
	ts := target(r, k)
	soft := r.IntN(8) == 0
	if soft {
		for i := range ts {
			ts[i] = ts[i].Soft()
		}
	}
	tok, err := w.nodes[r.IntN(len(w.nodes))].n.Invalidate(ctx, ts...)
	if err != nil {
		return fmt.Errorf("invalidate: %w", err)
	}
	if !soft {
		w.acked[k].add(v, time.Now())
		w.last[k].Store(&written{v, tok})
	}
	for _, i := range r.Perm(len(w.nodes)) {
		m := w.nodes[i]
		if err := m.n.Wait(ctx, tok); err != nil {
			return fmt.Errorf("wait: %w", err)
		}
		raise(&m.any[k], v)
		if !soft {
			raise(&m.hard[k], v)
		}
	}
	return nil
}

func raise(a *atomic.Int64, v int64) {
	for have := a.Load(); have < v && !a.CompareAndSwap(have, v); have = a.Load() {
	}
}

// floor is what a read of k on m that begins now has to bring at least.
func (w *world) floor(m *member, k int, stale bool) int64 {
	least := m.hard[k].Load()
	if !stale {
		least = max(least, m.any[k].Load())
	}
	if w.bound > 0 {
		least = max(least, w.acked[k].before(time.Now().Add(-w.bound)))
	}
	return least
}

// want checks one value.
func (w *world) want(m *member, how string, k int, got row, floor int64) {
	w.checked.Add(1)
	if got.Version < w.truth[k].Load() {
		w.behind.Add(1)
	}
	if (got.Version < floor || got.Key != k) && w.wrong.Add(1) <= 10 {
		w.t.Errorf("%s of %d on %s: version %d of key %d, it had applied %d (stream: %+v)",
			how, k, m.n.Status().Name, got.Version, got.Key, floor, m.n.Status())
	}
}

// brief lets others run for a moment, now and then for longer.
func brief(r *rand.Rand) {
	switch p := r.IntN(100); {
	case p < 40:
	case p < 97:
		runtime.Gosched()
	default:
		<-time.After(time.Duration(r.IntN(2000)) * time.Microsecond)
	}
}
