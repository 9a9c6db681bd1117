package ctl

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
)

// service speaks the protocol of NATS services (PING, INFO and STATS below $SRV), as micro.AddService does. That one counts an
// answer as refused only when it was given before the handler has returned, and these endpoints answer from goroutines of their
// own: `nats micro stats` would show no errors at all, and no time.
type service struct {
	nc          *nats.Conn
	identity    micro.ServiceIdentity
	description string
	started     time.Time

	mu        sync.Mutex // guards what follows
	endpoints []*counted
	verbs     []*nats.Subscription
}

// counted is an endpoint and what it has done.
type counted struct {
	sub  *nats.Subscription
	info micro.EndpointInfo

	mu    sync.Mutex // guards stats
	stats micro.EndpointStats
}

// done counts a request that took so long; no is why it was refused, nil where it was not.
func (c *counted) done(begun time.Time, no *Refusal) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stats.NumRequests++
	c.stats.ProcessingTime += time.Since(begun)
	c.stats.AverageProcessingTime = c.stats.ProcessingTime / time.Duration(c.stats.NumRequests)
	if no != nil {
		c.stats.NumErrors++
		c.stats.LastError = fmt.Sprintf("%d:%s", no.Code, headline(no.Text))
	}
}

// snapshot is what it has done, with what the client had no room for among the errors.
func (c *counted) snapshot() *micro.EndpointStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.stats
	if dropped, err := c.sub.Dropped(); err == nil {
		s.NumErrors += dropped
	}
	return &s
}

func newService(nc *nats.Conn, name, version, description string, metadata map[string]string) (*service, error) {
	s := &service{
		nc: nc, description: description, started: time.Now().UTC(),
		identity: micro.ServiceIdentity{Name: name, ID: rand.Text(), Version: version, Metadata: metadata},
	}
	for verb, answer := range map[micro.Verb]func() any{
		micro.PingVerb:  func() any { return micro.Ping{ServiceIdentity: s.identity, Type: micro.PingResponseType} },
		micro.InfoVerb:  func() any { return s.info() },
		micro.StatsVerb: func() any { return s.stats() },
	} {
		for _, of := range [][2]string{{}, {name}, {name, s.identity.ID}} {
			subject, err := micro.ControlSubject(verb, of[0], of[1])
			if err != nil {
				return nil, errors.Join(err, s.stop())
			}
			sub, err := nc.Subscribe(subject, func(m *nats.Msg) {
				if data, err := json.Marshal(answer()); err == nil {
					_ = m.Respond(data)
				}
			})
			if err != nil {
				return nil, errors.Join(err, s.stop())
			}
			s.verbs = append(s.verbs, sub)
		}
	}
	return s, nil
}

func (s *service) info() micro.Info {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := micro.Info{ServiceIdentity: s.identity, Type: micro.InfoResponseType, Description: s.description, Endpoints: []micro.EndpointInfo{}}
	for _, c := range s.endpoints {
		i.Endpoints = append(i.Endpoints, c.info)
	}
	return i
}

func (s *service) stats() micro.Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := micro.Stats{ServiceIdentity: s.identity, Type: micro.StatsResponseType, Started: s.started, Endpoints: []*micro.EndpointStats{}}
	for _, c := range s.endpoints {
		all.Endpoints = append(all.Endpoints, c.snapshot())
	}
	return all
}

// listen calls handle for each request on subject, one after the other; an empty queue is none: every node gets them.
func (s *service) listen(name, subject, queue string, waiting, bytes int, handle func(m *nats.Msg, c *counted)) (*nats.Subscription, error) {
	c := &counted{info: micro.EndpointInfo{Name: name, Subject: subject, QueueGroup: queue}}
	c.stats = micro.EndpointStats{Name: name, Subject: subject, QueueGroup: queue}
	s.mu.Lock() // so that no answer of stats is without its subscription
	defer s.mu.Unlock()
	take := func(m *nats.Msg) { handle(m, c) }
	var err error
	if queue == "" {
		c.sub, err = s.nc.Subscribe(subject, take)
	} else {
		c.sub, err = s.nc.QueueSubscribe(subject, queue, take)
	}
	if err != nil {
		return nil, err
	}
	s.endpoints = append(s.endpoints, c)
	return c.sub, c.sub.SetPendingLimits(waiting, bytes)
}

// stop lets in nothing more; what the client has is still handled. On a connection that is closed there is nothing to stop.
func (s *service) stop() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var problems []error
	drain := func(sub *nats.Subscription) {
		if err := sub.Drain(); err != nil && !errors.Is(err, nats.ErrConnectionClosed) && !errors.Is(err, nats.ErrBadSubscription) {
			problems = append(problems, fmt.Errorf("%s: %w", sub.Subject, err))
		}
	}
	for _, c := range s.endpoints {
		drain(c.sub)
	}
	for _, sub := range s.verbs {
		drain(sub)
	}
	return errors.Join(problems...)
}
