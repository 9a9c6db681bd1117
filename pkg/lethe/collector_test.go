package lethe_test

import (
	"context"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

func TestTheCollectorRegistersLintsAndKnowsNoKey(t *testing.T) {
	t.Parallel()
	n, b := one(t), newBook()
	const secret = "sku-top-secret"
	f := lethe.Memoize(n, "f", b.load, lethe.WithTags(func(k string, _ int) []string { return []string{"own:" + k} }))
	heard := hear(t, n, "r")
	must[int](t)(f.Get(t.Context(), secret))
	must[int](t)(f.Get(t.Context(), secret))
	applied(t, []event.Target{f.Target(secret), event.Tag("own:" + secret)}, n)
	take(t, "an event", heard)
	take(t, "an event", heard)
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(n.Collector())
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	if problems, err := promlint.NewWithMetricFamilies(families).Lint(); err != nil || len(problems) > 0 {
		t.Errorf("%v, %v", problems, err)
	}
	names := map[string]bool{}
	for _, fam := range families {
		names[fam.GetName()] = true
		if strings.Contains(fam.String(), secret) {
			t.Errorf("a key in %v", fam)
		}
	}
	for _, want := range []string{
		"requests_total", "load_seconds", "loads_shared_total", "loads_fenced_total", "entries", "bytes", "evictions_total",
		"hot_values_modified_total", "invalidations_published_total", "invalidations_applied_total", "events_widened_total",
		"propagation_seconds", "stream_cursor", "stream_last", "gaps_healed_total", "resets_total", "lease_age_seconds",
		"receiver_runs_total", "receiver_lag_events", "build_info", "messages_forged_total", "messages_foreign_total", "storms_refused_total",
	} {
		if !names["lethe_"+want] {
			t.Errorf("lethe_%s is not there", want)
		}
	}
	// Two nodes in one registry, told apart by a label.
	other := one(t)
	both := prometheus.NewRegistry()
	for name, n := range map[string]*lethe.Node{"a": n, "b": other} {
		if err := prometheus.WrapRegistererWith(prometheus.Labels{"node": name}, both).Register(n.Collector()); err != nil {
			t.Error(err)
		}
	}
	if _, err := both.Gather(); err != nil {
		t.Error(err)
	}
}

func TestCountsMoveWithWhatHappens(t *testing.T) {
	t.Parallel()
	n, b := one(t), newBook()
	f := lethe.Memoize(n, "f", func(ctx context.Context, k string) (int, error) {
		if k == "bad" {
			return 0, errGone
		}
		return b.load(ctx, k)
	})
	must[int](t)(f.Get(t.Context(), "k"))
	must[int](t)(f.Get(t.Context(), "k"))
	must[int](t)(f.Get(t.Context(), "k"))
	must[int](t)(f.Get(lethe.WithBypass(t.Context()), "k"))
	_, _ = f.Get(t.Context(), "bad")
	applied(t, []event.Target{f.Target("k"), event.Tag("a:b"), event.TagPrefix("a:"), event.Function("f")}, n)
	for _, tc := range []struct {
		name   string
		labels []string
		want   float64
	}{
		{"requests_total", []string{"function", "f", "result", "hit"}, 2},
		{"requests_total", []string{"function", "f", "result", "miss"}, 1},
		{"requests_total", []string{"function", "f", "result", "bypass"}, 1},
		{"requests_total", []string{"function", "f", "result", "error"}, 1},
		{"load_seconds", []string{"function", "f"}, 3},
		{"invalidations_applied_total", []string{"scope", "key"}, 1},
		{"invalidations_applied_total", []string{"scope", "tag"}, 1},
		{"invalidations_applied_total", []string{"scope", "prefix"}, 1},
		{"invalidations_applied_total", []string{"scope", "function"}, 1},
		{"invalidations_published_total", nil, 2},
		{"propagation_seconds", nil, 2},
		{"entries", []string{"tier", "bulk"}, 1},
		{"entries", []string{"tier", "hot"}, 1},
		{"build_info", nil, 1},
	} {
		if got := metric(t, n, "lethe_"+tc.name, tc.labels...); got != tc.want {
			t.Errorf("%s %v is %v, want %v", tc.name, tc.labels, got, tc.want)
		}
	}
}
