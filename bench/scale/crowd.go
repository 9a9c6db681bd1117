package scale

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

// crowdName is the child with the nodes of fan-out: some real ones, and for each of the others what a node costs its server.
const crowdName = "scale-crowd"

const (
	crowdFleet = "scale"
	// realMost is how many of a crowd are real nodes: a thousand of them in one process would be measured for their own company.
	realMost = 20
)

// order tells the crowd what to do.
type order struct {
	Do        string   // connect, subscribe, join, wait
	Number    int      // of connections
	Sequences []uint64 // to wait for
}

// report is the crowd's answer: for each sequence when the last had it.
type report struct {
	Heard   []int64 // by the subscriptions, Unix nanoseconds
	Applied []int64 // by the receivers of real nodes
}

type crowd struct {
	url   string
	conns []*nats.Conn
	nodes []*lethe.Node
	live  arrivals
	done  arrivals
	wg    sync.WaitGroup
	stop  chan struct{}
	known atomic.Int64 // how many there are
}

func runCrowd(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return errors.New("usage: " + crowdName + " URL")
	}
	c := &crowd{url: args[0], stop: make(chan struct{})}
	defer c.close()
	return serveCrowd(ctx, c)
}

func (c *crowd) do(ctx context.Context, o order) (r report, err error) {
	switch o.Do {
	case "connect":
		c.known.Store(int64(o.Number))
		return r, c.connect(o.Number - min(o.Number, realMost))
	case "subscribe":
		return r, c.subscribe()
	case "join":
		return r, c.join(ctx, min(o.Number, realMost))
	case "wait":
		r.Heard, err = c.live.wait(ctx, o.Sequences, len(c.conns))
		if err == nil {
			r.Applied, err = c.done.wait(ctx, o.Sequences, len(c.nodes))
		}
		return r, err
	}
	return r, fmt.Errorf("what is %q", o.Do)
}

func (c *crowd) connect(n int) error {
	for range n {
		nc, err := nats.Connect(c.url, nats.ReconnectBufSize(-1), nats.PingInterval(10*time.Second), nats.Timeout(10*time.Second))
		if err != nil {
			return err
		}
		c.conns = append(c.conns, nc)
	}
	return nil
}

// subscribe makes each connection what a node's is: the live feed, the presence of the others, questions of barriers.
func (c *crowd) subscribe() error {
	for i, nc := range c.conns {
		for subject, handle := range map[string]nats.MsgHandler{
			event.LiveSubject(crowdFleet, ">"): func(m *nats.Msg) {
				if sequence, err := strconv.ParseUint(last(m.Header["Nats-Sequence"]), 10, 64); err == nil {
					c.live.note(sequence)
				}
			},
			event.CtlSubject(crowdFleet, "presence.*"): func(*nats.Msg) {},
			event.CtlSubject(crowdFleet, "barrier"):    func(*nats.Msg) {},
		} {
			if _, err := nc.Subscribe(subject, handle); err != nil {
				return err
			}
		}
		if err := nc.FlushTimeout(20 * time.Second); err != nil {
			return err
		}
		c.wg.Go(func() { c.idle(nc, i) })
	}
	return nil
}

func last(xs []string) string {
	if len(xs) == 0 {
		return ""
	}
	return xs[len(xs)-1]
}

// idle says what a node says while nothing happens: presence, less often the more there are, and a probe about every 2.2 s.
func (c *crowd) idle(nc *nats.Conn, i int) {
	every := min(max(time.Duration(c.known.Load())*50*time.Millisecond, 2*time.Second), time.Minute)
	name := fmt.Sprintf("crowd-%d", i)
	body, _ := json.Marshal(map[string]any{ //nolint:errchkjson // strings and numbers
		"node": name, "instance": "abcdefghijkl", "version": "(devel)", "state": "current", "epoch": "abcdefghijklmnop", "cursor": 1795381730232,
		"last": 1795381730232, "leaseAgeMs": 512, "entries": 1000, "bytes": 1 << 20, "resets": 1, "gapsHealed": 0, "horizonMs": 10000,
		"everyMs": every.Milliseconds(),
	})
	presence, probe := time.NewTimer(rand.N(every)), time.NewTimer(rand.N(2*time.Second))
	defer presence.Stop()
	defer probe.Stop()
	for {
		select {
		case <-c.stop:
			return
		case <-presence.C:
			_ = nc.Publish(event.CtlSubject(crowdFleet, "presence."+name), body)
			presence.Reset(every - rand.N(every/5))
		case <-probe.C:
			_, _ = nc.Request("$JS.API.STREAM.INFO."+event.StreamName(crowdFleet), nil, 2*time.Second)
			probe.Reset(2500*time.Millisecond - rand.N(625*time.Millisecond))
		}
	}
}

// join opens real nodes, each with a receiver that notes what was applied.
func (c *crowd) join(ctx context.Context, n int) error {
	for i := range n {
		node, err := lethe.Open(ctx, lethe.Config{URL: c.url, Fleet: crowdFleet, Name: fmt.Sprintf("real-%d", i), MaxBytes: 1 << 20})
		if err != nil {
			return err
		}
		c.nodes = append(c.nodes, node)
		if err := node.Receive("arrivals", func(_ context.Context, e event.Event) error {
			c.done.note(e.Token.Sequence())
			return nil
		}, lethe.WithQueue(1<<16)); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for _, node := range c.nodes {
		if err := node.Ready(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (c *crowd) close() {
	close(c.stop)
	c.wg.Wait()
	var wg sync.WaitGroup
	for _, n := range c.nodes {
		wg.Go(func() { _ = n.Close() })
	}
	wg.Wait()
	for _, nc := range c.conns {
		nc.Close()
	}
}

// arrivals counts who has what, by sequence.
type arrivals [1 << 14]struct {
	mu             sync.Mutex // guards what follows
	sequence, last int64
	n              int
}

func (a *arrivals) note(sequence uint64) {
	now := time.Now().UnixNano()
	s := &a[sequence%uint64(len(a))]
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sequence != int64(sequence) {
		s.sequence, s.n, s.last = int64(sequence), 0, 0
	}
	s.n++
	s.last = max(s.last, now)
}

// waitFor is how long arrivals are waited for.
const waitFor = 20 * time.Second

func (a *arrivals) wait(ctx context.Context, sequences []uint64, want int) ([]int64, error) {
	deadline := time.Now().Add(waitFor)
	at := make([]int64, 0, len(sequences))
	for _, sequence := range sequences {
		s := &a[sequence%uint64(len(a))]
		for {
			s.mu.Lock()
			n, last := s.n, s.last
			if s.sequence != int64(sequence) {
				n, last = 0, 0
			}
			s.mu.Unlock()
			if n >= want {
				at = append(at, last)
				break
			}
			if time.Now().After(deadline) {
				return nil, fmt.Errorf("sequence %d has reached %d of %d", sequence, n, want)
			}
			select {
			case <-ctx.Done():
				return nil, cmp.Or(context.Cause(ctx), ctx.Err())
			case <-time.After(200 * time.Microsecond):
			}
		}
	}
	return at, nil
}
