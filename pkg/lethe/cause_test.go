package lethe_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
	"github.com/lethe-cache/lethe/pkg/lethe/lethetest"
)

// The last event of these tests: whoever hears it has heard all before it. Receivers publish nothing for it.
const last = "last"

// history is what a receiver was called with, up to the last.
func history(t *testing.T, ch <-chan event.Event) (heard []event.Event) {
	t.Helper()
	for {
		e := take(t, "an event, or the last", ch)
		if e.Reason == last {
			return heard
		}
		heard = append(heard, e)
	}
}

func sayLast(t *testing.T, n *lethe.Node) {
	t.Helper()
	must[event.Token](t)(n.Invalidate(event.WithReason(t.Context(), last), event.All()))
}

// invalidates registers a receiver that invalidates targets whenever it is called, and sends what it was called with to a channel
// once it has.
func invalidates(t *testing.T, n *lethe.Node, name string, targets []event.Target, opts ...lethe.ReceiveOption) <-chan event.Event {
	t.Helper()
	ch := make(chan event.Event, 10_000)
	if err := n.Receive(name, func(ctx context.Context, e event.Event) error {
		defer func() { ch <- e }()
		if e.Reason == last {
			return nil
		}
		_, err := n.Invalidate(ctx, targets...)
		return err
	}, opts...); err != nil {
		t.Fatal(err)
	}
	return ch
}

func TestAReceiverIsNotCalledForWhatItInvalidatesOnAnyNode(t *testing.T) {
	t.Parallel()
	nodes := lethetest.Fleet(t, 2)
	var calls []<-chan event.Event
	for _, n := range nodes {
		calls = append(calls, invalidates(t, n, "dash, board*", []event.Target{event.Key("page", "ann")}))
	}
	b := newBook()
	f := lethe.Memoize(nodes[1], "page", b.load)
	must[int](t)(f.Get(t.Context(), "ann"))
	all := hear(t, nodes[1], "all")
	ctx := event.WithReason(event.WithActor(t.Context(), "user", "ann"), "prices")
	must[event.Token](t)(nodes[0].Invalidate(ctx, event.Tag("user:ann")))
	var first event.Event
	for i := range 3 { // the event, and what the receiver of each node has published
		e := take(t, "an event", all)
		if e.ActorType != "user" || e.ActorID != "ann" || e.Reason != "prices" {
			t.Errorf("%+v lacks actor or reason", e)
		}
		if i == 0 {
			first = e
			continue
		}
		if e.Extensions["causationid"] != first.ID || !slices.Equal(e.Receivers(), []string{"dash, board*"}) {
			t.Errorf("%+v is no consequence of %s", e, first.ID)
		}
	}
	if _, ok := f.Peek(t.Context(), "ann"); ok {
		t.Error("what a receiver invalidates is still there")
	}
	sayLast(t, nodes[0])
	for i, ch := range calls {
		if heard := history(t, ch); len(heard) != 1 || heard[0].ID != first.ID {
			t.Errorf("the receiver of node %d was called with %+v", i, heard)
		}
		if got := metric(t, nodes[i], "lethe_receiver_runs_total", "receiver", "dash, board*", "result", "spared"); got != 2 {
			t.Errorf("node %d counts %v events of its own account", i, got)
		}
	}
	if rest := history(t, all); len(rest) > 0 {
		t.Errorf("and more events: %+v", rest)
	}
}

func TestReceiversThatInvalidateForEachOtherComeToAnEnd(t *testing.T) {
	t.Parallel()
	nodes := lethetest.Fleet(t, 2)
	a := invalidates(t, nodes[0], "a", []event.Target{event.Tag("a:1")})
	b := invalidates(t, nodes[1], "b", []event.Target{event.Tag("b:1")})
	all := hear(t, nodes[0], "all")
	must[event.Token](t)(nodes[0].Invalidate(t.Context(), event.Tag("user:ann")))
	chains := map[string]int{}
	for range 5 {
		chains[strings.Join(take(t, "an event", all).Receivers(), " ")]++
	}
	for _, chain := range []string{"", "a", "b", "a b", "b a"} {
		if chains[chain] != 1 {
			t.Errorf("events by chain: %v", chains)
		}
	}
	sayLast(t, nodes[0])
	if heard := history(t, a); len(heard) != 2 {
		t.Errorf("a was called with %+v", heard)
	}
	if heard := history(t, b); len(heard) != 2 {
		t.Errorf("b was called with %+v", heard)
	}
}

func TestAChainOfReceiversEndsAtItsBound(t *testing.T) {
	t.Parallel()
	var lines syncBuffer
	n := one(t, lethe.Config{Logger: slog.New(slog.NewTextHandler(&lines, nil))})
	const most = 8
	heard := make([]<-chan event.Event, most+2)
	name := func(i int) string { return fmt.Sprintf("f.r%d", i) }
	for i := range heard {
		heard[i] = invalidates(t, n, fmt.Sprint("r", i), []event.Target{event.Function(name(i + 1))}, lethe.ForFunctions(name(i)))
	}
	b := newBook()
	f := lethe.Memoize(n, event.Name[string](name(most+1)), b.load)
	must[int](t)(f.Get(t.Context(), "k"))
	all := hear(t, n, "all")
	must[event.Token](t)(n.Invalidate(t.Context(), event.Function(name(0))))
	for i := range most + 1 { // for the one after these no receiver is called, not even "all"
		if e := take(t, "an event", all); e.Targets[0].Name() != name(i) || len(e.Receivers()) != i {
			t.Fatalf("event %d is %+v", i, e)
		}
	}
	until(t, "the last of the chain is applied", func() bool { _, ok := f.Peek(t.Context(), "k"); return !ok })
	sayLast(t, n)
	for i, ch := range heard {
		want := 1
		if i == most+1 {
			want = 0
		}
		if got := history(t, ch); len(got) != want {
			t.Errorf("r%d was called with %+v", i, got)
		}
	}
	if rest := history(t, all); len(rest) > 0 {
		t.Errorf("and more events: %+v", rest)
	}
	if !strings.Contains(lines.String(), "too long a chain") {
		t.Error("nothing says that the chain was cut")
	}
}

// syncBuffer is a log.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func TestAOncePerFleetReceiverIsNotCalledForWhatItInvalidates(t *testing.T) {
	t.Parallel()
	nodes := lethetest.Fleet(t, 2)
	calls := make(chan event.Event, 10_000)
	for _, n := range nodes {
		share(t, n, "once", func(ctx context.Context, e event.Event) error {
			defer func() { calls <- e }()
			if e.Reason == last {
				return nil
			}
			_, err := n.Publish(ctx, event.Event{Source: "/test", Targets: []event.Target{event.Tag("user:bob")}})
			return err
		})
	}
	all := hear(t, nodes[0], "all")
	ctx := event.WithReason(event.WithActor(t.Context(), "user", "ann"), "prices")
	must[event.Token](t)(nodes[0].Invalidate(ctx, event.Tag("user:ann")))
	first, second := take(t, "the event", all), take(t, "its consequence", all)
	if second.Extensions["causationid"] != first.ID || !slices.Equal(second.Receivers(), []string{"once"}) ||
		second.ActorID != "ann" || second.Reason != "prices" {
		t.Errorf("%+v is no consequence of %s", second, first.ID)
	}
	sayLast(t, nodes[0])
	if heard := history(t, calls); len(heard) != 1 || heard[0].ID != first.ID {
		t.Errorf("it was called with %+v", heard)
	}
}

// Many invalidate at once what a receiver invalidates too: an event of group commit is a consequence of one event or of none.
func TestEventsOfDifferentCausesAreNotJoined(t *testing.T) {
	t.Parallel()
	n := one(t)
	all := hear(t, n, "all")
	const many = 100
	ours := event.WithCause(t.Context(), event.Event{ID: "one"}, "r")
	theirs := event.WithCause(t.Context(), event.Event{ID: "two"}, "r")
	causes := map[string]context.Context{"": t.Context(), "one": ours, "two": theirs}
	var wg sync.WaitGroup
	for cause, ctx := range causes {
		for i := range many {
			wg.Go(func() {
				if _, err := n.Invalidate(ctx, event.Key("f", cause, i), event.Key("f", "of all", i)); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
	sayLast(t, n)
	targets := map[string]int{}
	for _, e := range history(t, all) {
		cause := e.Extensions["causationid"]
		for _, target := range e.Targets {
			targets[cause]++
			if args := string(target.Args()); !strings.HasPrefix(args, `["of all"`) && !strings.HasPrefix(args, `["`+cause+`"`) {
				t.Errorf("%v is said on account of %q", target, cause)
			}
		}
		if got := e.Receivers(); (cause == "") != (got == nil) {
			t.Errorf("cause %q with receivers %q", cause, got)
		}
	}
	for cause := range causes {
		if targets[cause] != 2*many {
			t.Errorf("%d targets on account of %q, want %d", targets[cause], cause, 2*many)
		}
	}
}
