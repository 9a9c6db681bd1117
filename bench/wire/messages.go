package wire

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/lethe-cache/lethe/bench/internal/suite"
)

func messages() suite.Question {
	q := suite.Question{
		ID: "messages", Title: "Messages an invalidation costs the server", Unit: "msgs", Rounds: 2, // what is counted hardly varies
		Bars: []suite.Bar{{Of: letheName, Bound: 15, Case: plural(10)}},
		About: "What the server took in and sent out while 200 keys were invalidated one by one, divided by 200. Lethe's is a message in, " +
			"its answer, and one out to each node. What the nodes send for their own upkeep (ticks, probes, presence) in that time is in it, " +
			"in everybody's since the nodes are there all the time; how much that is in a second is measured in the half second before. " +
			"`lethe, 2,048 callers` invalidates 20,000 keys from 2,048 goroutines, which share events.",
	}
	for _, nodes := range []int{10, 100} {
		q.Cases = append(q.Cases, suite.Case{
			Name: plural(nodes), Full: nodes == 100,
			Open: func(ctx context.Context, e *suite.Env) ([]suite.Contender, error) {
				server, rs, err := rivals(ctx, e, nodes, letheName, coreName, orderedName)
				if err != nil {
					return nil, err
				}
				cs := []suite.Contender{{Name: "lethe, 2,048 callers", Run: func(ctx context.Context) (suite.Sample, error) {
					return rs[0].traffic(ctx, server, 20_000, callers)
				}}}
				for _, r := range rs {
					cs = append(cs, suite.Contender{Name: r.name, Run: func(ctx context.Context) (suite.Sample, error) {
						return r.traffic(ctx, server, 200, 1)
					}})
				}
				return cs, nil
			},
		})
	}
	return q
}

// traffic counts the server's messages while n keys are published by some callers.
func (r *rival) traffic(ctx context.Context, server *child, n, callers int) (suite.Sample, error) {
	base, err := r.crowd.begin(n, false)
	if err != nil {
		return nil, err
	}
	in, out, upkeep, err := server.quiet(ctx)
	if err != nil {
		return nil, err
	}
	errs := make([]error, callers)
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			for i := c; i < n && errs[c] == nil; i += callers {
				errs[c] = r.prepare(base + i)(ctx)
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if _, err := r.crowd.collect(); err != nil {
		return nil, err
	}
	in2, out2, err := server.messages()
	return suite.Sample{
		"msgs": float64(in2-in+out2-out) / float64(n), "msgs/s of upkeep": upkeep,
	}, err
}

// quiet is how many messages a second go in and out when nobody says anything.
func (c *child) quiet(ctx context.Context) (in, out int, upkeep float64, err error) {
	in, out, err = c.messages()
	if err != nil {
		return 0, 0, 0, err
	}
	began := time.Now()
	rest(ctx, 500*time.Millisecond)
	in2, out2, err := c.messages()
	return in2, out2, float64(in2-in+out2-out) / time.Since(began).Seconds(), err
}

func (c *child) messages() (in, out int, err error) {
	said, err := c.ask("messages")
	if err == nil {
		_, err = fmt.Sscan(said, &in, &out)
	}
	return in, out, err
}
