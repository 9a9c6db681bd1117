package bus_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/lethe-cache/lethe/internal/bus"
	"github.com/lethe-cache/lethe/pkg/embedded"
	"github.com/lethe-cache/lethe/pkg/event"
)

const fleet = "shop"

// node is a Bus with a Handler that remembers what it was told.
type node struct {
	*bus.Bus
	nc     *nats.Conn
	source string
	base   time.Time

	hanging atomic.Int64 // calls of the Handler under way

	mu      sync.Mutex // guards what follows
	applied []bus.Delivery
	fences  int
	resets  []string
	lease   int64
	passed  uint64 // the position the node was told of
	began   uint64 // the first since the last Reset
	seen    map[uint64]bool
	broken  string
}

func (n *node) now() int64 { return int64(time.Since(n.base)) + 1 }

// call enters the Handler, and returns what leaves it.
func (n *node) call() (leave func()) {
	n.hanging.Add(1)
	n.mu.Lock()
	return func() {
		n.mu.Unlock()
		n.hanging.Add(-1)
	}
}

func (n *node) Apply(d *bus.Delivery) {
	defer n.call()()
	n.applied = append(n.applied, *d)
	if d.Sequence > n.began && d.Sequence <= n.passed && !n.seen[d.Sequence] {
		n.broken = fmt.Sprintf("%d was applied after the cursor had passed %d", d.Sequence, n.passed)
	}
	n.seen[d.Sequence] = true
}

func (n *node) Passed(sequence uint64) {
	defer n.call()()
	if n.began == 0 {
		n.began = sequence
	} else if sequence <= n.passed {
		n.broken = fmt.Sprintf("the cursor went from %d to %d", n.passed, sequence)
	}
	n.passed = sequence
}

func (n *node) FenceAll() {
	defer n.call()()
	n.fences++
}

func (n *node) ResetDone(cause string) {
	defer n.call()()
	n.resets = append(n.resets, cause)
	n.began, n.seen = 0, make(map[uint64]bool)
}

func (n *node) Lease(end int64) {
	defer n.call()()
	n.lease = end
}

// leased says whether the node may serve now.
func (n *node) leased() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.lease > n.now()
}

// forgot counts how often target was applied.
func (n *node) forgot(target string) (times int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, d := range n.applied {
		for _, t := range d.Targets {
			if t.String() == event.Tag(target).String() {
				times++
			}
		}
	}
	return times
}

// since counts fences; what was loaded before one is gone.
func (n *node) fenced() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.fences
}

func (n *node) causes() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]string(nil), n.resets...)
}

// open returns a Bus on nc that is not ready yet.
func open(t *testing.T, nc *nats.Conn, change ...func(*bus.Config)) *node {
	t.Helper()
	n := &node{nc: nc, base: time.Now(), seen: make(map[uint64]bool)}
	cfg := bus.Config{
		Conn: nc, Fleet: fleet, Name: t.Name(), Source: "/lethe/shop/" + event.NewID(), Now: n.now,
		Logger: slog.New(slog.NewTextHandler(logTo{t}, nil)), Handler: n,
	}
	for _, c := range change {
		c(&cfg)
	}
	n.source = cfg.Source
	b, err := bus.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	n.Bus = b
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
		if n.broken != "" {
			t.Error(n.broken)
		}
	})
	return n
}

// logTo writes log lines to the test.
type logTo struct{ t *testing.T }

func (l logTo) Write(p []byte) (int, error) {
	l.t.Logf("%s", p)
	return len(p), nil
}

func ready(t *testing.T, nodes ...*node) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for _, n := range nodes {
		if err := n.Ready(ctx); err != nil {
			t.Fatal(err)
		}
	}
}

// patience is how long a test waits for what must happen; nothing is measured with it.
const patience = 2 * time.Minute

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("never happened: %s", what)
		}
	}
}

func invalidate(t *testing.T, n *node, tags ...string) event.Token {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	targets := make([]event.Target, 0, len(tags))
	for _, tag := range tags {
		targets = append(targets, event.Tag(tag))
	}
	for {
		token, err := n.Invalidate(ctx, targets)
		if err == nil {
			return token
		}
		// A busy machine may not have stored it in time.
		if !errors.Is(err, bus.ErrNotPublished) || ctx.Err() != nil {
			t.Fatal(err)
		}
	}
}

func wait(t *testing.T, token event.Token, nodes ...*node) {
	t.Helper()
	for i, n := range nodes {
		for {
			before := n.Position()
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			err := n.Wait(ctx, token)
			cancel()
			if err == nil {
				break
			}
			if n.Position() == before { // a slow machine gets on, if slowly
				t.Fatalf("node %d: %v", i, err)
			}
		}
	}
}

// serve starts an embedded server.
func serve(t *testing.T) *embedded.Server {
	t.Helper()
	srv, err := embedded.Start(t.Context(), embedded.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
	})
	return srv
}

// tcp is a server that can be stopped and started again under its address.
type tcp struct {
	*embedded.Server
	t   *testing.T
	cfg embedded.Config
}

func serverOnTCP(t *testing.T, dir string) *tcp {
	t.Helper()
	s := &tcp{t: t, cfg: embedded.Config{StateDir: dir, Listen: "127.0.0.1:0"}}
	s.start()
	s.cfg.Listen = strings.TrimPrefix(s.URL(), "nats://")
	t.Cleanup(s.stop)
	return s
}

func (s *tcp) start() {
	s.t.Helper()
	srv, err := embedded.Start(context.WithoutCancel(s.t.Context()), s.cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	s.Server = srv
}

func (s *tcp) stop() {
	s.t.Helper()
	if err := s.Close(); err != nil {
		s.t.Error(err)
	}
}

func dial(t *testing.T, url string) *nats.Conn {
	t.Helper()
	nc, err := bus.Dial(url, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

func connect(t *testing.T, srv *embedded.Server) *nats.Conn {
	t.Helper()
	nc, err := srv.Connect()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// fleetOf opens n ready nodes on one server.
func fleetOf(t *testing.T, n int) []*node {
	t.Helper()
	return republished.fleet(t, n)
}

func tag(i int) string { return fmt.Sprintf("item:%d", i) }
