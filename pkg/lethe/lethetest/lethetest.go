package lethetest

import (
	"cmp"
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/lethe-cache/lethe/pkg/embedded"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

// patience is how long Fleet and WaitAll wait before they fail the test.
const patience = 2 * time.Minute

// Fleet opens n ready nodes on one embedded server; all are closed when the test ends. With a Config its fields count for every
// node; URL and Conn are Fleet's own, and a Name gets the node's number appended. MaxStaleness is two minutes where the Config
// has none: on a busy machine a node must not lose its lease in the middle of a test, and load what the test expects in memory.
func Fleet(t testing.TB, n int, cfg ...lethe.Config) []*lethe.Node {
	t.Helper()
	var base lethe.Config
	switch len(cfg) {
	case 0:
	case 1:
		base = cfg[0]
	default:
		t.Fatalf("lethetest: %d Configs given, at most one is used for all nodes", len(cfg))
	}
	base.MaxStaleness = cmp.Or(base.MaxStaleness, patience)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	srv, err := embedded.Start(ctx, embedded.Config{})
	if err != nil {
		t.Fatalf("lethetest: start the embedded server: %v", err)
	}
	t.Cleanup(func() { _ = srv.Close() })
	nodes := make([]*lethe.Node, n)
	for i := range nodes {
		c := base
		if c.Name != "" {
			c.Name = fmt.Sprintf("%s-%d", base.Name, i)
		}
		if c.Conn, err = srv.Connect(); err != nil {
			t.Fatalf("lethetest: connect node %d: %v", i, err)
		}
		t.Cleanup(c.Conn.Close)
		if nodes[i], err = lethe.Open(ctx, c); err != nil {
			t.Fatalf("lethetest: open node %d: %v", i, err)
		}
		t.Cleanup(func() { _ = nodes[i].Close() })
	}
	for i, node := range nodes {
		if err := node.Ready(ctx); err != nil {
			t.Fatalf("lethetest: node %d: %v", i, err)
		}
	}
	return nodes
}

// WaitAll waits until every node has applied tok, or fails the test.
func WaitAll(t testing.TB, tok event.Token, nodes ...*lethe.Node) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for i, n := range nodes {
		if err := n.Wait(ctx, tok); err != nil {
			t.Fatalf("lethetest: node %d has not applied %v: %v (%+v)", i, tok, err, n.Status())
		}
	}
}
