package lethe_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/lethe-cache/lethe/internal/bus"
	"github.com/lethe-cache/lethe/pkg/embedded"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
	"github.com/lethe-cache/lethe/pkg/lethe/lethetest"
)

// journal is a log that tests read.
type journal struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.Write(b)
}

// lines are those that hold all of these texts.
func (j *journal) lines(texts ...string) (found []string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for line := range strings.Lines(j.buf.String()) {
		if !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(line, text) }) {
			found = append(found, line)
		}
	}
	return found
}

func (j *journal) logger() *slog.Logger { return slog.New(slog.NewTextHandler(j, nil)) }

// audits is how often a check of f had a result, at all ages.
func audits(t *testing.T, n *lethe.Node, f, result string) (sum float64) {
	t.Helper()
	for _, age := range []string{"1s", "10s", "60s"} {
		sum += metric(t, n, "lethe_audit_checks_total", "function", f, "age", age, "result", result)
	}
	return sum
}

// patient is until for what takes seconds by design.
func patient(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for range 3 {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		tick := time.NewTicker(20 * time.Millisecond)
		for ctx.Err() == nil {
			if cond() {
				tick.Stop()
				cancel()
				return
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
		tick.Stop()
		cancel()
	}
	t.Fatalf("waited %v in vain: %s", 3*patience, what)
}

func TestAnHonestFleetIsAuditedAsConsistentAndNothingElse(t *testing.T) {
	t.Parallel()
	nodes := lethetest.Fleet(t, 3, lethe.Config{MaxStaleness: 5 * time.Second})
	b := newBook()
	keys := []string{"acme/a", "acme/b", "other/c"}
	fleet := make([][]*lethe.Func[string, int], len(nodes))
	names := []event.Name[string]{"key", "tag", "prefix", "nested", "bulk", "hot"}
	for i, n := range nodes {
		audited := lethe.WithAudit(1)
		tags := lethe.WithTags(func(k string, _ int) []string { return []string{"item:" + k} })
		inner := lethe.Memoize(n, "inner", b.load, tags)
		fleet[i] = []*lethe.Func[string, int]{
			lethe.Memoize(n, names[0], b.load, audited),
			lethe.Memoize(n, names[1], b.load, audited, tags),
			lethe.Memoize(n, names[2], b.load, audited, tags),
			lethe.Memoize(n, names[3], inner.Get, audited),
			lethe.Memoize(n, names[4], b.load, audited, tags, lethe.WithoutHot()),
			lethe.Memoize(n, names[5], b.load, audited, tags, lethe.WithoutBulk()),
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { // writes all the time
		for i := 0; ctx.Err() == nil; i++ {
			k := keys[i%len(keys)]
			b.write(k)
			ts := []event.Target{names[0].Key(k)}
			switch i % 4 {
			case 0:
				ts = append(ts, event.TagPrefix("item:"+k+"/"))
			case 1:
				ts = append(ts, event.TagPrefix("item:"))
			default:
				ts = append(ts, event.Tag("item:"+k))
			}
			if _, err := nodes[i%len(nodes)].Invalidate(ctx, ts...); err != nil && ctx.Err() == nil {
				t.Error(err)
			}
			select {
			case <-time.After(30 * time.Millisecond):
			case <-ctx.Done():
			}
		}
	})
	wg.Go(func() { // reads all the time
		for ctx.Err() == nil {
			for _, fs := range fleet {
				for _, f := range fs {
					for _, k := range keys {
						if _, err := f.Get(ctx, k); err != nil && ctx.Err() == nil {
							t.Error(err)
						}
					}
				}
			}
			select {
			case <-time.After(5 * time.Millisecond):
			case <-ctx.Done():
			}
		}
	})
	patient(t, "every function of every node was found consistent at two ages", func() bool {
		for _, n := range nodes {
			for _, f := range names {
				for _, age := range []string{"1s", "10s"} {
					if metric(t, n, "lethe_audit_checks_total", "function", string(f), "age", age, "result", "consistent") < 2 {
						return false
					}
				}
			}
		}
		return true
	})
	stop()
	wg.Wait()
	total := 0.0
	for i, n := range nodes {
		for _, f := range names {
			total += audits(t, n, string(f), "consistent")
			if stale, failed := audits(t, n, string(f), "stale"), audits(t, n, string(f), "error"); stale+failed > 0 {
				t.Errorf("node %d, %s: %v stale, %v errors", i, f, stale, failed)
			}
		}
	}
	t.Logf("%v checks, all consistent", total)
}

func TestAChangeThatNobodyAnnouncedIsFoundStaleAndTheEventBeforeItIsNamed(t *testing.T) {
	t.Parallel()
	log := &journal{}
	n := one(t, lethe.Config{Name: "web", Logger: log.logger(), MaxStaleness: 5 * time.Second})
	var secret atomic.Int64
	secret.Store(271828)
	gone := errors.New("gone")
	load := func(ctx context.Context, k string) (string, error) {
		lethe.AddTags(ctx, "user:"+k)
		if secret.Load() == 0 {
			return "", gone
		}
		return fmt.Sprintf("secret-%d", secret.Load()), nil
	}
	f := lethe.Memoize(n, "f", load, lethe.WithAudit(1))
	funcs := []*lethe.Func[string, string]{
		f,
		lethe.Memoize(n, "bulk", load, lethe.WithAudit(1), lethe.WithoutHot()),
		lethe.Memoize(n, "hot", load, lethe.WithAudit(1), lethe.WithoutBulk()),
		lethe.Memoize(n, "negative", load, lethe.WithAudit(1), lethe.WithNegative(time.Minute, gone)),
		lethe.Memoize(n, "outer", f.Get, lethe.WithAudit(1)),
	}
	secretHeld := lethe.Memoize(n, "hashed", load, lethe.WithAudit(1), lethe.WithHashedKeys())
	funcs = append(funcs, secretHeld)
	read := func() {
		for _, f := range funcs {
			must[string](t)(f.Get(t.Context(), "alice"))
		}
	}
	read()
	tok := applied(t, []event.Target{event.Tag("user:alice")}, n)
	read()
	secret.Store(314159) // and says nothing
	for _, f := range []string{"f", "bulk", "hot", "outer", "hashed", "negative"} {
		patient(t, f+" is found stale", func() bool {
			return metric(t, n, "lethe_audit_checks_total", "function", f, "age", "1s", "result", "stale") == 1
		})
		patient(t, f+" is logged", func() bool { return len(log.lines("function="+f+" ")) > 0 })
		lines := log.lines("function=" + f + " ")
		if len(lines) != 1 {
			t.Fatalf("%s: %d lines: %q", f, len(lines), lines)
		}
		for _, want := range []string{"level=ERROR", "node=web", "token=" + tok.String(), "source=/lethe/default/web", "event=0", "tier=", "loaded=", "expires=", "tag/user:alice"} {
			if !strings.Contains(lines[0], want) {
				t.Errorf("no %q in %s", want, lines[0])
			}
		}
		if strings.Contains(lines[0], "secret-") {
			t.Errorf("a value in %s", lines[0])
		}
		if hides := f == "hashed"; hides == strings.Contains(lines[0], `key="[\"alice\"]"`) {
			t.Errorf("the key in %s", lines[0])
		}
		if failed := audits(t, n, f, "error"); failed > 0 {
			t.Errorf("%s: %v errors", f, failed)
		}
	}
}

// late is a live feed that brings everything late while it is on.
type late struct {
	bus.Feed
	on *atomic.Bool
	by time.Duration

	mu      sync.Mutex // guards stopped
	stopped bool
}

func (f *late) Start(deliver func(bus.Arrival)) error {
	return f.Feed.Start(func(a bus.Arrival) {
		if !f.on.Load() {
			deliver(a)
			return
		}
		time.AfterFunc(f.by, func() {
			f.mu.Lock()
			defer f.mu.Unlock()
			if !f.stopped {
				deliver(a)
			}
		})
	})
}

func (f *late) Stop() {
	f.Feed.Stop()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stopped = true
}

func TestAChangeWhoseEventIsASecondLateIsNotCalledStale(t *testing.T) {
	t.Parallel()
	srv := must[*embedded.Server](t)(embedded.Start(within(t), embedded.Config{}))
	t.Cleanup(func() { _ = srv.Close() })
	log := &journal{}
	connect := func(wrap func(bus.Feed) bus.Feed) *lethe.Node {
		nc := must[*nats.Conn](t)(srv.Connect())
		t.Cleanup(nc.Close)
		n := must[*lethe.Node](t)(lethe.OpenWithFeed(t.Context(), lethe.Config{Conn: nc, Logger: log.logger()}, wrap))
		t.Cleanup(func() { _ = n.Close() })
		if err := n.Ready(within(t)); err != nil {
			t.Fatal(err)
		}
		return n
	}
	writer := connect(nil)
	var on atomic.Bool
	n := connect(func(f bus.Feed) bus.Feed { return &late{Feed: f, on: &on, by: time.Second} })
	var version, checks atomic.Int64
	f := lethe.Memoize(n, "f", func(context.Context, string) (int64, error) {
		checks.Add(1)
		return version.Load(), nil
	}, lethe.WithAudit(1))
	for range 2 {
		must[int64](t)(f.Get(t.Context(), "k"))
		applied(t, []event.Target{f.Target("k")}, writer, n)
		must[int64](t)(f.Get(t.Context(), "k"))
		// The source changes just before the check and says so just after it, to a node that hears of it a second later.
		before, consistent := checks.Load(), audits(t, n, "f", "consistent")
		on.Store(true)
		version.Add(1)
		patient(t, "the key is checked and differs", func() bool { return checks.Load() > before })
		must[event.Token](t)(writer.Invalidate(t.Context(), f.Target("k")))
		patient(t, "the check ends", func() bool { return audits(t, n, "f", "consistent") > consistent })
		on.Store(false)
	}
	if stale, failed := audits(t, n, "f", "stale"), audits(t, n, "f", "error"); stale+failed > 0 {
		t.Errorf("%v stale, %v errors: %q", stale, failed, log.lines("audit"))
	}
}

func TestTheRateAndTheBoundLimitTheSampleAndAllNodesSampleTheSameKeys(t *testing.T) {
	t.Parallel()
	for _, rate := range []float64{0, -1, 1.01, math.NaN(), math.Inf(1)} {
		panics(t, "WithAudit", func() { lethe.Memoize(one(t), "f", load[int, int], lethe.WithAudit(rate)) })
	}
	n := one(t)
	for _, tc := range []struct {
		name     event.Name[int]
		rate     float64
		min, max int
	}{
		{"tenth", 0.1, 150, 260},
		{"half", 0.5, 900, 1024},
		{"every", 1, 1024, 1024},
	} {
		f := lethe.Memoize(n, tc.name, load[int, int], lethe.WithAudit(tc.rate))
		for k := range 2000 {
			must[int](t)(f.Get(t.Context(), k))
		}
		if got := lethe.Audited(n, string(tc.name)); got < tc.min || got > tc.max {
			t.Errorf("%d of 2000 keys are sampled at %v", got, tc.rate)
		}
	}
}

func TestWhatCannotBeJudgedCountsAsAnErrorAndIsSaidOnce(t *testing.T) {
	t.Parallel()
	log := &journal{}
	n := one(t, lethe.Config{Logger: log.logger(), MaxStaleness: 5 * time.Second})
	var calls atomic.Int64
	audited := []lethe.Option{lethe.WithAudit(1)}
	f := lethe.Memoize(n, "unsteady", func(context.Context, string) (int64, error) { return calls.Add(1), nil }, audited...)
	var down atomic.Bool
	g := lethe.Memoize(n, "down", func(context.Context, string) (int64, error) {
		if down.Load() {
			return 0, errGone
		}
		return 1, nil
	}, audited...)
	h := lethe.Memoize(n, "panics", func(context.Context, string) (int64, error) {
		if down.Load() {
			panic("it")
		}
		return 1, nil
	}, audited...)
	fs := []*lethe.Func[string, int64]{f, g, h}
	for _, f := range fs {
		must[int64](t)(f.Get(t.Context(), "k"))
	}
	applied(t, []event.Target{event.All()}, n)
	for _, f := range fs {
		must[int64](t)(f.Get(t.Context(), "k"))
	}
	down.Store(true)
	for _, f := range []string{"unsteady", "down", "panics"} {
		patient(t, f+" is an error", func() bool { return audits(t, n, f, "error") >= 1 })
		patient(t, f+" is logged", func() bool { return len(log.lines("function="+f+" ")) > 0 })
		if lines := log.lines("function=" + f + " "); len(lines) != 1 || !strings.Contains(lines[0], "level=WARN") {
			t.Errorf("%s: %q", f, lines)
		}
		if other := audits(t, n, f, "stale") + audits(t, n, f, "consistent"); other > 0 {
			t.Errorf("%s: %v other results", f, other)
		}
	}
}

func TestASourceThatDiffersForAMomentIsNotCalledStale(t *testing.T) {
	t.Parallel()
	n := one(t, lethe.Config{MaxStaleness: 5 * time.Second})
	var calls atomic.Int64
	f := lethe.Memoize(n, "f", func(context.Context, string) (bool, error) { return calls.Add(1) == 3, nil }, lethe.WithAudit(1))
	must[bool](t)(f.Get(t.Context(), "k"))
	applied(t, []event.Target{f.Target("k")}, n)
	must[bool](t)(f.Get(t.Context(), "k"))
	patient(t, "the check ends", func() bool { return audits(t, n, "f", "consistent") == 1 })
	if c := calls.Load(); c < 4 {
		t.Fatalf("%d loads: this run shows nothing", c)
	}
	if stale, failed := audits(t, n, "f", "stale"), audits(t, n, "f", "error"); stale+failed > 0 {
		t.Errorf("%v stale, %v errors", stale, failed)
	}
}

func TestWithoutALeaseNothingIsAudited(t *testing.T) {
	t.Parallel()
	n, _, cut := cutOff(t)
	var calls atomic.Int64
	f := lethe.Memoize(n, "f", func(context.Context, string) (int, error) { calls.Add(1); return 1, nil }, lethe.WithAudit(1))
	must[int](t)(f.Get(t.Context(), "k"))
	cut()
	begun, before := time.Now(), calls.Load()
	lethe.EchoApplied(n, f.Target("k")) // the check is due in a second, and finds what would be served if there were a lease
	until(t, "the first age passes", func() bool { return time.Since(begun) > 1500*time.Millisecond })
	if now := calls.Load(); now != before {
		t.Errorf("%d loads", now-before)
	}
}

func TestCloseEndsAnAuditUnderWayAndItCountsAsNothing(t *testing.T) {
	t.Parallel()
	n := one(t)
	var armed atomic.Bool
	entered := make(chan struct{}, 8)
	f := lethe.Memoize(n, "f", func(ctx context.Context, _ string) (int, error) {
		if armed.Load() {
			entered <- struct{}{}
			<-ctx.Done()
			return 0, ctx.Err()
		}
		return 1, nil
	}, lethe.WithAudit(1))
	must[int](t)(f.Get(t.Context(), "k"))
	applied(t, []event.Target{f.Target("k")}, n)
	must[int](t)(f.Get(t.Context(), "k"))
	armed.Store(true)
	take(t, "the check begins", entered)
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if got := audits(t, n, "f", "error"); got != 0 {
		t.Errorf("%v errors", got)
	}
}
