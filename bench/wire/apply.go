package wire

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/lethe-cache/lethe/bench/internal/suite"
	"github.com/lethe-cache/lethe/pkg/event"
)

// perCore is what one could apply that has a processor for itself.
const perCore = "events/s of one processor"

func apply() suite.Question {
	q := suite.Question{
		ID: "apply", Title: "Events a node applies", Unit: perCore, Higher: true,
		About: "A burst of encoded events is published to a fleet's stream without waiting for each answer, and a process with one node (no receiver) " +
			"takes them from the server by its connection, until its cursor has passed the last one. On this machine the server, the publisher " +
			"and the node share two processors, and the server is slower than the node, so the rate in time (`events/s`) is the " +
			"server's. What a node could do is told by the processor time that its process used, in its own code and in the kernel for it, reading " +
			"included: events a second of one processor. It may use two at once. `plain subscription` takes the same messages and looks at " +
			"their sequence only: what the client library and the kernel cost before anything is applied. `lethe, from memory` decodes and fences events that are " +
			"there already, on one goroutine, by the public functions: what Lethe itself makes of it, which is what the bars are about.",
		Bars: []suite.Bar{
			{Of: memoryName, Bound: 250_000, Case: "1 key an event"},
			{Of: memoryName, Bound: 2_000_000, Case: "100 keys an event", Unit: "keys/s of one processor"},
		},
	}
	for _, c := range []struct {
		name                string
		events, quick, keys int
	}{{"1 key an event", 40_000, 10_000, 1}, {"100 keys an event", 4_000, 1_500, 100}} {
		q.Cases = append(q.Cases, suite.Case{Name: c.name, Open: func(ctx context.Context, e *suite.Env) ([]suite.Contender, error) {
			_, url, err := startServer(ctx, e)
			if err != nil {
				return nil, err
			}
			p, err := newPublisher(ctx, e, url)
			if err != nil {
				return nil, err
			}
			var cs []suite.Contender
			for _, kind := range []string{letheName, "plain subscription"} {
				child, _, err := start(ctx, "wire-apply", kind, url)
				if err != nil {
					return nil, err
				}
				e.Defer(child.stop)
				cs = append(cs, suite.Contender{Name: kind, Run: func(context.Context) (suite.Sample, error) {
					return p.burst(child, suite.Pick(e, c.events, c.quick), c.keys)
				}})
			}
			run, err := fromMemory(ctx, e, url, c.keys)
			if err != nil {
				return nil, err
			}
			return append(cs, suite.Contender{Name: memoryName, Run: run}), nil
		}})
	}
	return q
}

// burst publishes events of some keys each, and asks the child what they have cost it.
func (p *publisher) burst(c *child, events, keys int) (suite.Sample, error) {
	messages := make([]*nats.Msg, events)
	for i := range messages {
		e := event.Event{Source: "/lethe/bench/burst"}
		for k := range keys {
			e.Targets = append(e.Targets, event.Key(function, key(i*keys+k)))
		}
		m, err := event.Encode(fleet, e)
		if err != nil {
			return nil, err
		}
		messages[i] = &nats.Msg{Subject: m.Subject, Header: m.Header, Data: m.Data}
	}
	if _, err := c.ask("begin"); err != nil {
		return nil, err
	}
	began := time.Now().UnixNano()
	var last jetstream.PubAckFuture
	for _, m := range messages {
		f, err := p.js.PublishMsgAsync(m)
		if err != nil {
			return nil, err
		}
		last = f
	}
	select {
	case <-p.js.PublishAsyncComplete():
	case <-time.After(patience):
		return nil, fmt.Errorf("%d of %d events have no answer", p.js.PublishAsyncPending(), events)
	}
	var seq uint64
	select {
	case ack := <-last.Ok():
		seq = ack.Sequence
	case err := <-last.Err():
		return nil, err
	}
	said, err := c.ask(fmt.Sprintf("until %d", seq))
	if err != nil {
		return nil, err
	}
	var at, used int64
	if _, err := fmt.Sscan(said, &at, &used); err != nil {
		return nil, err
	}
	n := float64(events)
	return suite.Sample{
		perCore:                   n / time.Duration(used).Seconds(),
		"keys/s of one processor": n * float64(keys) / time.Duration(used).Seconds(),
		"events/s":                n / time.Duration(at-began).Seconds(),
	}, nil
}
