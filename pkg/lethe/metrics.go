package lethe

import (
	"math"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lethe-cache/lethe/internal/bus"
	"github.com/lethe-cache/lethe/pkg/event"
)

// nodeMetrics are counts that belong to no function.
type nodeMetrics struct {
	applied      [5]atomic.Uint64 // by scope
	widenedShape atomic.Uint64
	illegalTags  atomic.Uint64
	propagation  prometheus.Histogram
	logged       logLimit
}

func (m *nodeMetrics) init() {
	m.propagation = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "lethe_propagation_seconds", Help: "From an event's time to its being applied on this node, clamped at 0.",
		Buckets: []float64{.0005, .001, .002, .005, .01, .02, .05, .1, .5, 1, 5, 10},
	})
}

//nolint:gochecknoglobals // a constant table
var scopes = [5]event.Scope{event.ScopeKey, event.ScopeFunction, event.ScopeTag, event.ScopePrefix, event.ScopeAll}

func scopeIndex(s event.Scope) int {
	for i, have := range scopes {
		if have == s {
			return i
		}
	}
	return len(scopes) - 1
}

// count adds what was applied, one addition a scope however many targets there are.
func (m *nodeMetrics) count(targets []event.Target) {
	var by [len(scopes)]uint64
	for _, t := range targets {
		by[scopeIndex(t.Scope())]++
	}
	for i, n := range by {
		if n > 0 {
			m.applied[i].Add(n)
		}
	}
}

// logLimit lets through one line a key and minute, and 1,000 keys a minute.
type logLimit struct {
	mu     sync.Mutex
	minute int64
	keys   map[string]struct{}
}

func (l *logLimit) allow(key string, now int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if m := now / int64(time.Minute); l.keys == nil || m != l.minute {
		l.minute, l.keys = m, map[string]struct{}{}
	}
	if _, dup := l.keys[key]; dup || len(l.keys) >= 1000 {
		return false
	}
	l.keys[key] = struct{}{}
	return true
}

// Collector has the node's metrics, for one prometheus.Registerer; wrap it with labels to register several nodes. Counts are
// plain atomics, read when they are collected; no label holds a key.
func (n *Node) Collector() prometheus.Collector { return collector{n} }

type collector struct{ n *Node }

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("lethe_"+name, help, labels, nil)
}

//nolint:gochecknoglobals // descriptions are immutable
var (
	descRequests    = desc("requests_total", "Reads of memoized functions by how they were answered.", "function", "result")
	descShared      = desc("loads_shared_total", "Reads that waited for a load under way.", "function")
	descFenced      = desc("loads_fenced_total", "Loads whose result was invalidated before it could be stored.", "function")
	descWaiting     = desc("loads_waiting", "Loads that wait for their turn after a Reset.", "function")
	descAudit       = desc("audit_checks_total", "Sampled keys compared with their loader, by how long after an event that concerned them.", "function", "age", "result")
	descAuditLost   = desc("audit_dropped_total", "Checks that were due and dropped: too many were.", "function")
	descCollapsed   = desc("loads_collapsed_total", "Loads that depend on more labels than an entry carries: any event about the same functions or families makes such an entry stale.", "function")
	descModified    = desc("hot_values_modified_total", "Shared values that a caller has changed, found in a sample.", "function")
	descEntries     = desc("entries", "Entries held, valid or not.", "tier")
	descBytes       = desc("bytes", "Bytes held.", "tier")
	descMaxBytes    = desc("max_bytes", "Bytes that a tier may hold: Config.MaxBytes, Config.MaxHotBytes.", "tier")
	descEvictions   = desc("evictions_total", "Entries dropped.", "tier", "reason")
	descPublished   = desc("invalidations_published_total", "Events acknowledged by the stream.")
	descApplied     = desc("invalidations_applied_total", "Targets applied.", "scope")
	descRejected    = desc("events_rejected_total", "Events, or parts of them, that were refused.", "reason")
	descWidened     = desc("events_widened_total", "Events that count as more than they say.", "reason")
	descForged      = desc("messages_forged_total", "Messages with headers that only the server may set; those are ignored.")
	descForeign     = desc("messages_foreign_total", "Messages of the live feed that are of another stream; they are ignored.")
	descStorms      = desc("storms_refused_total", "Calls of Invalidate refused because of Config.MaxEvents.")
	descCursor      = desc("stream_cursor", "Sequence applied without a hole.")
	descLast        = desc("stream_last", "Highest sequence known of.")
	descGaps        = desc("gaps_healed_total", "Holes of the live feed filled from the stream.")
	descResets      = desc("resets_total", "Times everything was forgotten because continuity was in doubt.", "cause")
	descLeaseAge    = desc("lease_age_seconds", "Since what is served was known to be current, +Inf before the first lease. It grows while there is no lease.")
	descState       = desc("node_state", "1 for the state the node is in: starting, current, expired or closed.", "state")
	descDoubled     = desc("fleet_duplicate_names", "Names that several living nodes bear, as far as this one has heard.")
	descFleet       = desc("fleet_nodes", "Nodes that live, this one included, as far as this one has heard.")
	descVanished    = desc("fleet_vanished_total", "Nodes that fell silent without a goodbye, as far as this one has heard.")
	descMended      = desc("stream_mended_total", "Fields of the stream's configuration that this node has put right.")
	descDenied      = desc("permission_denied_total", "Subjects that the server has refused this node, once each on a connection.")
	descRuns        = desc("receiver_runs_total", "Calls of receivers.", "receiver", "result")
	descLag         = desc("receiver_lag_events", "Events waiting for a receiver; of a once-per-fleet receiver, in the whole fleet.", "receiver")
	descLetters     = desc("receiver_dead_letters_total", "Events that a once-per-fleet receiver could not handle, put away by this node.", "receiver")
	descAttached    = desc("receiver_attached", "1 where this node takes events of a once-per-fleet receiver.", "receiver")
	descIllegalTags = desc("illegal_tags_total", "Tags of loaders that are illegal; their values were not stored.")
	descBuild       = desc("build_info", "1, labelled with the version.", "version")
)

// Describe is prometheus.Collector; descriptions are those of Collect.
func (c collector) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, ch) }

// Collect is prometheus.Collector.
func (c collector) Collect(ch chan<- prometheus.Metric) {
	count := func(d *prometheus.Desc, v uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	n := c.n
	for _, f := range n.functions.all() {
		for i, r := range results {
			count(descRequests, f.requests.sum(i), f.name, r)
		}
		count(descShared, f.loadsShared.Load(), f.name)
		count(descFenced, f.loadsFenced.Load(), f.name)
		count(descCollapsed, f.collapsed.Load(), f.name)
		count(descModified, f.hotModified.Load(), f.name)
		gauge(descWaiting, float64(f.herd.waiting()), f.name)
		f.loadSeconds.of(f.name).Collect(ch)
		if a := f.auditor; a != nil {
			for i, age := range auditAges {
				for r, result := range verdicts {
					count(descAudit, a.counts[i][r].Load(), f.name, age.name, result)
				}
			}
			count(descAuditLost, a.sample.losses(), f.name)
		}
	}
	if !n.cfg.PublishOnly {
		n.collectMemory(count, gauge)
	}
	s := n.bus.Status()
	count(descPublished, s.Published)
	for i, scope := range scopes {
		count(descApplied, n.metrics.applied[i].Load(), string(scope))
	}
	counts := func(d *prometheus.Desc, of map[string]uint64, known []string) {
		for _, label := range known {
			count(d, of[label], label)
		}
		for label, v := range of {
			if !slices.Contains(known, label) {
				count(d, v, label)
			}
		}
	}
	counts(descRejected, s.Rejected, rejections)
	counts(descWidened, s.Widened, widenings)
	count(descWidened, n.metrics.widenedShape.Load(), "shape")
	count(descForged, s.Forged)
	count(descForeign, s.Foreign)
	count(descStorms, s.Storms)
	count(descGaps, s.GapsHealed)
	counts(descResets, s.Resets, bus.Causes())
	count(descMended, s.Mended)
	count(descDenied, s.Denied)
	c.state(ch, s)
	gauge(descCursor, float64(s.Cursor))
	gauge(descLast, float64(s.Last))
	count(descIllegalTags, n.metrics.illegalTags.Load())
	for _, r := range n.receivers.list() {
		for i, result := range runResults {
			count(descRuns, r.runs[i].Load(), r.name, result)
		}
		gauge(descLag, float64(r.lag()), r.name)
		if r.shared {
			count(descLetters, r.once.letters.Load(), r.name)
			gauge(descAttached, r.once.attached(), r.name)
		}
	}
	n.metrics.propagation.Collect(ch)
	gauge(descBuild, 1, version())
}

// state has how the node is: one series a state, of which one is 1, and how old what it serves may be. A lease that was never held
// is infinitely old, so that an alert on its age fires. A node that only publishes has none.
func (c collector) state(ch chan<- prometheus.Metric, s bus.Status) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	now := c.n.Status().State
	for state := Starting; state <= Closed; state++ {
		is := 0.0
		if state == now {
			is = 1
		}
		gauge(descState, is, state.String())
	}
	if c.n.cfg.PublishOnly {
		return
	}
	gauge(descDoubled, float64(c.n.fleet.Doubled()))
	living, vanished := c.n.fleet.Counts()
	gauge(descFleet, float64(living))
	ch <- prometheus.MustNewConstMetric(descVanished, prometheus.CounterValue, float64(vanished))
	age := s.LeaseAge.Seconds()
	if s.LeaseAge == 0 && s.State != bus.Current {
		age = math.Inf(1)
	}
	gauge(descLeaseAge, age)
}

// Label values that are known beforehand are there from the start, with 0: a rate over a series that begins with its first count
// misses that one.
//
//nolint:gochecknoglobals // constant tables
var (
	rejections = []string{event.RejectedSubject, event.RejectedName, event.RejectedSys, event.RejectedFleet, event.RejectedAnswer}
	widenings  = []string{
		event.WidenedUnreadable, event.WidenedSize, event.WidenedVersion, event.WidenedType, event.WidenedTarget,
		event.WidenedPrefix, event.WidenedSubject, bus.WidenedStorm,
	}
)

// collectMemory tells of both tiers, also before there are any.
func (n *Node) collectMemory(count func(*prometheus.Desc, uint64, ...string), gauge func(*prometheus.Desc, float64, ...string)) {
	gauge(descMaxBytes, float64(n.cfg.MaxBytes), "bulk")
	gauge(descMaxBytes, float64(n.cfg.MaxHotBytes), "hot")
	t := n.memory()
	if t == nil {
		t = new(tiers)
	} else {
		gauge(descEntries, float64(t.bulk.Len()), "bulk")
		gauge(descEntries, float64(t.hot.EstimatedSize()), "hot")
		gauge(descBytes, float64(t.bulk.Capacity()), "bulk")
		gauge(descBytes, float64(t.hotBytes.Load()), "hot")
	}
	for i, reason := range []string{"expired", "space", "deleted"} {
		count(descEvictions, t.bulkEvicted[i].Load(), "bulk", reason)
	}
	count(descEvictions, t.bulkTooLarge.Load(), "bulk", "too_large")
	count(descEvictions, t.bulkDiffers.Load(), "bulk", "differs")
	count(descEvictions, t.hotEvicted.Load(), "hot", "space")
	count(descEvictions, t.hotTooLarge.Load(), "hot", "too_large")
}

// version of the module in this binary.
func version() string {
	const module = "github.com/lethe-cache/lethe"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if info.Main.Path == module {
		return info.Main.Version
	}
	for _, d := range info.Deps {
		if d.Path == module {
			return d.Version
		}
	}
	return "unknown"
}
