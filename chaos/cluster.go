package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/lethe-cache/lethe/pkg/event"
)

const serversMost = 3

// natsServer is one server of the cluster: a name, ports and a store that outlive its processes.
type natsServer struct {
	name          string
	dir           string
	port, cluster int
	routes        []string
	logs          string

	dying sync.Mutex // held by who kills it, until it is back

	mu   sync.Mutex // guards proc
	proc *process
}

func (s *natsServer) start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := spawn(s.logs, s.name, "server", "-name", s.name, "-dir", s.dir, "-port", strconv.Itoa(s.port),
		"-cluster", strconv.Itoa(s.cluster), "-routes", strings.Join(s.routes, ","), "-log", filepath.Join(s.logs, s.name+".log"))
	if err != nil {
		return err
	}
	go p.reap()
	s.proc = p
	return nil
}

func (s *natsServer) process() *process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.proc
}

// cluster is three servers, the links between them, and the driver's own connections, which no fault touches.
type cluster struct {
	servers []*natsServer
	links   *links
	admin   *nats.Conn   // to any of them
	direct  []*nats.Conn // to each of them
	js      jetstream.JetStream
}

func startCluster(ctx context.Context, dir string, disk *disk) (*cluster, error) {
	c := &cluster{links: newLinks()}
	for i := range serversMost {
		s := &natsServer{name: fmt.Sprintf("s%d", i), logs: dir, dir: filepath.Join(dir, fmt.Sprintf("store%d", i))}
		if i == serversMost-1 && disk.dir != "" {
			s.dir = disk.dir
		}
		var err1, err2 error
		s.port, err1 = freePort()
		s.cluster, err2 = freePort()
		if err := errors.Join(err1, err2, os.MkdirAll(s.dir, 0o700)); err != nil {
			return nil, err
		}
		c.servers = append(c.servers, s)
	}
	c.links.route = make([][]*link, serversMost)
	for i, from := range c.servers {
		c.links.route[i] = make([]*link, serversMost)
		for j, to := range c.servers {
			if i == j {
				continue
			}
			l, err := c.links.open(to.cluster)
			if err != nil {
				return nil, err
			}
			c.links.route[i][j] = l
			from.routes = append(from.routes, l.listen)
		}
	}
	for _, s := range c.servers {
		if err := s.start(); err != nil {
			c.close()
			return nil, err
		}
	}
	if err := c.connect(ctx); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

func (c *cluster) connect(ctx context.Context) (err error) {
	var urls []string
	options := []nats.Option{
		nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1), nats.ReconnectWait(200 * time.Millisecond),
		nats.PingInterval(2 * time.Second), nats.MaxPingsOutstanding(2), nats.IgnoreDiscoveredServers(), nats.ReconnectBufSize(-1),
	}
	for _, s := range c.servers {
		u := "nats://" + local(s.port)
		urls = append(urls, u)
		nc, err := nats.Connect(u, options...)
		if err != nil {
			return err
		}
		c.direct = append(c.direct, nc)
	}
	if c.admin, err = nats.Connect(strings.Join(urls, ","), options...); err != nil {
		return err
	}
	if c.js, err = jetstream.New(c.admin); err != nil {
		return err
	}
	return poll(ctx, 3*time.Minute, "the cluster has a leader", func(ctx context.Context) error {
		_, err := c.js.AccountInfo(ctx)
		return err
	})
}

// info is what the stream's leader says.
func (c *cluster) info(ctx context.Context) (*jetstream.StreamInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	s, err := c.js.Stream(ctx, event.StreamName(fleet))
	if err != nil {
		return nil, err
	}
	return s.CachedInfo(), nil
}

// healthy says nil when every replica is there and current.
func (c *cluster) healthy(ctx context.Context) error {
	i, err := c.info(ctx)
	if err != nil {
		return err
	}
	if i.Cluster == nil || i.Cluster.Leader == "" || len(i.Cluster.Replicas) != serversMost-1 {
		return fmt.Errorf("cluster: %+v", i.Cluster)
	}
	for _, r := range i.Cluster.Replicas {
		if !r.Current || r.Offline || r.Lag > 0 {
			return fmt.Errorf("replica %+v", *r)
		}
	}
	return nil
}

func (c *cluster) close() {
	for _, nc := range append(c.direct, c.admin) {
		if nc != nil {
			nc.Close()
		}
	}
	for _, s := range c.servers {
		if p := s.process(); p != nil {
			p.kill()
		}
	}
	c.links.close()
}

// poll tries until it works.
func poll(ctx context.Context, most time.Duration, what string, try func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	for {
		one, done := context.WithTimeout(ctx, 5*time.Second) // what is lost on the way is never answered
		err := try(one)
		done()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not within %v: %s: %w", most, what, err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}
