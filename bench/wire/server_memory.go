package wire

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/lethe-cache/lethe/bench/internal/suite"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

func serverMemory() suite.Question {
	return suite.Question{
		ID: "server-memory", Title: "Memory of the server for one who listens, beyond its connection", Unit: "KB", Rounds: 2,
		About: "A fresh server, its stream, and the connections of so many clients come first; each has asked something, and has said " +
			"something to all the others, since buffers grow with their use. The server's heap after garbage collection is then what counts as nothing " +
			"(`beyond an idle connection`: the heap before that). Before the heap is read " +
			"each connection pings a dozen times, after which the server's buffers for reading are small again, as they are on a quiet one. Then each client begins to listen. The difference, divided by the number of clients, is what one costs. A " +
			"Lethe node subscribes to its fleet's live events, to the fleet's questions and to answers, and holds a lease; a core subscription " +
			"hears the live events and nothing else. Ordered consumers are made as the client library makes them.",
		Bars: []suite.Bar{
			{Of: letheName, Bound: 3},
			{Of: letheName, Bound: 0.05, Unit: "goroutines"},
		},
		Cases: []suite.Case{{Name: "one of many", Open: func(_ context.Context, e *suite.Env) (cs []suite.Contender, err error) {
			for _, c := range []struct {
				name string
				join joining
			}{{letheName, joinFleet}, {"core subscription", joinCore}, {orderedName, joinOrdered}, {pushName, joinPush}} {
				cs = append(cs, suite.Contender{Name: c.name, Run: func(ctx context.Context) (suite.Sample, error) {
					return footprint(ctx, suite.Pick(e, 200, 60), c.join)
				}})
			}
			return cs, nil
		}}},
	}
}

// joining makes a client listen by its connection, and returns how it ends.
type joining func(context.Context, *nats.Conn) (leave func(), err error)

// footprint has n clients of a fresh server join.
func footprint(ctx context.Context, n int, join joining) (s suite.Sample, err error) {
	server, url, err := start(ctx, "wire-serve")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, server.stop()) }()
	first, err := nats.Connect(url)
	if err != nil {
		return nil, err
	}
	defer first.Close()
	leave, err := joinFleet(ctx, first) // makes the stream
	if err != nil {
		return nil, err
	}
	defer leave()
	js, err := jetstream.New(first)
	if err != nil {
		return nil, err
	}
	if err := (&publisher{js: js}).streams(ctx); err != nil {
		return nil, err
	}
	var conns []*nats.Conn
	var leaving []func()
	defer func() {
		for i, nc := range conns {
			if i < len(leaving) {
				leaving[i]()
			}
			nc.Close()
		}
	}()
	for range n {
		nc, err := nats.Connect(url)
		if err != nil {
			return nil, err
		}
		conns = append(conns, nc)
	}
	idle, _, _, err := server.memory(conns)
	if err != nil {
		return nil, err
	}
	if err := use(conns); err != nil {
		return nil, err
	}
	heap, stack, routines, err := server.memory(conns)
	if err != nil {
		return nil, err
	}
	for _, nc := range conns {
		leave, err := join(ctx, nc)
		if err != nil {
			return nil, err
		}
		leaving = append(leaving, leave)
	}
	heap2, stack2, routines2, err := server.memory(conns)
	each := func(before, after int) float64 { return float64(after-before) / float64(n) }
	return suite.Sample{
		"KB": each(heap, heap2) / 1024, "KB beyond an idle connection": each(idle, heap2) / 1024,
		"KB of stacks": each(stack, stack2) / 1024, "goroutines": each(routines, routines2),
	}, err
}

// use has every connection ask, be answered, say something to all and hear from all: the buffers that a server has for a
// connection grow with what goes through it.
func use(conns []*nats.Conn) error {
	var subs []*nats.Subscription
	for _, nc := range conns {
		sub, err := nc.SubscribeSync("use")
		if err != nil {
			return err
		}
		subs = append(subs, sub)
		if err := nc.FlushTimeout(patience); err != nil {
			return err
		}
	}
	text := make([]byte, 300)
	for _, nc := range conns {
		if err := nc.Publish("use", text); err != nil {
			return err
		}
		if _, err := nc.Request("$JS.API.INFO", nil, patience); err != nil {
			return err
		}
	}
	for i, sub := range subs {
		for range conns {
			if _, err := sub.NextMsg(patience); err != nil {
				return err
			}
		}
		if err := errors.Join(sub.Unsubscribe(), conns[i].FlushTimeout(patience)); err != nil {
			return err
		}
	}
	return nil
}

// memory of the server after a dozen pings of each connection: what the server reads from it is smaller again, and so are its buffers.
func (c *child) memory(conns []*nats.Conn) (heap, stack, routines int, err error) {
	for range 12 {
		for _, nc := range conns {
			if err := nc.FlushTimeout(patience); err != nil {
				return 0, 0, 0, err
			}
		}
	}
	said, err := c.ask("memory")
	if err == nil {
		_, err = fmt.Sscan(said, &heap, &stack, &routines)
	}
	return heap, stack, routines, err
}

func joinFleet(ctx context.Context, nc *nats.Conn) (func(), error) {
	node, err := lethe.Open(ctx, lethe.Config{Conn: nc, Fleet: fleet})
	if err != nil {
		return nil, err
	}
	leave := func() { _ = node.Close() }
	within, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := node.Ready(within); err != nil {
		leave()
		return nil, err
	}
	return leave, nil
}

func joinCore(_ context.Context, nc *nats.Conn) (func(), error) {
	sub, err := nc.Subscribe(event.LiveSubject(fleet, ">"), func(*nats.Msg) {})
	if err != nil {
		return nil, err
	}
	return func() { _ = sub.Unsubscribe() }, nc.FlushTimeout(patience)
}

func joinOrdered(ctx context.Context, nc *nats.Conn) (func(), error) {
	c, err := consume(ctx, nc, func(jetstream.Msg) {})
	if err != nil {
		return nil, err
	}
	return c.Stop, nil
}

func joinPush(_ context.Context, nc *nats.Conn) (func(), error) {
	js, err := nc.JetStream()
	if err != nil {
		return nil, err
	}
	sub, err := js.Subscribe(pushLog+">", func(*nats.Msg) {}, nats.OrderedConsumer(), nats.DeliverNew(), nats.BindStream(pushStream))
	if err != nil {
		return nil, err
	}
	return func() { _ = sub.Unsubscribe() }, nc.FlushTimeout(patience)
}
