package ctl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/lethe-cache/lethe/internal/fleet"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

// serviceVersion is of these requests, not of the program: micro wants it semantic.
const serviceVersion = "1.0.0"

// A request waits in a queue of its endpoint, and is answered within answerTime or with an error.
const (
	maxWaiting      = 64
	maxWaitingBytes = 1 << 20
	answerTime      = 2 * time.Second
)

// Serve answers for n on nc until stop is called, which returns when what was asked of the endpoints is answered. It works on a
// connection that is not yet connected.
func Serve(nc *nats.Conn, n *lethe.Node, endpoints ...Endpoint) (stop func() error, err error) {
	return ServeWith(nc, n, func() *Outbox { return nil }, endpoints...)
}

// ServeWith is Serve for a node with a database: its status tells what outbox says, which has to take little time.
func ServeWith(nc *nats.Conn, n *lethe.Node, outbox func() *Outbox, endpoints ...Endpoint) (stop func() error, err error) {
	s := n.Status()
	service, err := micro.AddService(nc, micro.Config{
		Name:               "lethe-node",
		Version:            serviceVersion,
		Description:        "a node of the Lethe fleet " + s.Fleet,
		Metadata:           map[string]string{"fleet": s.Fleet, "node": s.Name},
		QueueGroupDisabled: true, // every node answers, not one of them
	})
	if err != nil {
		return nil, fmt.Errorf("micro service: %w", err)
	}
	for what, handle := range map[string]micro.HandlerFunc{
		Explain: func(r micro.Request) { explain(n, r) },
		GetStatus: func(r micro.Request) {
			s := StatusOf(n)
			s.Outbox = outbox()
			_ = r.RespondJSON(s, by(n))
		},
	} {
		for name, subject := range map[string]string{
			what:          Subject(s.Fleet, what, s.Name),
			what + "-all": Subject(s.Fleet, what, ""),
		} {
			err := service.AddEndpoint(name, answerable(handle), micro.WithEndpointSubject(subject),
				micro.WithEndpointPendingLimits(maxWaiting, maxWaitingBytes))
			if err != nil {
				_ = service.Stop()
				return nil, fmt.Errorf("micro service, %s: %w", subject, err)
			}
		}
	}
	// Every node answers for itself: who is asked by name is asked what it has.
	err = service.AddEndpoint(Has, answerable(func(r micro.Request) { has(n, r) }), micro.WithEndpointSubject(AnySubject(s.Fleet, Has)),
		micro.WithEndpointPendingLimits(maxWaiting, maxWaitingBytes))
	if err != nil {
		_ = service.Stop()
		return nil, fmt.Errorf("micro service, %s: %w", Has, err)
	}
	d := newDesk()
	life, cancel := context.WithCancel(context.Background())
	end := func() error {
		err := service.Stop()
		d.close(cancel)
		return err
	}
	for _, e := range endpoints {
		subject := AnySubject(s.Fleet, e.What)
		err := service.AddEndpoint(e.What, d.handler(life, nc, e, s.Name, func() micro.RespondOpt { return by(n) }),
			micro.WithEndpointSubject(subject), micro.WithEndpointQueueGroup(queueGroup),
			micro.WithEndpointPendingLimits(maxPending, maxPendingBytes))
		if err != nil {
			return nil, errors.Join(fmt.Errorf("micro service, %s: %w", subject, err), end())
		}
	}
	return end, nil
}

// answerable passes over a request whose answer would go to nobody's inbox: it would be said with this node's rights, where
// its asker may have none.
func answerable(handle micro.HandlerFunc) micro.HandlerFunc {
	return func(r micro.Request) {
		if fleet.Answerable(r.Reply()) {
			handle(r)
		}
	}
}

// by names the node in an answer.
func by(n *lethe.Node) micro.RespondOpt {
	return micro.WithHeaders(micro.Headers{nodeHeader: {n.Status().Name}})
}

func explain(n *lethe.Node, r micro.Request) {
	var t event.Target
	if err := json.Unmarshal(r.Data(), &t); err != nil {
		_ = r.Error("400", fmt.Sprintf("the body has to be one target: %v", err), nil, by(n))
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), answerTime)
	defer cancel()
	why, err := n.Explain(ctx, t)
	if err != nil {
		_ = r.Error("422", err.Error(), nil, by(n))
		return
	}
	_ = r.RespondJSON(why, by(n))
}
