package lethetest

import (
	"cmp"
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lethe-cache/lethe/pkg/embedded"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

// patience is how long Fleet and WaitAll wait before they fail the test.
const patience = 2 * time.Minute

// Fleet opens n ready nodes on one embedded server; all are closed when the test ends. The test fails when it has changed a value that
// a function returned and that others share: every value that is in the hot tier at the end is compared with what was stored. With a Config its fields count for every
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
		t.Cleanup(func() {
			_ = nodes[i].Close()
			failModified(t, nodes[i])
		})
	}
	for i, node := range nodes {
		if err := node.Ready(ctx); err != nil {
			t.Fatalf("lethetest: node %d: %v", i, err)
		}
	}
	return nodes
}

// failModified fails the test for each function whose shared values a caller has changed.
func failModified(t testing.TB, n *lethe.Node) {
	t.Helper()
	reg := prometheus.NewRegistry()
	if err := reg.Register(n.Collector()); err != nil {
		t.Errorf("lethetest: %v", err)
		return
	}
	families, err := reg.Gather()
	if err != nil {
		t.Errorf("lethetest: %v", err)
	}
	for _, f := range families {
		if f.GetName() != "lethe_hot_values_modified_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == "function" && m.GetCounter().GetValue() > 0 {
					t.Errorf("lethetest: a caller has changed a value of %s, for all who read it: copy before you change, or use WithoutHot", l.GetValue())
				}
			}
		}
	}
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
