package lethe_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/lethe-cache/lethe/pkg/embedded"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
	"github.com/lethe-cache/lethe/pkg/lethe/lethetest"
)

func names(nodes []lethe.NodeStatus) string {
	var all []string
	for _, n := range nodes {
		all = append(all, n.Name)
	}
	return strings.Join(all, " ")
}

func TestABarrierIsCompleteOnceEveryNodeHasAppliedTheToken(t *testing.T) {
	t.Parallel()
	nodes := lethetest.Fleet(t, 3, lethe.Config{Name: "n"})
	b := newBook()
	var fs []*lethe.Func[string, int]
	for _, n := range nodes {
		f := lethe.Memoize(n, "f", b.load)
		must[int](t)(f.Get(t.Context(), "k"))
		fs = append(fs, f)
	}
	for round := range 20 {
		b.write("k")
		tok := must[event.Token](t)(fs[round%3].Invalidate(t.Context(), "k"))
		begun := time.Now()
		r, err := nodes[(round+1)%3].Barrier(within(t), tok)
		if err != nil || names(r.Applied) != "n-0 n-1 n-2" || len(r.Pending) != 0 {
			t.Fatalf("round %d, after %v: %v, applied %q, pending %q", round, time.Since(begun), err, names(r.Applied), names(r.Pending))
		}
		for i, f := range fs {
			if v := must[int](t)(f.Get(t.Context(), "k")); v != round+1 {
				t.Fatalf("node %d serves %d after the barrier of %d", i, v, round+1)
			}
		}
	}
	if r, err := nodes[0].Barrier(within(t), event.Token{}); err != nil || len(r.Applied) != 3 {
		t.Errorf("a zero token: %+v, %v", r, err)
	}
}

func TestWhoOnlyPublishesCanAskTheFleet(t *testing.T) {
	t.Parallel()
	n, nc := wire(t)
	p := must[*lethe.Node](t)(lethe.Open(within(t), lethe.Config{Conn: nc, Fleet: "shop", PublishOnly: true}))
	defer p.Close()
	if err := p.Ready(within(t)); err != nil {
		t.Fatal(err)
	}
	tok := must[event.Token](t)(p.Invalidate(t.Context(), event.All()))
	r, err := p.Barrier(within(t), tok)
	if err != nil || names(r.Applied) != n.Status().Name || r.Applied[0].State != lethe.Current || r.Applied[0].Cursor < tok.Sequence() {
		t.Fatalf("%+v, %v", r, err)
	}
	all, err := p.Nodes(within(t))
	if err != nil || names(all) != n.Status().Name || all[0].Version == "" {
		t.Fatalf("%+v, %v", all, err)
	}
}

func TestATokenThatIsNoneOfThisFleetIsRefused(t *testing.T) {
	t.Parallel()
	nodes := lethetest.Fleet(t, 2)
	pos := nodes[0].Position()
	for name, tok := range map[string]event.Token{
		"another fleet":    event.NewToken("other", pos.Epoch(), 1),
		"beyond the end":   event.NewToken(pos.Fleet(), pos.Epoch(), pos.Sequence()+1_000_000),
		"no stream's name": event.NewToken("default2", "x", 1),
	} {
		begun := time.Now()
		_, err := nodes[1].Barrier(within(t), tok)
		if !errors.Is(err, event.ErrInvalid) || !contains(err, "token: ") {
			t.Errorf("%s, after %v: %v", name, time.Since(begun), err)
		} else if text := err.Error(); strings.Count(text, "invalid") > 1 || strings.Contains(text, "fleet: the") {
			t.Errorf("%s: the text repeats itself, or names another field: %s", name, text)
		}
	}
}

func TestANodeThatSaidGoodbyeIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	// Nodes that have only just begun, slowly, and whose one friend has left, wait for what they can't know of: three tries.
	for try := 1; ; try++ {
		took := afterAGoodbye(t)
		if took <= 30*time.Second { // the horizon of these nodes is two minutes
			return
		}
		if try == 3 {
			t.Fatalf("it took %v: the node that had left was waited for", took)
		}
	}
}

// afterAGoodbye is how long a Barrier of two nodes takes when the third has left.
func afterAGoodbye(t *testing.T) time.Duration {
	t.Helper()
	nodes := lethetest.Fleet(t, 3, lethe.Config{Name: "n"})
	must[lethe.Report](t)(nodes[0].Barrier(within(t), event.Token{}))
	if err := nodes[2].Close(); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	tok := must[event.Token](t)(nodes[0].Invalidate(t.Context(), event.All()))
	r, err := nodes[0].Barrier(within(t), tok)
	if err != nil || names(r.Applied) != "n-0 n-1" {
		t.Fatalf("%+v, %v", r, err)
	}
	took := time.Since(begun)
	until(t, "it is no longer listed", func() bool {
		all, err := nodes[1].Nodes(within(t))
		return err == nil && names(all) == "n-0 n-1"
	})
	if _, err := nodes[2].Barrier(within(t), tok); !errors.Is(err, lethe.ErrClosed) {
		t.Errorf("a closed node: %v", err)
	}
	if _, err := nodes[2].Nodes(within(t)); !errors.Is(err, lethe.ErrClosed) {
		t.Errorf("a closed node: %v", err)
	}
	return took
}

func TestAFrozenNodeIsNamedAndTheBarrierIsCompleteWhenItsHorizonHasPassed(t *testing.T) {
	t.Parallel()
	srv := must[*embedded.Server](t)(embedded.Start(within(t), embedded.Config{Listen: "127.0.0.1:0"}))
	t.Cleanup(func() { _ = srv.Close() })
	nc := must[*nats.Conn](t)(srv.Connect())
	t.Cleanup(nc.Close)
	log := &journal{}
	n := must[*lethe.Node](t)(lethe.Open(t.Context(), lethe.Config{Conn: nc, Name: "here", Logger: log.logger()}))
	defer n.Close()
	file := filepath.Join(t.TempDir(), "truth")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+srv.URL(), childFile+"="+file)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGCONT)
		_ = stdin.Close()
		_ = cmd.Wait()
	})
	until(t, "the other process is there and ready", func() bool {
		all, err := n.Nodes(within(t))
		return err == nil && len(all) == 2 && !slices.ContainsFunc(all, func(s lethe.NodeStatus) bool { return s.State != lethe.Current })
	})

	frozen := time.Now()
	if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	asked := time.Now()
	tok := must[event.Token](t)(n.Invalidate(t.Context(), event.All()))
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	r, err := n.Barrier(ctx, tok)
	if !errors.Is(err, lethe.ErrPending) || !errors.Is(err, context.DeadlineExceeded) || names(r.Applied) != "here" || len(r.Pending) != 1 {
		t.Fatalf("with a frozen node: %+v, %v", r, err)
	}
	if took := time.Since(asked); took > patience/2 {
		t.Errorf("it ended after %v, asked for one second", took)
	}
	if name := r.Pending[0].Name; name == "here" || !strings.Contains(err.Error(), name) {
		t.Errorf("pending is %q: %v", name, err)
	}
	r, err = n.Barrier(within(t), tok)
	if err != nil || len(r.Applied) != 2 || len(r.Pending) != 0 {
		t.Fatalf("when its horizon has passed: %+v, %v", r, err)
	}
	if took := time.Since(frozen); took < 5*time.Second {
		t.Errorf("complete %v after it was stopped, while it could still serve for 5 s", took)
	}
	vanishes(t, n, log, cmd.Process)
}

// vanishes: a process that is frozen is said to be gone, shown as that, and said to be back when it goes on; one that leaves in order
// is not.
func vanishes(t *testing.T, n *lethe.Node, log *journal, frozen *os.Process) {
	t.Helper()
	until(t, "it is said to be gone", func() bool { return len(log.lines("level=WARN", "event=node_gone", "silent_for=")) == 1 })
	until(t, "it is shown as gone", func() bool {
		all, err := n.Nodes(within(t))
		gone := slices.DeleteFunc(all, func(s lethe.NodeStatus) bool { return s.Name == "here" })
		return err == nil && len(gone) == 1 && gone[0].Gone && gone[0].Seen > 5*time.Second && gone[0].Version != ""
	})
	if living, total := series(t, n, "lethe_fleet_nodes")[""], series(t, n, "lethe_fleet_vanished_total")[""]; living != 1 || total != 1 {
		t.Errorf("%v live and %v have vanished", living, total)
	}
	if err := frozen.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	until(t, "it is said to be back", func() bool { return len(log.lines("level=INFO", "event=node_back", "gone_for=")) == 1 })
	until(t, "all are there", func() bool {
		all, err := n.Nodes(within(t))
		return err == nil && len(all) == 2 && !slices.ContainsFunc(all, func(s lethe.NodeStatus) bool { return s.Gone || s.Seen > 0 })
	})
}

func TestTheStreamTellsHowLongAnyNodeMayServe(t *testing.T) {
	t.Parallel()
	srv := must[*embedded.Server](t)(embedded.Start(within(t), embedded.Config{}))
	t.Cleanup(func() { _ = srv.Close() })
	open := func(cfg lethe.Config) *lethe.Node {
		t.Helper()
		cfg.Conn = must[*nats.Conn](t)(srv.Connect())
		t.Cleanup(cfg.Conn.Close)
		n := must[*lethe.Node](t)(lethe.Open(t.Context(), cfg))
		t.Cleanup(func() { _ = n.Close() })
		if err := n.Ready(within(t)); err != nil {
			t.Fatal(err)
		}
		return n
	}
	horizon := func() string {
		t.Helper()
		nc := must[*nats.Conn](t)(srv.Connect())
		defer nc.Close()
		js := must[jetstream.JetStream](t)(jetstream.New(nc))
		return must[jetstream.Stream](t)(js.Stream(within(t), "LETHE_DEFAULT")).CachedInfo().Config.Metadata["lethe-horizon"]
	}
	a := open(lethe.Config{})
	if got := horizon(); got != "" {
		t.Fatalf("%q, although nobody serves longer than the default", got)
	}
	b := newBook()
	lethe.Memoize(a, "f", b.load, lethe.WithPolicy(lethe.ServeStale(20*time.Second)))
	if got := horizon(); got != "30s" {
		t.Fatalf("ServeStale(20s) on a ready node: the stream tells %q", got)
	}
	open(lethe.Config{MaxStaleness: 40 * time.Second})
	if got := horizon(); got != "40s" {
		t.Fatalf("MaxStaleness 40s: the stream tells %q", got)
	}
	open(lethe.Config{MaxStaleness: 5 * time.Second})
	if got := horizon(); got != "40s" {
		t.Fatalf("a node that serves less has lowered it to %q", got)
	}
	// Provisioned elsewhere, it has to be enough.
	cfg := lethe.Config{ExternalStream: true, MaxStaleness: time.Minute, Conn: must[*nats.Conn](t)(srv.Connect())}
	t.Cleanup(cfg.Conn.Close)
	n := must[*lethe.Node](t)(lethe.Open(t.Context(), cfg))
	defer n.Close()
	until(t, "a stream that tells less than the node serves is named", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := n.Ready(ctx)
		return errors.Is(err, lethe.ErrNotReady) && strings.Contains(fmt.Sprint(err), "metadata.lethe-horizon is 40s")
	})
}
