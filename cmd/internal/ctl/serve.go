package ctl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

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
	service, err := newService(nc, "lethe-node", serviceVersion, "a node of the Lethe fleet "+s.Fleet, map[string]string{"fleet": s.Fleet, "node": s.Name})
	if err != nil {
		return nil, fmt.Errorf("micro service: %w", err)
	}
	status := func([]byte) (any, *Refusal) {
		s := StatusOf(n)
		s.Outbox = outbox()
		return s, nil
	}
	for _, e := range []struct {
		name, subject string
		answer        func(body []byte) (any, *Refusal)
	}{
		{Explain, Subject(s.Fleet, Explain, s.Name), func(body []byte) (any, *Refusal) { return explain(n, body) }},
		{Explain + "-all", Subject(s.Fleet, Explain, ""), func(body []byte) (any, *Refusal) { return explain(n, body) }},
		{GetStatus, Subject(s.Fleet, GetStatus, s.Name), status},
		{GetStatus + "-all", Subject(s.Fleet, GetStatus, ""), status},
		// Every node answers for itself: there is no queue group.
		{Has, AnySubject(s.Fleet, Has), func(body []byte) (any, *Refusal) { return has(n, body) }},
	} {
		if _, err := service.listen(e.name, e.subject, "", maxWaiting, maxWaitingBytes, answering(nc, s.Name, e.answer)); err != nil {
			return nil, errors.Join(fmt.Errorf("micro service, %s: %w", e.subject, err), service.stop())
		}
	}
	d := newDesk()
	life, cancel := context.WithCancel(context.Background())
	sent := newArrivals(nc)
	var measuring sync.WaitGroup
	end := func() error {
		err := service.stop()
		d.close(cancel)
		measuring.Wait()
		return err
	}
	var subs []*nats.Subscription
	for _, e := range endpoints {
		subject := AnySubject(s.Fleet, e.What)
		subjects := [][2]string{{e.What, subject}}
		if slices.Contains(KindVerbs(), e.What) {
			subjects = append(subjects, [2]string{e.What + "-kind", AnySubject(s.Fleet, anyKind(e.What))})
		}
		for _, at := range subjects {
			sub, err := service.listen(at[0], at[1], queueGroup, maxPending, maxPendingBytes, d.handler(life, nc, sent, e, subject, s.Name))
			if err != nil {
				return nil, errors.Join(fmt.Errorf("micro service, %s: %w", at[1], err), end())
			}
			subs = append(subs, sub)
		}
	}
	if len(subs) > 0 {
		measuring.Go(func() { sent.measure(life, subs) })
	}
	return end, nil
}

// answering answers requests one after the other, and passes over one whose answer would go to nobody's inbox: it would be said
// with this node's rights, where its asker may have none.
func answering(nc *nats.Conn, node string, answer func(body []byte) (any, *Refusal)) func(m *nats.Msg, c *counted) {
	return func(m *nats.Msg, c *counted) {
		if !fleet.Answerable(m.Reply) {
			return
		}
		begun := time.Now()
		v, no := answer(m.Data)
		var data []byte
		if no == nil {
			var err error
			if data, err = json.Marshal(v); err != nil {
				no = Refuse(http.StatusInternalServerError, "", "the answer could not be encoded: %v", err)
			}
		}
		c.done(begun, no)
		reply(nc, m.Reply, node, data, no)
	}
}

func explain(n *lethe.Node, body []byte) (any, *Refusal) {
	var t event.Target
	if err := json.Unmarshal(body, &t); err != nil {
		return nil, Refuse(http.StatusBadRequest, "", "the body has to be one target: %v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), answerTime)
	defer cancel()
	why, err := n.Explain(ctx, t)
	if err != nil {
		return nil, Refuse(http.StatusUnprocessableEntity, "", "%v", err)
	}
	return why, nil
}
