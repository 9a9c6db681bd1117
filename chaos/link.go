package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// links are the proxies that every connection of the run goes through, but for the driver's own.
type links struct {
	server *toxiproxy.ApiServer
	named  atomic.Int64

	replaced atomic.Int64 // proxies that hung

	client map[string][]*link // of a node or publisher, to each server
	route  [][]*link          // from each server to each other
}

// link is one proxy. A proxy can hang for good: a toxic that passes data on to a connection which is gone holds up whoever adds or
// removes one. Such a proxy is replaced by another at its address, else its faults would stay for the rest of the run.
type link struct {
	ls               *links
	listen, upstream string

	mu sync.Mutex // guards p
	p  *toxiproxy.Proxy
}

// hangs is how long a proxy may take to do what it is told.
const hangs = 3 * time.Second

var errHung = errors.New("the proxy hung and was replaced")

func (l *link) proxy() *toxiproxy.Proxy {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.p
}

// tell does something with the proxy, and replaces one that hangs.
func (l *link) tell(do func(*toxiproxy.Proxy) error) error {
	p, done := l.proxy(), make(chan error, 1)
	go func() { done <- do(p) }()
	select {
	case err := <-done:
		return err
	case <-time.After(hangs):
		l.replace(p)
		return errHung
	}
}

func (l *link) replace(hung *toxiproxy.Proxy) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.p != hung {
		return
	}
	go hung.Stop() // it gives the address back, and may never return
	for range 200 {
		p := toxiproxy.NewProxy(l.ls.server, fmt.Sprintf("link%d", l.ls.named.Add(1)), l.listen, l.upstream)
		if p.Start() == nil {
			l.p = p
			l.ls.replaced.Add(1)
			return
		}
		wait(context.Background(), 50*time.Millisecond)
	}
}

func newLinks() *links {
	return &links{
		server: toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop()),
		client: map[string][]*link{},
	}
}

// open listens on a free port for what goes to upstream.
func (ls *links) open(upstream int) (*link, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	p := toxiproxy.NewProxy(ls.server, fmt.Sprintf("link%d", ls.named.Add(1)), local(port), local(upstream))
	if err := p.Start(); err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	return &link{ls: ls, listen: p.Listen, upstream: p.Upstream, p: p}, nil
}

// join opens links of name to every server.
func (ls *links) join(name string, servers []*natsServer) (url string, err error) {
	var urls []string
	for _, s := range servers {
		l, err := ls.open(s.port)
		if err != nil {
			return "", err
		}
		ls.client[name] = append(ls.client[name], l)
		urls = append(urls, "nats://"+l.listen)
	}
	return strings.Join(urls, ","), nil
}

func (ls *links) close() {
	for _, l := range ls.client {
		for _, l := range l {
			l.stop()
		}
	}
	for _, l := range ls.route {
		for _, l := range l {
			if l != nil {
				l.stop()
			}
		}
	}
}

// Directions of a toxic: from who connects, or to it.
const (
	upstream   = "upstream"
	downstream = "downstream"
)

// poison adds a toxic to one direction and returns what takes it away.
func (l *link) poison(ctx context.Context, typ, stream string, attributes map[string]any) (heal func(), err error) {
	name := fmt.Sprintf("toxic%d", l.ls.named.Add(1))
	body, err := json.Marshal(map[string]any{"name": name, "type": typ, "stream": stream, "toxicity": 1.0, "attributes": attributes})
	if err != nil {
		return nil, err
	}
	err = l.tell(func(p *toxiproxy.Proxy) error {
		_, err := p.Toxics.AddToxicJson(strings.NewReader(string(body)))
		return err
	})
	if err != nil && !errors.Is(err, errHung) {
		return nil, fmt.Errorf("toxic %s: %w", typ, err)
	}
	return func() {
		_ = l.tell(func(p *toxiproxy.Proxy) error { return p.Toxics.RemoveToxic(context.WithoutCancel(ctx), name) })
	}, nil
}

func (l *link) stop() {
	_ = l.tell(func(p *toxiproxy.Proxy) error { p.Stop(); return nil })
}

// down closes the link and every connection through it, until heal.
func (l *link) down() (heal func()) {
	l.stop()
	return func() {
		for range 100 { // a link that stayed down would be a fault that nobody counts
			err := l.tell((*toxiproxy.Proxy).Start)
			if err == nil || errors.Is(err, toxiproxy.ErrProxyAlreadyStarted) || errors.Is(err, errHung) {
				return
			}
			wait(context.Background(), 50*time.Millisecond)
		}
	}
}

func local(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }

// freePort is one that nobody listens on just now. It is not of those that the system hands out for connections: a server has to
// find it free again after a restart.
func freePort() (int, error) {
	for range 100 {
		port := 12_000 + rand.IntN(18_000)
		l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
		if err == nil {
			return port, l.Close()
		}
	}
	return 0, errors.New("no free port between 12000 and 30000")
}
