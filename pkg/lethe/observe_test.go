package lethe_test

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"math"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/lethe-cache/lethe/internal/bus"
	"github.com/lethe-cache/lethe/pkg/embedded"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

// series are the values of a metric, by its label.
func series(t *testing.T, n *lethe.Node, metric string) map[string]float64 {
	t.Helper()
	reg := prometheus.NewRegistry()
	reg.MustRegister(n.Collector())
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]float64)
	for _, f := range families {
		if f.GetName() != metric {
			continue
		}
		for _, m := range f.GetMetric() {
			label := ""
			if l := m.GetLabel(); len(l) > 0 {
				label = l[0].GetValue()
			}
			found[label] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	return found
}

func TestLabelValuesThatAreKnownAreThereFromTheStart(t *testing.T) {
	t.Parallel()
	n, _ := wire(t)
	causes := series(t, n, "lethe_resets_total")
	for _, cause := range bus.Causes() {
		if v, ok := causes[cause]; !ok || v != 0 {
			t.Errorf("resets by %q: %v, %v", cause, v, ok)
		}
	}
	if _, ok := causes["start"]; ok || len(causes) != 7 || n.Status().Resets != 0 {
		t.Errorf("the start counts as a Reset: %v, %d", causes, n.Status().Resets)
	}
	fset := token.NewFileSet()
	packages, err := parser.ParseDir(fset, "../event", func(f fs.FileInfo) bool { return !strings.HasSuffix(f.Name(), "_test.go") }, 0) //nolint:staticcheck // one package without build tags
	if err != nil {
		t.Fatal(err)
	}
	reasons := map[string]map[string]float64{"Rejected": series(t, n, "lethe_events_rejected_total"), "Widened": series(t, n, "lethe_events_widened_total")}
	count := 0
	ast.Inspect(packages["event"], func(x ast.Node) bool {
		v, ok := x.(*ast.ValueSpec)
		if !ok {
			return true
		}
		for kind, have := range reasons {
			if len(v.Names) != 1 || !strings.HasPrefix(v.Names[0].Name, kind) || len(v.Values) != 1 {
				continue
			}
			if text, ok := v.Values[0].(*ast.BasicLit); ok {
				count++
				if _, ok := have[strings.Trim(text.Value, `"`)]; !ok {
					t.Errorf("%s is no series yet", v.Names[0].Name)
				}
			}
		}
		return true
	})
	if count < 12 {
		t.Errorf("only %d reasons found in pkg/event", count)
	}
}

func TestTheStateAndTheAgeOfALeaseCanBeAlertedOn(t *testing.T) {
	t.Parallel()
	nowhere := must[*lethe.Node](t)(lethe.Open(t.Context(), lethe.Config{URL: "nats://127.0.0.1:1", Fleet: "shop"}))
	t.Cleanup(func() { _ = nowhere.Close() })
	if age := series(t, nowhere, "lethe_lease_age_seconds")[""]; !math.IsInf(age, 1) {
		t.Errorf("before the first lease its age is %v", age)
	}
	if s := series(t, nowhere, "lethe_node_state"); len(s) != 4 || s["starting"] != 1 || s["current"]+s["expired"]+s["closed"] != 0 {
		t.Errorf("states %v", s)
	}
	srv := must[*embedded.Server](t)(embedded.Start(t.Context(), embedded.Config{}))
	t.Cleanup(func() { _ = srv.Close() })
	nc := must[*nats.Conn](t)(srv.Connect())
	t.Cleanup(nc.Close)
	n := must[*lethe.Node](t)(lethe.Open(t.Context(), lethe.Config{Conn: nc, Fleet: "shop", MaxStaleness: 5 * time.Second}))
	t.Cleanup(func() { _ = n.Close() })
	if err := n.Ready(within(t)); err != nil {
		t.Fatal(err)
	}
	if s := series(t, n, "lethe_node_state"); s["current"] != 1 || s["starting"] != 0 {
		t.Errorf("states %v", s)
	}
	nc.Close()
	until(t, "the lease ends", func() bool { return series(t, n, "lethe_node_state")["expired"] == 1 })
	before := series(t, n, "lethe_lease_age_seconds")[""]
	until(t, "its age grows", func() bool { return series(t, n, "lethe_lease_age_seconds")[""] > before+.1 })
	if before < 5 || math.IsInf(before, 0) {
		t.Errorf("a lease that has ended is %v s old", before)
	}
}

// Whatever permission a node lacks, its log names the subject and what it affects, without anybody having asked for it.
func TestNoMissingPermissionIsSilent(t *testing.T) {
	t.Parallel()
	live, inbox := event.LiveSubject("shop", ">"), "_INBOX.>"
	for _, c := range []struct{ name, what, subject, effect string }{
		{"tick", "publish", event.LogSubject("shop", event.SysTick), "never ready"},
		{"direct get", "publish", "$JS.API.DIRECT.GET." + event.StreamName("shop"), "can't be fetched"},
		{"presence", "publish", event.CtlSubject("shop", "presence.web"), "never ready"},
		{"question", "publish", event.CtlSubject("shop", "barrier"), "no Barrier"},
		{"answers", "publish", inbox, "allow_responses"},
		{"presence of others", "subscribe", event.CtlSubject("shop", "presence.*"), "longest horizon"},
		{"questions of others", "subscribe", event.CtlSubject("shop", "barrier"), "every Barrier waits"},
		{"inbox", "subscribe", inbox, "no answer"},
		{"live feed", "subscribe", live, "hears no events"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			perms := &server.Permissions{
				Publish: &server.SubjectPermission{Allow: []string{">"}}, Subscribe: &server.SubjectPermission{Allow: []string{">"}},
			}
			side := perms.Publish
			if c.what == "subscribe" {
				side = perms.Subscribe
			}
			side.Deny = []string{c.subject}
			srv := must[*server.Server](t)(server.NewServer(&server.Options{
				JetStream: true, StoreDir: t.TempDir(), DontListen: true, NoSigs: true, NoLog: true,
				Users: []*server.User{{Username: "u", Password: "u", Permissions: perms}},
			}))
			srv.Start()
			t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
			if !srv.ReadyForConnections(patience) {
				t.Fatal("the server does not start")
			}
			var refused atomic.Int64
			nc := must[*nats.Conn](t)(nats.Connect("", nats.InProcessServer(srv), nats.UserInfo("u", "u"),
				nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) { refused.Add(1) }))) // after the node's
			t.Cleanup(nc.Close)
			log := &journal{}
			n := must[*lethe.Node](t)(lethe.Open(t.Context(), lethe.Config{Conn: nc, Fleet: "shop", Name: "web", Logger: log.logger()}))
			t.Cleanup(func() { _ = n.Close() })
			subject := strings.TrimSuffix(c.subject, ">")
			until(t, "the log names it", func() bool {
				return len(log.lines("level=WARN", "event=permission_denied", "what="+c.what, subject, c.effect)) > 0
			})
			if v := series(t, n, "lethe_permission_denied_total")[""]; v == 0 {
				t.Error("it is not counted")
			}
			if c.name == "live feed" {
				until(t, "it has a lease", func() bool { return n.Status().LeaseAge > 0 })
			}
			if strings.Contains(c.effect, "never ready") || c.name == "inbox" || c.name == "live feed" {
				until(t, "Status and Ready name it", func() bool {
					ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
					defer cancel()
					s, err := n.Status(), n.Ready(ctx)
					if s.State != lethe.Starting || err == nil || s.Err == nil {
						t.Fatalf("%v (%v), and Ready says %v", s.State, s.Err, err)
					}
					return strings.Contains(s.Err.Error(), subject) && strings.Contains(err.Error(), subject)
				})
			}
			if c.name == "inbox" || c.name == "answers" {
				for before := refused.Load(); refused.Load() < before+3; {
					_, _ = n.Nodes(within(t)) // asks from an inbox of its own
				}
				if v := series(t, n, "lethe_permission_denied_total")[""]; v != 1 {
					t.Errorf("one missing permission counts as %v: %s", v, log.lines("event=permission_denied"))
				}
			}
			if c.name != "inbox" { // else the server makes the stream while it shuts down
				until(t, "the stream is there", func() bool { return n.Status().Epoch != "" })
			}
		})
	}
}

func TestTheLogSaysWhyANodeIsNotReady(t *testing.T) {
	t.Parallel()
	log := &journal{}
	n := must[*lethe.Node](t)(lethe.Open(t.Context(), lethe.Config{URL: "nats://me:secret@127.0.0.1:1", Fleet: "shop", Name: "web", Logger: log.logger()}))
	t.Cleanup(func() { _ = n.Close() })
	until(t, "it says that it starts", func() bool { return len(log.lines("level=INFO", "event=starting", "fleet=shop", "node=web")) == 1 })
	until(t, "it says why it is not ready", func() bool {
		return len(log.lines("level=WARN", "event=not_ready", "code=connection", "connection refused")) > 0
	})
	if len(log.lines("secret")) > 0 {
		t.Error("a password stands in the log")
	}
}
