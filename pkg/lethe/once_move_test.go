package lethe_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
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

// onceChildEnv makes this test binary a node of the fleet at its value, with a once-per-fleet receiver that says what it is called
// with and never returns.
const onceChildEnv = "LETHE_TEST_ONCE"

func runOnceChild() int {
	n, err := lethe.Open(context.Background(), lethe.Config{URL: os.Getenv(onceChildEnv)})
	if err == nil {
		lethe.HurryOnce(n, 2*time.Second, time.Second)
		err = n.Receive("r", func(_ context.Context, e event.Event) error {
			fmt.Println("called", e.ID) //nolint:forbidigo // that is how the parent knows
			select {}
		}, lethe.OncePerFleet())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	select {}
}

func TestOncePerFleetMovesWhenItsNodeIsKilledInTheMiddle(t *testing.T) {
	t.Parallel()
	srv := must[*embedded.Server](t)(embedded.Start(within(t), embedded.Config{Listen: "127.0.0.1:0"}))
	t.Cleanup(func() { _ = srv.Close() })
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), onceChildEnv+"="+srv.URL())
	cmd.Stderr = os.Stderr
	stdout := must[interface {
		Read([]byte) (int, error)
		Close() error
	}](t)(cmd.StdoutPipe())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := make(chan string, 100)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for s := bufio.NewScanner(stdout); s.Scan(); {
			lines <- s.Text()
		}
	}()
	nc := must[*nats.Conn](t)(srv.Connect())
	t.Cleanup(nc.Close)
	n := must[*lethe.Node](t)(lethe.Open(t.Context(), lethe.Config{Conn: nc}))
	t.Cleanup(func() { _ = n.Close() })
	if err := n.Ready(within(t)); err != nil {
		t.Fatal(err)
	}
	until(t, "the child has made its consumer", func() bool {
		m, err := nc.Request("$JS.API.CONSUMER.INFO.LETHE_DEFAULT.lethe-once-r", nil, patience)
		return err == nil && !contains(errors.New(string(m.Data)), "error")
	})
	must[event.Token](t)(n.Invalidate(t.Context(), event.Tag("a:b")))
	line := take(t, "the child is called", lines)
	lethe.HurryOnce(n, 2*time.Second, time.Second)
	heard := make(chan event.Event, 10)
	share(t, n, "r", func(_ context.Context, e event.Event) error { heard <- e; return nil })
	must[event.Token](t)(n.Invalidate(t.Context(), event.Tag("a:c")))
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if e := take(t, "this node has it", heard); "called "+e.ID != line {
		t.Errorf("received %s, the child had %s", e.ID, line)
	}
	if e := take(t, "what comes after it", heard); e.Targets[0].Name() != "a:c" {
		t.Errorf("%+v", e)
	}
	take(t, "the child has ended", ended)
	_ = cmd.Wait()
	if len(lines) > 0 {
		t.Errorf("the child also said %q", <-lines)
	}
}

func TestAnEventMovesOnWhenItsReceiverHangsAndListensToNobody(t *testing.T) {
	t.Parallel()
	nodes, d := lethetest.Fleet(t, 2), newDoor(t)
	for _, n := range nodes {
		lethe.HurryOnce(n, time.Second, time.Second)
		lethe.HurryCalls(n, time.Second)
	}
	share(t, nodes[0], "r", func(context.Context, event.Event) error { d.pass(); return nil })
	said := must[event.Token](t)(nodes[1].Invalidate(t.Context(), event.Tag("a:b")))
	take(t, "the call that hangs", d.entered)
	heard := make(chan event.Event, 10)
	share(t, nodes[1], "r", func(_ context.Context, e event.Event) error { heard <- e; return nil })
	if e := take(t, "another node has it", heard); e.Token != said {
		t.Errorf("%+v", e)
	}
	next := must[event.Token](t)(nodes[1].Invalidate(t.Context(), event.Tag("a:c")))
	if e := take(t, "what follows", heard); e.Token != next {
		t.Errorf("%+v", e)
	}
}

// A call that takes longer than AckWait, and not longer than it may, is not made twice.
func TestAnEventIsKeptInHandAsLongAsTheCallMayTake(t *testing.T) {
	t.Parallel()
	nodes := lethetest.Fleet(t, 2)
	calls := make(chan event.Event, 10)
	for _, n := range nodes {
		lethe.HurryOnce(n, 10*time.Second, time.Second)
		share(t, n, "r", func(ctx context.Context, e event.Event) error {
			calls <- e
			select {
			case <-time.After(20 * time.Second):
			case <-ctx.Done():
			}
			return ctx.Err()
		})
	}
	must[event.Token](t)(nodes[0].Invalidate(t.Context(), event.Tag("a:b")))
	next := must[event.Token](t)(nodes[0].Invalidate(t.Context(), event.Tag("a:c")))
	take(t, "the call", calls)
	if e := take(t, "the next", calls); e.Token != next {
		t.Error("it was called twice")
	}
}

// held is a live feed that is deaf for a while.
type held struct {
	bus.Feed
	deaf *atomic.Bool
}

func (f *held) Start(deliver func(bus.Arrival)) error {
	return f.Feed.Start(func(a bus.Arrival) {
		if !f.deaf.Load() {
			deliver(a)
		}
	})
}

// 1. The durable consumer hands out an event that the node's live feed has lost.
// 2. The receiver reads, and with the old value in the cache would warm what it is called to forget.
func TestOncePerFleetIsCalledOnlyWhenItsNodeHasAppliedTheEvent(t *testing.T) {
	t.Parallel()
	srv := must[*embedded.Server](t)(embedded.Start(within(t), embedded.Config{}))
	t.Cleanup(func() { _ = srv.Close() })
	var deaf atomic.Bool
	open := func(wrap func(bus.Feed) bus.Feed) *lethe.Node {
		nc := must[*nats.Conn](t)(srv.Connect())
		t.Cleanup(nc.Close)
		n := must[*lethe.Node](t)(lethe.OpenWithFeed(t.Context(), lethe.Config{Conn: nc}, wrap))
		t.Cleanup(func() { _ = n.Close() })
		if err := n.Ready(within(t)); err != nil {
			t.Fatal(err)
		}
		return n
	}
	n, other := open(func(f bus.Feed) bus.Feed { return &held{f, &deaf} }), open(nil)
	b := newBook()
	f := lethe.Memoize(n, "f", b.load)
	type call struct {
		old    bool
		behind bool
	}
	calls := make(chan call, 10)
	share(t, n, "r", func(ctx context.Context, e event.Event) error {
		_, old := f.Peek(ctx, "k")
		calls <- call{old, n.Position().Sequence() < e.Token.Sequence()}
		return nil
	}, lethe.ForFunctions("f"))
	for range 3 {
		must[int](t)(f.Get(t.Context(), "k"))
		deaf.Store(true)
		must[event.Token](t)(other.Invalidate(t.Context(), event.Key("f", "k")))
		if c := take(t, "the call", calls); c.old || c.behind {
			t.Errorf("%+v: called before the event was applied", c)
		}
		deaf.Store(false)
		until(t, "the node is current", func() bool { return n.Status().State == lethe.Current })
	}
}

func TestOncePerFleetGoesOnAfterTheServerRestarted(t *testing.T) {
	t.Parallel()
	s := &site{t: t, dir: t.TempDir()}
	s.start()
	t.Cleanup(func() { _ = s.srv.Close() })
	heard := make(chan event.Event, 1000)
	var nodes []*lethe.Node
	for range 3 {
		n := must[*lethe.Node](t)(lethe.Open(t.Context(), lethe.Config{
			URL: s.srv.URL(), NATSOptions: []nats.Option{nats.CustomReconnectDelay(func(int) time.Duration { return 50 * time.Millisecond })},
		}))
		t.Cleanup(func() { _ = n.Close() })
		lethe.HurryOnce(n, 5*time.Second, time.Second)
		share(t, n, "r", func(_ context.Context, e event.Event) error { heard <- e; return nil }, lethe.WithRetry(8, 10*time.Millisecond))
		nodes = append(nodes, n)
	}
	want := map[string]bool{}
	for i := range 60 {
		if i == 30 {
			s.stop()
			s.start()
			for _, n := range nodes {
				if err := n.Ready(within(t)); err != nil {
					t.Fatal(err)
				}
			}
		}
		reason := fmt.Sprint(i)
		want[reason] = true
		must[event.Token](t)(nodes[i%3].Invalidate(event.WithReason(t.Context(), reason), event.Tag("a:b")))
	}
	for len(want) > 0 {
		e := take(t, "what was said before and after", heard)
		if e.Type == event.TypeReset {
			t.Fatal("nothing was lost")
		}
		delete(want, e.Reason)
	}
}
