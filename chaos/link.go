package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// links are the proxies that every connection of the run goes through, but for the driver's own.
type links struct {
	server *toxiproxy.ApiServer
	named  atomic.Int64
	client map[string][]*link // of a node or publisher, to each server
	route  [][]*link          // from each server to each other
}

// link is one proxy.
type link struct {
	*toxiproxy.Proxy
	number *atomic.Int64
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
	return &link{p, &ls.named}, nil
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
		urls = append(urls, "nats://"+l.Listen)
	}
	return strings.Join(urls, ","), nil
}

func (ls *links) close() {
	for _, l := range ls.client {
		for _, l := range l {
			l.Stop()
		}
	}
	for _, l := range ls.route {
		for _, l := range l {
			if l != nil {
				l.Stop()
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
	name := fmt.Sprintf("toxic%d", l.number.Add(1))
	body, err := json.Marshal(map[string]any{"name": name, "type": typ, "stream": stream, "toxicity": 1.0, "attributes": attributes})
	if err != nil {
		return nil, err
	}
	if _, err := l.Toxics.AddToxicJson(strings.NewReader(string(body))); err != nil {
		return nil, fmt.Errorf("toxic %s: %w", typ, err)
	}
	return func() { _ = l.Toxics.RemoveToxic(context.WithoutCancel(ctx), name) }, nil
}

// down closes the link and every connection through it, until heal.
func (l *link) down() (heal func()) {
	l.Stop()
	return func() {
		for range 100 { // a link that stayed down would be a fault that nobody counts
			if err := l.Start(); err == nil || errors.Is(err, toxiproxy.ErrProxyAlreadyStarted) {
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
