package lethe_test

import (
	"context"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
	"github.com/lethe-cache/lethe/pkg/lethe/lethetest"
)

// patience is how long a test waits for what has to happen.
const patience = 2 * time.Minute

// until waits for cond, which has to come true.
func until(t testing.TB, what string, cond func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("waited %v in vain: %s", patience, what)
		}
	}
}

// take receives from ch, which has to bring something.
func take[T any](t testing.TB, what string, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		t.Fatalf("waited %v in vain: %s", patience, what)
		panic("unreachable")
	}
}

// within is a context that ends with the test's patience.
func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// one opens a ready node on a server of its own.
func one(t testing.TB, cfg ...lethe.Config) *lethe.Node {
	t.Helper()
	return lethetest.Fleet(t, 1, cfg...)[0]
}

// must is v, of a call that may not fail.
func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// applied invalidates targets and waits until every node has applied it.
func applied(t testing.TB, targets []event.Target, by *lethe.Node, nodes ...*lethe.Node) event.Token {
	t.Helper()
	tok, err := by.Invalidate(within(t), targets...)
	if err != nil {
		t.Fatal(err)
	}
	lethetest.WaitAll(t, tok, append(nodes, by)...)
	return tok
}

// wantLookup fails unless a lookup brought v in this way.
func wantLookup[V comparable](t testing.TB, r lethe.Result[V], err error, v V, cache lethe.Outcome, tier lethe.Tier) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if r.Value != v || r.Cache != cache || r.Tier != tier {
		t.Fatalf("got %v, %q from tier %q; want %v, %q from tier %q", r.Value, r.Cache, r.Tier, v, cache, tier)
	}
}

// metric is the value of a counter or gauge, or the count of a histogram, of one node; labels are name, value, name, value.
func metric(t testing.TB, n *lethe.Node, name string, labels ...string) float64 {
	t.Helper()
	reg := prometheus.NewRegistry()
	reg.MustRegister(n.Collector())
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
	metrics:
		for _, m := range f.GetMetric() {
			for i := 0; i < len(labels); i += 2 {
				if !hasLabel(m, labels[i], labels[i+1]) {
					continue metrics
				}
			}
			switch {
			case m.Counter != nil:
				return m.Counter.GetValue()
			case m.Gauge != nil:
				return m.Gauge.GetValue()
			}
			return float64(m.GetHistogram().GetSampleCount())
		}
	}
	return 0
}

func hasLabel(m *dto.Metric, name, value string) bool {
	for _, l := range m.GetLabel() {
		if l.GetName() == name {
			return l.GetValue() == value
		}
	}
	return false
}
