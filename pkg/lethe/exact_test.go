package lethe_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/lethe-cache/lethe/pkg/lethe"
	"github.com/lethe-cache/lethe/pkg/lethe/lethetest"
)

// read makes one read of some kind and checks what it brought: no older than what had been applied before it began.
func (w *world) read(ctx context.Context, m *member, r *rand.Rand) error {
	k := r.IntN(worldKeys)
	floor := w.floor(m, k, false)
	one := func(how string, f *lethe.Func[int, row]) error {
		v, err := f.Get(ctx, k)
		if err == nil {
			w.want(m, how, k, v, floor)
		}
		return err
	}
	switch p := r.IntN(1000); {
	case p < 250:
		return one("item", m.item)
	case p < 400:
		return one("bulk", m.bulk)
	case p < 550:
		return one("hot", m.hot)
	case p < 600:
		return one("batch", m.batch)
	case p < 680:
		hard := w.floor(m, k, true)
		v, err := m.serves.Get(ctx, k)
		if err == nil {
			w.want(m, "serves", k, v, hard)
		}
		return err
	case p < 740:
		return w.readPair(ctx, m, "pair", m.pair, k, (k+1)%worldKeys)
	case p < 790:
		return w.readPair(ctx, m, "deep", m.deep, k, (k+1)%worldKeys)
	case p < 880:
		return w.readMany(ctx, m, r)
	case p < 940:
		for how, f := range map[string]*lethe.Func[int, row]{"peek item": m.item, "peek bulk": m.bulk, "peek hot": m.hot} {
			floor := w.floor(m, k, false)
			if v, ok := f.Peek(ctx, k); ok {
				w.want(m, how, k, v, floor)
			}
		}
		return nil
	case p < 955:
		return w.readToken(ctx, m, k)
	case p < 975:
		return w.fill(ctx, m, r)
	case p < 980:
		v, err := m.item.Get(lethe.WithBypass(ctx), k)
		if err == nil {
			w.want(m, "bypass", k, v, floor)
		}
		return err
	case p < 982:
		var floors [worldKeys]int64
		for k := range floors {
			floors[k] = w.floor(m, k, false)
		}
		rows, err := m.all.Get(ctx)
		for k, v := range rows {
			w.want(m, "all", k, v, floors[k])
		}
		return err
	default:
		res, err := m.bulk.Lookup(ctx, k)
		if err == nil {
			w.want(m, "lookup "+string(res.Cache), k, res.Value, floor)
		}
		return err
	}
}

func (w *world) readPair(ctx context.Context, m *member, how string, f *lethe.Func[int, two], k, l int) error {
	a, b := w.floor(m, k, false), w.floor(m, l, false)
	v, err := f.Get(ctx, k)
	if err == nil {
		w.want(m, how, k, v.A, a)
		w.want(m, how, l, v.B, b)
	}
	return err
}

func (w *world) readMany(ctx context.Context, m *member, r *rand.Rand) error {
	ks, floors := r.Perm(worldKeys)[:1+r.IntN(6)], map[int]int64{}
	for _, k := range ks {
		floors[k] = w.floor(m, k, false)
	}
	vs, err := m.batch.GetMany(ctx, ks)
	for k, v := range vs {
		w.want(m, "many", k, v, floors[k])
	}
	return err
}

// readToken needs no Wait: the token goes with the read.
func (w *world) readToken(ctx context.Context, m *member, k int) error {
	last := w.last[k].Load()
	if last == nil {
		return nil
	}
	v, err := m.pair.Get(lethe.WithToken(ctx, last.token), k)
	if err == nil {
		w.want(m, "token", k, v.A, last.version)
	}
	return err
}

func (w *world) fill(ctx context.Context, m *member, r *rand.Rand) error {
	ks := r.Perm(worldKeys)[:3]
	f, how := m.item, "fill item"
	if r.IntN(2) == 0 {
		f, how = m.hot, "fill hot"
	}
	floors := map[int]int64{}
	for _, k := range ks {
		floors[k] = w.floor(m, k, false)
	}
	vs, err := f.Fill(ctx, func(ctx context.Context) (map[int]row, error) {
		rows, err := w.loadMany(ctx, ks)
		for _, k := range ks {
			lethe.AddTags(ctx, tagsOf(k)...)
		}
		return rows, err
	})
	for k, v := range vs {
		w.want(m, how, k, v, floors[k])
	}
	return err
}

// run lets readers and writers loose until enough reads were checked. A reader rests now and then, else thousands would keep
// the servers from running.
func (w *world) run(ctx context.Context, readers, writers int, enough func() bool) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	pause := func(d time.Duration) {
		select {
		case <-time.After(d):
		case <-ctx.Done():
		}
	}
	var wg sync.WaitGroup
	for i := range readers {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 1))
			m := w.nodes[i%len(w.nodes)]
			for ctx.Err() == nil {
				if err := w.read(ctx, m, r); err != nil && ctx.Err() == nil && w.wrong.Add(1) <= 10 {
					w.t.Errorf("a read failed: %v", err)
				}
				if w.rest > 0 && r.IntN(20) == 0 {
					pause(time.Duration(r.Int64N(2 * int64(w.rest))))
				}
			}
		})
	}
	for i := range writers {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 2))
			for ctx.Err() == nil {
				switch err := w.write(ctx, r); {
				case err == nil:
					w.written.Add(1)
				case !w.tolerant && ctx.Err() == nil && !errors.Is(err, lethe.ErrNotPublished) && w.wrong.Add(1) <= 10:
					w.t.Errorf("a write failed: %v (%+v)", err, w.nodes[0].n.Status())
				}
				if i == 0 && r.IntN(20) == 0 {
					lethe.DropHot(w.nodes[r.IntN(len(w.nodes))].n)
				}
				pause(time.Duration(r.Int64N(2 * int64(w.pause))))
			}
		})
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !enough() && ctx.Err() == nil && w.wrong.Load() == 0 {
		<-tick.C
	}
	cancel()
	wg.Wait()
}

// exactReads is how many reads are checked: a million, a quarter of that under the race detector, or LETHE_EXACT_READS.
func exactReads(t *testing.T) int64 {
	text, ok := os.LookupEnv("LETHE_EXACT_READS")
	switch {
	case !ok && raceEnabled:
		return 250_000
	case !ok:
		return 1_000_000
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 {
		t.Fatalf("LETHE_EXACT_READS=%q is no number of reads", text)
	}
	return n
}

// It takes all of the machine, so nothing runs beside it.
func TestNoReadAfterWaitSeesAnOlderLoad(t *testing.T) {
	reads := exactReads(t)
	nodes := lethetest.Fleet(t, 3, lethe.Config{MaxHot: 256, MaxBytes: 8 << 20, MaxLoad: 5 * time.Minute})
	w := &world{t: t, slow: brief, rest: 200 * time.Millisecond, pause: 20 * time.Millisecond}
	if raceEnabled {
		w.rest, w.pause = 5*w.rest, 5*w.pause
	}
	for _, n := range nodes {
		w.join(n)
	}
	begun := time.Now()
	w.run(context.Background(), 2000, 12, func() bool { return w.checked.Load() >= reads })
	took := time.Since(begun)
	sum := func(name string, labels ...string) (total float64) {
		for _, n := range nodes {
			for _, f := range n.Functions() {
				total += metric(t, n, name, append([]string{"function", f.Name}, labels...)...)
			}
		}
		return total
	}
	seen := map[string]float64{
		"hits":         sum("lethe_requests_total", "result", "hit"),
		"misses":       sum("lethe_requests_total", "result", "miss"),
		"stale serves": sum("lethe_requests_total", "result", "stale"),
		"bypasses":     sum("lethe_requests_total", "result", "bypass"),
		"fenced loads": sum("lethe_loads_fenced_total"),
		"joins":        sum("lethe_loads_shared_total"),
		"behind":       float64(w.behind.Load()), // an older value was there to be served
		"writes":       float64(w.written.Load()),
	}
	for what, count := range seen {
		if count == 0 {
			t.Errorf("no %s: this run shows nothing", what)
		}
	}
	t.Logf("%d reads checked in %v, %d wrong; %v", w.checked.Load(), took, w.wrong.Load(), seen)
	if w.checked.Load() < reads {
		t.Errorf("%d reads checked, want %d", w.checked.Load(), reads)
	}
}
