package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/lethe-cache/lethe/bench/scale/proc"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

// rig is servers, nodes in a process each, and a publisher in this one.
type rig struct {
	servers []*proc.Child
	urls    []string
	nodes   []*proc.Child
	pub     *lethe.Node
}

// askFor bounds each question to a child.
const askFor = time.Minute

// makeStream opens a node that makes the fleet's stream: a publisher makes none.
func makeStream(ctx context.Context, url string) error {
	n, err := lethe.Open(ctx, lethe.Config{URL: url, Fleet: fleetName})
	if err != nil {
		return err
	}
	ready, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	return errors.Join(n.Ready(ready), n.Close())
}

func open(ctx context.Context, servers, nodes int, receive bool) (r *rig, err error) {
	r = &rig{}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.close())
		}
	}()
	if err := r.serve(ctx, servers); err != nil {
		return r, err
	}
	if err := makeStream(ctx, r.urls[0]); err != nil {
		return r, err
	}
	r.pub, err = lethe.Open(ctx, lethe.Config{URL: r.urls[0], Fleet: fleetName, Name: "publisher", PublishOnly: true, MaxEvents: 1 << 20})
	if err != nil {
		return r, err
	}
	ready, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	if err := r.pub.Ready(ready); err != nil {
		return r, err
	}
	for i := range nodes {
		c, err := proc.Start(ctx, nodeName, r.urls[i%servers], "node-"+strconv.Itoa(i), strconv.FormatBool(receive))
		if err != nil {
			return r, err
		}
		r.nodes = append(r.nodes, c)
	}
	for _, c := range r.nodes { // an answer says that it is ready
		if err := c.Ask(askFor, ask{}, &tell{}); err != nil {
			return r, err
		}
	}
	return r, nil
}

func (r *rig) serve(ctx context.Context, n int) error {
	ports, err := freePorts(ctx, n)
	if err != nil {
		return err
	}
	var routes []string
	for _, port := range ports {
		routes = append(routes, net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	}
	for i := range n {
		var args []string
		if n > 1 {
			args = append([]string{"server-" + strconv.Itoa(i), strconv.Itoa(ports[i])}, routes...)
		}
		c, err := proc.Start(ctx, proc.ServerName, args...)
		if err != nil {
			return err
		}
		r.servers = append(r.servers, c)
	}
	for _, c := range r.servers {
		var s proc.Stats
		if err := c.Ask(askFor, proc.Look{}, &s); err != nil {
			return err
		}
		r.urls = append(r.urls, s.URL)
	}
	return nil
}

// freePorts finds ports of this machine that nobody uses. All are held until all are found.
func freePorts(ctx context.Context, n int) (ports []int, err error) {
	var held []net.Listener
	defer func() {
		for _, l := range held {
			err = errors.Join(err, l.Close())
		}
	}()
	for range n {
		var cfg net.ListenConfig
		l, err := cfg.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		held = append(held, l)
		if a, ok := l.Addr().(*net.TCPAddr); ok {
			ports = append(ports, a.Port)
		}
	}
	return ports, nil
}

func (r *rig) close() error {
	var errs []error
	if r.pub != nil {
		errs = append(errs, r.pub.Close())
	}
	var wg sync.WaitGroup
	ended := make([]error, len(r.nodes))
	for i, c := range r.nodes {
		wg.Go(func() { ended[i] = c.Close() })
	}
	wg.Wait()
	errs = append(errs, ended...)
	for _, c := range r.servers {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

// use is what was used so far, or between two moments.
type use struct {
	server, user, node       time.Duration // of all servers; of all nodes
	out, outBytes, inBytes   float64       // of all servers
	stored, messages, events float64
	span                     time.Duration
}

func (r *rig) look(token string) (u use, err error) {
	for _, c := range r.nodes {
		var t tell
		if err := c.Ask(askFor, ask{Token: token}, &t); err != nil {
			return u, err
		}
		u.node += t.CPU
	}
	for i, c := range r.servers {
		var s proc.Stats
		if err := c.Ask(askFor, proc.Look{}, &s); err != nil {
			return u, err
		}
		u.server, u.user = u.server+s.CPU, u.user+s.User
		u.out, u.outBytes, u.inBytes = u.out+float64(s.OutMsgs), u.outBytes+float64(s.OutBytes), u.inBytes+float64(s.InBytes)
		if i == 0 {
			u.stored, u.messages = float64(s.Stored), float64(s.Messages)
		}
	}
	u.span = time.Duration(time.Now().UnixNano())
	return u, nil
}

func (u use) since(a use) use {
	return use{
		server: u.server - a.server, user: u.user - a.user, node: u.node - a.node,
		out: u.out - a.out, outBytes: u.outBytes - a.outBytes, inBytes: u.inBytes - a.inBytes,
		stored: u.stored - a.stored, messages: u.messages - a.messages, span: u.span - a.span,
	}
}

// measure publishes at a rate for d and returns what that took, until the last node had the last event.
func (r *rig) measure(ctx context.Context, rate float64, keys int, d time.Duration) (use, error) {
	before, err := r.look("")
	if err != nil {
		return use{}, err
	}
	sent, err := r.publish(ctx, rate, keys, d)
	if err != nil {
		return use{}, err
	}
	token := ""
	if len(sent) > 0 {
		token = sent[len(sent)-1].token.String()
	}
	after, err := r.look(token)
	if err != nil {
		return use{}, err
	}
	u := after.since(before)
	u.events = float64(len(sent))
	if u.events > u.messages {
		return u, fmt.Errorf("%v events were sent, the stream has %v more messages", u.events, u.messages)
	}
	return u, nil
}

// sent is an event and when it was due.
type sent struct {
	token event.Token
	due   int64 // Unix nanoseconds
}

// lanes publish; each has subjects of its own, so that no two events become one.
const lanes = 64

// publish sends events at chance moments, as independent callers do: what is late is not put off. Those of the highest
// sequence come last.
func (r *rig) publish(ctx context.Context, rate float64, keys int, d time.Duration) ([]sent, error) {
	if rate == 0 {
		select {
		case <-ctx.Done():
		case <-time.After(d):
		}
		return nil, ctx.Err()
	}
	var (
		mu     sync.Mutex // guards all and failed
		all    []sent
		failed error
		wg     sync.WaitGroup
		due    = make(chan time.Time, 1<<16)
	)
	for lane := range lanes {
		targets := make([]event.Target, keys)
		for k := range targets {
			targets[k] = event.Key("burst.c"+strconv.Itoa(lane), k)
		}
		wg.Go(func() {
			for at := range due {
				token, err := r.pub.Invalidate(ctx, targets...)
				mu.Lock()
				all = append(all, sent{token, at.UnixNano()})
				if err != nil {
					failed = err
				}
				mu.Unlock()
			}
		})
	}
	rng := rand.New(rand.NewPCG(1, 2))
	begin := time.Now()
	for at := begin; at.Sub(begin) < d && ctx.Err() == nil; at = at.Add(time.Duration(rng.ExpFloat64() / rate * 1e9)) {
		if wait := time.Until(at); wait > 0 {
			<-time.After(wait)
		}
		due <- at
	}
	close(due)
	wg.Wait()
	for i := range all {
		if n := len(all) - 1; all[i].token.Sequence() > all[n].token.Sequence() {
			all[i], all[n] = all[n], all[i]
		}
	}
	return all, failed
}
