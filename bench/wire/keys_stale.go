package wire

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lethe-cache/lethe/bench/internal/suite"
)

// callers is how many goroutines invalidate at once, each waiting for its answer.
const callers = 2048

func keysStale() suite.Question {
	q := suite.Question{
		ID: "keys-stale", Redis: true, Title: "Keys made stale on each node, a second", Unit: "keys/s", Higher: true,
		About: "2,048 goroutines of one process invalidate one key at a time, each waiting for its answer, until all of the keys have " +
			"reached every node; counted from the first call to the moment when the last node has the last key. Lethe: `Invalidate`, stored " +
			"and acknowledged; what comes in while a publish is under way becomes the next event, and a node's receiver counts what was " +
			"forgotten. Some of the keys are cached on each node, and gone afterwards. Peers send a message a key, with the text that " +
			"Lethe's event has for it: `PUBLISH` through rueidis, which pipelines what goroutines send at once and waits for the answer, " +
			"and core NATS, which waits for nothing. With rueidis' client-side caching every client has cached every key beforehand " +
			"(fewer of them), and the writer says `SET`. How many keys a contender has to send follows from its speed, so that " +
			"rounds are about as long. All nodes share this machine's processors with the server, so that what a node does with a key counts as " +
			"often as there are nodes.",
		Bars: []suite.Bar{{Of: letheName, To: redisKeyName, Bound: 5}},
	}
	for _, nodes := range []int{10, 100} {
		q.Cases = append(q.Cases, suite.Case{
			Name: plural(nodes), Full: nodes == 100,
			Open: func(ctx context.Context, e *suite.Env) ([]suite.Contender, error) {
				_, rs, err := rivals(ctx, e, nodes, letheName, redisKeyName, coreKeyName, trackName)
				if err != nil {
					return nil, err
				}
				keys := map[string]int{letheName: 6_000_000, redisKeyName: 600_000, coreKeyName: 400_000, trackName: 60_000}
				var cs []suite.Contender
				for _, r := range rs {
					n := keys[r.name] / nodes / suite.Pick(e, 1, 2)
					cs = append(cs, suite.Contender{Name: r.name, Run: func(ctx context.Context) (suite.Sample, error) { return r.rate(ctx, n) }})
				}
				return cs, nil
			},
		})
	}
	return q
}

// rate has n keys published by many callers.
func (r *rival) rate(ctx context.Context, n int) (suite.Sample, error) {
	base, err := r.crowd.begin(n, false)
	if err != nil {
		return nil, err
	}
	posts := make([]post, n)
	for i := range posts {
		posts[i] = r.prepare(base + i)
	}
	var (
		next atomic.Int64
		wg   sync.WaitGroup
		errs = make([]error, callers)
	)
	began := time.Now().UnixNano()
	for c := range callers {
		wg.Go(func() {
			for errs[c] == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				errs[c] = posts[i](ctx)
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	answered := time.Now().UnixNano()
	last, err := r.crowd.collect()
	if err != nil {
		return nil, err
	}
	return suite.Sample{
		"keys/s":          float64(n) / time.Duration(last[0]-began).Seconds(),
		"keys/s answered": float64(n) / time.Duration(answered-began).Seconds(),
	}, nil
}
