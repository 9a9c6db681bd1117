package wire

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/lethe-cache/lethe/bench/internal/suite"
	"github.com/lethe-cache/lethe/pkg/embedded"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

// Cases of startUp.
const (
	inProcess = "with a server in the process"
	running   = "against a running server"
	newFleet  = "against a running server, a new fleet"
	inCrowd   = "against a running server, 100 nodes alive"
)

func startUp() suite.Question {
	return suite.Question{
		ID: "start-up", Redis: true, Title: "From nothing to ready", Unit: "ms",
		About: "The median of some starts, one after the other; closing is not in it. Lethe: `Open` (and `embedded.Start`, where the server is in " +
			"the process) until `Ready`: connected, the stream looked at or made, everything before that moment accounted for, a tick of its " +
			"own heard. Peers for orientation: connect and subscribe, until the server has confirmed it; nothing is known then of what was missed.",
		Bars: []suite.Bar{
			{Of: letheName, Bound: 150, Case: inProcess},
			{Of: letheName, Bound: 50, Case: running},
			{Of: letheName, Bound: 50, Case: newFleet},
			{Of: letheName, Bound: 50, Case: inCrowd},
		},
		Cases: []suite.Case{
			{Name: inProcess, Open: func(_ context.Context, e *suite.Env) ([]suite.Contender, error) {
				return []suite.Contender{starts(e, letheName, startBoth), starts(e, "embedded.Start, core subscription", startServerOnly)}, nil
			}},
			{Name: running, Open: func(ctx context.Context, e *suite.Env) ([]suite.Contender, error) { return startsAgainst(ctx, e, 0) }},
			{Name: newFleet, Open: startsNew},
			{Name: inCrowd, Full: true, Open: func(ctx context.Context, e *suite.Env) ([]suite.Contender, error) { return startsAgainst(ctx, e, 100) }},
		},
	}
}

// starting is one start; it returns how what it started ends.
type starting func(context.Context) (end func(), err error)

func starts(e *suite.Env, name string, begin starting) suite.Contender {
	return suite.Contender{Name: name, Run: func(ctx context.Context) (suite.Sample, error) {
		var took []float64
		for range suite.Pick(e, 7, 5) {
			within, cancel := context.WithTimeout(ctx, patience)
			began := time.Now()
			end, err := begin(within)
			took = append(took, float64(time.Since(began))/1e6)
			cancel()
			if err != nil {
				return nil, err
			}
			end()
		}
		return suite.Sample{"ms": suite.Median(took), "ms p99": suite.Quantile(took, 0.99)}, nil
	}}
}

func startBoth(ctx context.Context) (func(), error) {
	srv, err := embedded.Start(ctx, embedded.Config{})
	if err != nil {
		return nil, err
	}
	nc, err := srv.Connect()
	if err != nil {
		_ = srv.Close()
		return nil, err
	}
	node, err := startNode(ctx, lethe.Config{Conn: nc})
	return func() {
		if node != nil {
			node()
		}
		nc.Close()
		_ = srv.Close()
	}, err
}

func startServerOnly(ctx context.Context) (func(), error) {
	srv, err := embedded.Start(ctx, embedded.Config{})
	if err != nil {
		return nil, err
	}
	nc, err := srv.Connect()
	if err == nil {
		_, err = joinCore(ctx, nc)
	}
	return func() {
		nc.Close()
		_ = srv.Close()
	}, err
}

func startNode(ctx context.Context, cfg lethe.Config) (func(), error) {
	node, err := lethe.Open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return func() { _ = node.Close() }, node.Ready(ctx)
}

// startsAgainst is the start of one more node where some are.
func startsAgainst(ctx context.Context, e *suite.Env, nodes int) ([]suite.Contender, error) {
	_, url, err := startServer(ctx, e)
	if err != nil {
		return nil, err
	}
	p, err := newPublisher(ctx, e, url)
	if err != nil {
		return nil, err
	}
	if _, err := gather(ctx, e, "lethe", url, max(nodes, 1)); err != nil {
		return nil, err
	}
	if err := p.streams(ctx); err != nil {
		return nil, err
	}
	connected := func(join joining) starting {
		return func(ctx context.Context) (func(), error) {
			nc, err := nats.Connect(url)
			if err != nil {
				return nil, err
			}
			leave, err := join(ctx, nc)
			return func() {
				if leave != nil {
					leave()
				}
				nc.Close()
			}, err
		}
	}
	return []suite.Contender{
		starts(e, letheName, func(ctx context.Context) (func(), error) { return startNode(ctx, lethe.Config{URL: url, Fleet: fleet}) }),
		starts(e, "core subscription", connected(joinCore)),
		starts(e, orderedName, connected(joinOrdered)),
		starts(e, redisName, func(ctx context.Context) (func(), error) {
			l, err := listenRedis(ctx, e.Redis, hearing{board: &board{}})
			return l.close, err
		}),
	}, nil
}

// startsNew is the start of the first node of a fleet.
func startsNew(ctx context.Context, e *suite.Env) ([]suite.Contender, error) {
	_, url, err := startServer(ctx, e)
	if err != nil {
		return nil, err
	}
	n := 0
	return []suite.Contender{
		starts(e, letheName, func(ctx context.Context) (func(), error) {
			n++
			name := fmt.Sprintf("new-%d", n)
			end, err := startNode(ctx, lethe.Config{URL: url, Fleet: name})
			return func() {
				if end != nil {
					end()
				}
				removeStream(url, event.StreamName(name)) // each reserves 256 MiB of the disk
			}, err
		}),
		starts(e, "ordered consumer of a new stream", func(ctx context.Context) (func(), error) {
			n++
			nc, err := nats.Connect(url)
			if err != nil {
				return nil, err
			}
			return nc.Close, consumeNew(ctx, nc, fmt.Sprintf("NEW_%d", n))
		}),
	}, nil
}

func removeStream(url, name string) {
	nc, err := nats.Connect(url)
	if err != nil {
		return
	}
	defer nc.Close()
	_, _ = nc.Request("$JS.API.STREAM.DELETE."+name, nil, patience)
}

func consumeNew(ctx context.Context, nc *nats.Conn, name string) error {
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	if _, err := js.CreateStream(ctx, jetstream.StreamConfig{Name: name, Subjects: []string{name + ".>"}}); err != nil {
		return err
	}
	consumer, err := js.OrderedConsumer(ctx, name, jetstream.OrderedConsumerConfig{})
	if err != nil {
		return err
	}
	if _, err := consumer.Consume(func(jetstream.Msg) {}); err != nil {
		return err
	}
	return nc.FlushTimeout(patience)
}
