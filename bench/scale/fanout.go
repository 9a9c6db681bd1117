package scale

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/lethe-cache/lethe/bench/internal/suite"
	"github.com/lethe-cache/lethe/bench/scale/proc"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

func fanOut() suite.Question {
	q := suite.Question{
		ID: "fan-out", Title: "One server and more and more nodes: until all have an invalidation",
		About: "From the call of Invalidate until the last of all nodes has the event, one event at a time; publisher, server and nodes are three " +
			"processes on one machine and share its cores, so the figures grow with the clients' work as well as the server's. " +
			"Up to 20 nodes are real ones (*applied* is when the receiver of the last of them was called). The others are what a node is to its " +
			"server: a connection with the same three subscriptions that sends the same presence and probes, and has the event when the client's callback is " +
			"called; they forget nothing. *burst* is events of one key each, published by 16 callers at once. Every sample has seen every event arrive " +
			"everywhere. The server's CPU an event is without what it uses when idle (*server idle CPU %*: ticks, probes and presence of all nodes). *KB/node* and *goroutines/node* are what the subscriptions cost the server on top of bare connections.",
		Unit:   "ms",
		Rounds: rounds,
		Bars: []suite.Bar{
			{Of: "lethe", Bound: 3, Unit: "KB/node", Case: "1,000 nodes"},
			{Of: "lethe", Bound: 0, Unit: "goroutines/node", Case: "1,000 nodes"},
		},
	}
	for _, n := range []int{10, 100, 300, 1000} {
		q.Cases = append(q.Cases, suite.Case{
			Name: count(n) + " nodes", Full: n > 100,
			Open: func(ctx context.Context, e *suite.Env) ([]suite.Contender, error) { return openFanOut(ctx, e, n) },
		})
	}
	return q
}

// count writes a number with commas.
func count(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// callers publish a burst, each to a subject of its own, so that no two events become one.
const callers = 16

type fan struct {
	server, crowd *proc.Child
	node          *lethe.Node
	n             int
	singles       int
	burst         int
	memory        suite.Sample // what the crowd costs the server
}

// makeStream opens a node that makes the fleet's stream: a publisher makes none.
func makeStream(ctx context.Context, url string) error {
	n, err := lethe.Open(ctx, lethe.Config{URL: url, Fleet: crowdFleet})
	if err != nil {
		return err
	}
	ready, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	return errors.Join(n.Ready(ready), n.Close())
}

func openFanOut(ctx context.Context, e *suite.Env, n int) ([]suite.Contender, error) {
	f := &fan{n: n, singles: suite.Pick(e, 25, 10), burst: max(suite.Pick(e, 40_000, 8_000)/n, 32) / callers * callers}
	var err error
	if f.server, err = proc.Start(ctx, proc.ServerName); err != nil {
		return nil, err
	}
	e.Defer(f.server.Close)
	empty, err := f.stats(true)
	if err != nil {
		return nil, err
	}
	if f.crowd, err = proc.Start(ctx, crowdName, empty.URL); err != nil {
		return nil, err
	}
	e.Defer(f.crowd.Close)
	// The stream comes first: it is not what nodes cost.
	if err := makeStream(ctx, empty.URL); err != nil {
		return nil, err
	}
	f.node, err = lethe.Open(ctx, lethe.Config{URL: empty.URL, Fleet: crowdFleet, Name: "publisher", PublishOnly: true, MaxEvents: 1 << 20})
	if err != nil {
		return nil, err
	}
	e.Defer(f.node.Close)
	ready, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	if err := f.node.Ready(ready); err != nil {
		return nil, err
	}
	if empty, err = f.stats(true); err != nil {
		return nil, err
	}
	f.memory = suite.Sample{}
	fakes := float64(n - min(n, realMost))
	for _, do := range []string{"connect", "subscribe", "join"} {
		if err := f.crowd.Ask(time.Minute, order{Do: do, Number: n}, &report{}); err != nil {
			return nil, err
		}
		s, err := f.stats(true)
		if err != nil {
			return nil, err
		}
		switch {
		case fakes == 0:
		case do == "connect":
			f.memory["KB/connection"] = (float64(s.Heap) - float64(empty.Heap)) / 1024 / fakes
		case do == "subscribe":
			f.memory["KB/node"] = (float64(s.Heap) - float64(empty.Heap)) / 1024 / fakes
			f.memory["goroutines/node"] = float64(s.Goroutines-empty.Goroutines) / fakes
		}
		empty = s
	}
	return one(f.run), nil
}

func (f *fan) stats(collect bool) (s proc.Stats, err error) {
	err = f.server.Ask(20*time.Second, proc.Look{Collect: collect}, &s)
	return s, err
}

func (f *fan) run(ctx context.Context) (suite.Sample, error) {
	var all, applied []float64
	for i := range f.singles {
		begin := time.Now()
		token, err := f.node.Invalidate(ctx, event.Key("one", strconv.Itoa(i)))
		if err != nil {
			return nil, err
		}
		r, err := f.wait(token.Sequence())
		if err != nil {
			return nil, err
		}
		done := float64(r.Applied[0]-begin.UnixNano()) / 1e6
		all, applied = append(all, max(float64(r.Heard[0]-begin.UnixNano())/1e6, done)), append(applied, done)
	}
	s := suite.Sample{
		"ms": suite.Median(all), "ms p99": suite.Quantile(all, 0.99), "ms applied": suite.Median(applied),
	}
	if err := f.storm(ctx, s); err != nil {
		return nil, err
	}
	for unit, x := range f.memory {
		s[unit] = x
	}
	now, err := f.stats(true)
	s["server MB"], s["server goroutines"] = float64(now.Heap)/(1<<20), float64(now.Goroutines)
	return s, err
}

// storm publishes a burst and says how fast it arrived, and what it cost the server.
func (f *fan) storm(ctx context.Context, s suite.Sample) error {
	idle, err := f.idle(ctx)
	if err != nil {
		return err
	}
	before, err := f.stats(false)
	if err != nil {
		return err
	}
	var (
		mu        sync.Mutex // guards sequences and failed
		sequences []uint64
		failed    error
		wg        sync.WaitGroup
	)
	begin := time.Now()
	for c := range callers {
		wg.Go(func() {
			for i := range f.burst / callers {
				token, err := f.node.Invalidate(ctx, event.Key("burst.c"+strconv.Itoa(c), strconv.Itoa(i)))
				mu.Lock()
				sequences = append(sequences, token.Sequence())
				if err != nil {
					failed = err
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if failed != nil {
		return failed
	}
	r, err := f.wait(sequences...)
	if err != nil {
		return err
	}
	end := begin.UnixNano()
	for i := range sequences {
		end = max(end, r.Applied[i])
		if len(r.Heard) > 0 {
			end = max(end, r.Heard[i])
		}
	}
	after, err := f.stats(false)
	if err != nil {
		return err
	}
	span := time.Duration(end - begin.UnixNano())
	cpu := max(after.CPU-before.CPU-time.Duration(idle*float64(span)), 0)
	events, deliveries := float64(len(sequences)), float64(len(sequences)*f.n)
	s["burst events/s"] = events / span.Seconds()
	s["server idle CPU %"] = 100 * idle
	s["server CPU us/event"] = float64(cpu) / 1e3 / events
	s["server CPU us/delivery"] = float64(cpu) / 1e3 / deliveries
	return nil
}

// idle is the share of a processor that the server uses while only ticks, probes and presence pass.
func (f *fan) idle(ctx context.Context) (float64, error) {
	before, err := f.stats(false)
	if err != nil {
		return 0, err
	}
	begin := time.Now()
	select {
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-time.After(500 * time.Millisecond):
	}
	after, err := f.stats(false)
	return float64(after.CPU-before.CPU) / float64(time.Since(begin)), err
}

func (f *fan) wait(sequences ...uint64) (r report, err error) {
	err = f.crowd.Ask(2*waitFor+time.Second, order{Do: "wait", Sequences: sequences}, &r)
	if err == nil && (len(r.Applied) != len(sequences) || len(r.Heard) != len(sequences)) {
		err = fmt.Errorf("the crowd tells of %d and %d events, not %d", len(r.Heard), len(r.Applied), len(sequences))
	}
	return r, err
}
