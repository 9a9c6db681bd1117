package wire

import (
	"context"
	"strconv"
	"time"

	"github.com/lethe-cache/lethe/bench/internal/suite"
)

func publishApplied() suite.Question {
	q := suite.Question{
		ID: "publish-applied", Redis: true, Title: "From publish to applied on the last node", Unit: "us",
		About: "One event at a time, a pause after each; p50 (and p99) of the time from the call to the moment when the last of " +
			"the nodes has it. Lethe: `Invalidate` of one key until a receiver is called, that is: canonical key, CloudEvent, stored by " +
			"the stream, republished, decoded, fenced, handed over; each node has some of the keys cached, and is asked afterwards " +
			"whether they are gone. Peers: publish to the first line of the callback, nothing decoded or forgotten. `core NATS` sends as " +
			"many bytes as headers and body of Lethe's event have when they reach a node, as plain payload; `core NATS, 300 B` sends 300. " +
			"They publish as the client's documentation does, without knowing when the server has it; `flushed` waits for that. They store nothing, and what is lost is lost. `stream + RePublish` is Lethe's own bytes, encoded beforehand, through " +
			"an equal stream to plain subscriptions: the floor of this design. `ordered consumer` is one a node, of the same bytes (the " +
			"client's present API, which pulls; `push` is the older one). Redis pub/sub sends the same number of bytes. Rueidis' " +
			"client-side caching has the key cached at each client beforehand; `SET` to the invalidation's callback, a few bytes. " +
			"All nodes share this machine's processors with the server.",
		Bars: []suite.Bar{
			{Of: letheName, To: core300Name, Bound: 1.35},
			{Of: letheName, To: coreName, Bound: 1.35},
			{Of: letheName, To: orderedName, Bound: 1},
		},
	}
	for _, nodes := range []int{1, 10, 100} {
		q.Cases = append(q.Cases, suite.Case{
			Name: plural(nodes), Full: nodes == 100,
			Open: func(ctx context.Context, e *suite.Env) ([]suite.Contender, error) {
				_, rs, err := rivals(ctx, e, nodes, letheName, core300Name, flushedName, coreName, rawName, orderedName, pushName, redisName, trackName)
				if err != nil {
					return nil, err
				}
				var cs []suite.Contender
				for _, r := range rs {
					cs = append(cs, suite.Contender{Name: r.name, Run: func(ctx context.Context) (suite.Sample, error) {
						return r.latency(ctx, suite.Pick(e, 100, 50), pause(nodes))
					}})
				}
				return cs, nil
			},
		})
	}
	return q
}

// pause is long enough for an event to be over before the next one.
func pause(nodes int) time.Duration {
	return 2*time.Millisecond + time.Duration(nodes)*80*time.Microsecond
}

// latency publishes events one by one.
func (r *rival) latency(ctx context.Context, events int, pause time.Duration) (suite.Sample, error) {
	const warm = 10 // they do not count
	base, err := r.crowd.begin(warm+events, true)
	if err != nil {
		return nil, err
	}
	sent, called := make([]int64, warm+events), []float64{}
	for i := range sent {
		post := r.prepare(base + i)
		sent[i] = time.Now().UnixNano()
		if err := post(ctx); err != nil {
			return nil, err
		}
		called = append(called, float64(time.Now().UnixNano()-sent[i])/1e3)
		rest(ctx, pause)
	}
	last, err := r.crowd.collect()
	if err != nil {
		return nil, err
	}
	took := make([]float64, 0, events)
	for i := warm; i < len(sent); i++ {
		took = append(took, float64(last[i]-sent[i])/1e3)
	}
	return suite.Sample{"us": suite.Median(took), "us p99": suite.Quantile(took, 0.99), "us until the call returned": suite.Median(called[warm:])}, nil
}

func plural(nodes int) string {
	if nodes == 1 {
		return "1 node"
	}
	return strconv.Itoa(nodes) + " nodes"
}
