package scale

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/lethe-cache/lethe/bench/internal/suite"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

func functions() suite.Question {
	q := suite.Question{
		ID: "functions", Title: "100,000 keys of more and more functions: what an event of 100 keys costs",
		About: "A node with 100,000 cached keys, spread evenly over its functions. An event of 100 keys of chance functions is applied " +
			"(Node.Forget: what a node does with an event once it is decoded); the event's keys are then read, and each has to be loaded anew. " +
			"*us* is the time of one event, *hit ns* a read of a cached key of a chance function. Memory is the heap's growth after a collection, of " +
			"registering (KB/function) and of filling (bytes/key, of both tiers; the bulk tier grows in steps); registering is timed as a whole.",
		Unit: "us", Rounds: rounds,
	}
	for _, n := range []int{1, 1000, 10_000} {
		q.Cases = append(q.Cases, suite.Case{
			Name: count(n) + " functions", Full: n > 1000,
			Open: func(ctx context.Context, e *suite.Env) ([]suite.Contender, error) { return openFunctions(ctx, e, n) },
		})
	}
	return q
}

type many struct {
	*local
	fs   []*lethe.Func[int, string]
	keys int // of each
	once suite.Sample
}

func openFunctions(ctx context.Context, e *suite.Env, n int) ([]suite.Contender, error) {
	l, err := openLocal(ctx, e, lethe.Config{MaxHot: 1 << 17, MaxHotBytes: 512 << 20})
	if err != nil {
		return nil, err
	}
	m := &many{local: l, keys: suite.Pick(e, 100_000, 20_000) / n, once: suite.Sample{}}
	m.fs = append(m.fs, lethe.Memoize(l.node, event.Name[int]("f.n0"), l.load)) // allocates the tiers
	empty := heap()
	begin := time.Now()
	for i := 1; i < n; i++ {
		m.fs = append(m.fs, lethe.Memoize(l.node, event.Name[int]("f.n"+strconv.Itoa(i)), l.load))
	}
	if n > 1 {
		m.once["us to register"] = float64(time.Since(begin).Microseconds()) / float64(n-1)
		m.once["KB/function"] = (heap() - empty) / 1024 / float64(n-1)
	}
	empty = heap()
	for _, f := range m.fs {
		for k := range m.keys {
			if _, err := f.Get(ctx, k); err != nil {
				return nil, err
			}
		}
	}
	m.once["bytes/key"] = (heap() - empty) / float64(n*m.keys)
	return one(func(ctx context.Context) (suite.Sample, error) { return m.run(ctx, e) }), nil
}

// eventKeys is how many keys an event names.
const eventKeys = 100

func (m *many) run(ctx context.Context, e *suite.Env) (suite.Sample, error) {
	s := suite.Sample{}
	for unit, x := range m.once {
		s[unit] = x
	}
	type key struct{ f, k int }
	events := suite.Pick(e, 200, 50)
	var took time.Duration
	for range events {
		keys, targets := make([]key, eventKeys), make([]event.Target, eventKeys)
		for i := range keys {
			keys[i] = key{rand.N(len(m.fs)), rand.N(m.keys)}
			targets[i] = m.fs[keys[i].f].Target(keys[i].k)
		}
		begin := time.Now()
		m.node.Forget(targets...)
		took += time.Since(begin)
		for _, k := range keys {
			if _, cached := m.fs[k.f].Peek(ctx, k.k); cached {
				return nil, fmt.Errorf("key %v is still there after it was invalidated", k)
			}
		}
		for _, k := range keys {
			if _, err := m.fs[k.f].Get(ctx, k.k); err != nil {
				return nil, err
			}
		}
	}
	s["us"] = float64(took.Nanoseconds()) / 1e3 / float64(events)
	before := m.loads.Load()
	hits, err := timed(suite.Pick(e, 100_000, 20_000), func() error {
		_, err := m.fs[rand.N(len(m.fs))].Get(ctx, rand.N(m.keys))
		return err
	})
	if err == nil && m.loads.Load() != before {
		err = fmt.Errorf("%d of the hits were loads", m.loads.Load()-before)
	}
	s["hit ns"] = suite.Median(hits)
	return s, err
}
