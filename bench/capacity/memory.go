package main

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/lethe-cache/lethe/bench/scale/proc"
	"github.com/lethe-cache/lethe/pkg/event"
)

// memory measures what connections cost, and how large presence and probes are.
func (c *Constants) memory(ctx context.Context) (err error) {
	r, err := open(ctx, 1, 1, false)
	if err != nil {
		return err
	}
	var conns []*nats.Conn
	defer func() {
		for _, nc := range conns {
			nc.Close()
		}
		err = errors.Join(err, r.close())
	}()
	const n = 200
	var heap []float64
	look := func() error {
		var s proc.Stats
		err := r.servers[0].Ask(askFor, proc.Look{Collect: true}, &s)
		heap = append(heap, float64(s.Heap)/1024)
		return err
	}
	if err := look(); err != nil {
		return err
	}
	for range n {
		nc, err := nats.Connect(r.urls[0])
		if err != nil {
			return err
		}
		conns = append(conns, nc)
	}
	if err := look(); err != nil {
		return err
	}
	presence := make(chan int, 16)
	for i, nc := range conns {
		for _, subject := range []string{event.LiveSubject(fleetName, ">"), event.CtlSubject(fleetName, "presence.*"), event.CtlSubject(fleetName, "barrier")} {
			if _, err := nc.Subscribe(subject, func(m *nats.Msg) {
				if i == 0 && subject == event.CtlSubject(fleetName, "presence.*") {
					presence <- len(m.Data)
				}
			}); err != nil {
				return err
			}
		}
		if err := nc.FlushTimeout(askFor); err != nil {
			return err
		}
	}
	if err := look(); err != nil {
		return err
	}
	c.ConnectionKB, c.SubscriptionKB = (heap[1]-heap[0])/n, (heap[2]-heap[1])/n
	select {
	case size := <-presence:
		c.PresenceBytes = float64(size)
	case <-time.After(askFor):
		return errors.New("the node has not told of itself")
	}
	m, err := conns[0].Request("$JS.API.STREAM.INFO."+event.StreamName(fleetName), nil, askFor)
	if err != nil {
		return err
	}
	c.ProbeBytes = float64(len(m.Data))
	if err := c.probes(r, conns[0]); err != nil {
		return err
	}
	if slices.Max(heap) == heap[0] {
		return errors.New("the server's heap has not grown")
	}
	return nil
}

// probes measures what the server needs for one, asked one after the other.
func (c *Constants) probes(r *rig, nc *nats.Conn) error {
	const n = 1000
	before, err := r.look("")
	if err != nil {
		return err
	}
	for range n {
		if _, err := nc.Request("$JS.API.STREAM.INFO."+event.StreamName(fleetName), nil, askFor); err != nil {
			return err
		}
	}
	after, err := r.look("")
	c.ServerProbeUS = float64(after.server-before.server) / 1e3 / n
	return err
}
