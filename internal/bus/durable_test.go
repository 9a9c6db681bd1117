package bus_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/lethe-cache/lethe/internal/bus"
	"github.com/lethe-cache/lethe/pkg/embedded"
	"github.com/lethe-cache/lethe/pkg/event"
)

// durable joins the consumer of the receiver "r" with these filters.
func durable(n *node, filters string, subjects ...string) *bus.Durable {
	return n.OpenDurable(bus.DurableConfig{
		Receiver: "r", Subjects: subjects, Filters: filters, Version: "v1", AckWait: 5 * time.Second, CheckEvery: 200 * time.Millisecond,
	})
}

// taken is what a Durable hands out, each acknowledged, as the name of its target, or why events were lost.
type taken struct {
	names  chan string
	unsure map[string]bool // by event: told, and the server has not said in time that it is done
}

func newTaken() taken { return taken{make(chan string, 1000), map[string]bool{}} }

// done tells the server, and the test: once, also where the server's answer was late and the message comes again.
func (c taken) done(ctx context.Context, d *bus.Durable, h *bus.Handed, name string) {
	told := c.unsure[h.ID]
	c.unsure[h.ID] = d.Done(ctx, h) != nil
	if !told {
		c.names <- name
	}
}

// take takes messages until ctx ends. Of events only those pass whose tag begins with one of the prefixes.
func take(t *testing.T, d *bus.Durable, prefixes ...string) taken {
	t.Helper()
	out := newTaken()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	t.Cleanup(func() { cancel(); <-ended })
	go func() {
		defer close(ended)
		defer d.Close()
		for {
			h, err := d.Next(ctx)
			if err != nil {
				return
			}
			name := h.Targets[0].Name()
			if h.Type == event.TypeReset {
				name = "reset: " + h.Reason
			}
			passes := len(prefixes) == 0 || h.Type == event.TypeReset
			for _, p := range prefixes {
				passes = passes || strings.HasPrefix(name, p)
			}
			if !passes {
				_ = d.Skip(ctx, h)
				continue
			}
			out.done(ctx, d, h, name)
		}
	}()
	return out
}

func (c taken) want(t *testing.T, want string) {
	t.Helper()
	select {
	case got := <-c.names:
		if got != want && (!strings.HasSuffix(want, "…") || !strings.HasPrefix(got, strings.TrimSuffix(want, "…"))) {
			t.Fatalf("%q was handed out, want %q", got, want)
		}
	case <-time.After(patience):
		t.Fatalf("not handed out: %q", want)
	}
}

func (c taken) nothing(t *testing.T) {
	t.Helper()
	select {
	case got := <-c.names:
		t.Fatalf("%q was handed out as well", got)
	case <-time.After(time.Second):
	}
}

// duo is two nodes and an admin on one server.
func duo(t *testing.T) (a, b *node, admin *nats.Conn) {
	t.Helper()
	srv, err := embedded.Start(t.Context(), embedded.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = srv.Close() })
	var conns [3]*nats.Conn
	for i := range conns {
		if conns[i], err = srv.Connect(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(conns[i].Close)
	}
	a, b = open(t, conns[0]), open(t, conns[1])
	ready(t, a, b)
	return a, b, conns[2]
}

func consumerInfo(t *testing.T, nc *nats.Conn) *jetstream.ConsumerInfo {
	t.Helper()
	c, err := jets(t, nc).Consumer(t.Context(), event.StreamName(fleet), bus.ConsumerName("r"))
	if err != nil {
		return &jetstream.ConsumerInfo{}
	}
	return c.CachedInfo()
}

func attached(t *testing.T, d *bus.Durable) {
	t.Helper()
	eventually(t, "it takes messages", d.Attached)
}

func TestOfTwoVersionsOfAReceiverTheYoungerHasTheSayAsLongAsItRuns(t *testing.T) {
	t.Parallel()
	a, b, admin := duo(t)
	older := durable(a, "tags a", "all", "tag.a")
	old := take(t, older, "a:")
	attached(t, older)
	invalidate(t, b, "a:1")
	old.want(t, "a:1")

	ctx, leave := context.WithCancel(t.Context())
	younger := durable(b, "tags a,b", "all", "tag.a", "tag.b")
	got := newTaken()
	left := make(chan struct{})
	go func() {
		defer close(left)
		defer younger.Close()
		for {
			h, err := younger.Next(ctx)
			if err != nil {
				return
			}
			got.done(ctx, younger, h, h.Targets[0].Name())
		}
	}()
	eventually(t, "the filters are the younger's", func() bool {
		return consumerInfo(t, admin).Config.Metadata["lethe-filters"] == "tags a,b"
	})
	for i := range 10 {
		invalidate(t, a, "b:"+strconv.Itoa(i)) // the older one may be handed it: it may not pass it by
	}
	for i := range 10 {
		got.want(t, "b:"+strconv.Itoa(i))
	}
	eventually(t, "the older stands by", func() bool { return !older.Attached() })
	leave()
	<-left
	eventually(t, "the older takes over", func() bool {
		return older.Attached() && consumerInfo(t, admin).Config.Metadata["lethe-filters"] == "tags a"
	})
	invalidate(t, b, "a:2")
	old.want(t, "a:2")
	old.nothing(t)
}

func TestWhatWasHandledIsNotedSoThatAHeadThatIsGoneIsNoLoss(t *testing.T) {
	t.Parallel()
	a, _, admin := duo(t)
	d := durable(a, "tags a", "all", "tag.a")
	got := take(t, d)
	attached(t, d)
	invalidate(t, a, "a:1")
	got.want(t, "a:1")
	first := throughOf(t, admin)
	for i := range 300 {
		invalidate(t, a, "other:"+strconv.Itoa(i))
	}
	last := a.Status().Cursor
	eventually(t, "what was handled is noted", func() bool { return throughOf(t, admin) >= last-64 })
	// The server's floor stays behind: for it nothing of this receiver has happened since.
	if floor := consumerInfo(t, admin).AckFloor.Stream; floor >= last-64 || first >= last-64 {
		t.Fatalf("the floor is %d, the note was %d, of %d: this shows nothing", floor, first, last)
	}
	js := jets(t, admin)
	s, err := js.Stream(t.Context(), event.StreamName(fleet))
	if err != nil {
		t.Fatal(err)
	}
	cfg := s.CachedInfo().Config
	cfg.MaxMsgs = 150 // more than what is not noted yet, and ticks that come meanwhile
	if _, err := js.UpdateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	fresh := durable(a, "tags a", "all", "tag.a") // as after a restart
	again := take(t, fresh)
	attached(t, fresh)
	got.nothing(t)
	again.nothing(t)
}

func throughOf(t *testing.T, nc *nats.Conn) uint64 {
	t.Helper()
	n, _ := strconv.ParseUint(consumerInfo(t, nc).Config.Metadata["lethe-through"], 10, 64)
	return n
}

func TestANodeThatKnewTheConsumerBeforeTellsThatItWasMadeAnew(t *testing.T) {
	t.Parallel()
	a, b, admin := duo(t)
	d := durable(a, "tags a", "all", "tag.a")
	got := take(t, d)
	attached(t, d)
	// 1. It is removed, and somebody makes it who does not know that it was there.
	if err := jets(t, admin).DeleteConsumer(t.Context(), event.StreamName(fleet), bus.ConsumerName("r")); err != nil {
		t.Fatal(err)
	}
	stranger := durable(b, "tags a", "all", "tag.a")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer stranger.Close()
		for {
			h, err := stranger.Next(ctx)
			if err != nil {
				return
			}
			if err := stranger.Done(ctx, h); err == nil {
				got.names <- "reset: " + h.Reason
			}
		}
	}()
	// 2. Whoever made it, exactly one is told.
	got.want(t, "reset: the consumer was …")
	got.nothing(t)
	cancel()
	<-ended
}

func TestWhatAReceiverIsOwedIsToldByWhoeverComes(t *testing.T) {
	t.Parallel()
	a, _, admin := duo(t)
	// As a node leaves it that dies when it has made the consumer anew.
	_, err := jets(t, admin).CreateConsumer(t.Context(), event.StreamName(fleet), jetstream.ConsumerConfig{
		Durable: bus.ConsumerName("r"), AckPolicy: jetstream.AckExplicitPolicy, MaxAckPending: 1, FilterSubjects: []string{"lethe.v1.log.shop.tag.a"},
		Metadata: map[string]string{
			"lethe-receiver": "r", "lethe-filters": "tags a", "lethe-epoch": a.Status().Epoch,
			"lethe-through": fmt.Sprint(a.Status().Cursor), "lethe-owes": "the consumer was removed",
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	d := durable(a, "tags a", "all", "tag.a")
	got := take(t, d)
	got.want(t, "reset: the consumer was removed")
	got.nothing(t)
	if owes := consumerInfo(t, admin).Config.Metadata["lethe-owes"]; owes != "" {
		t.Errorf("it still owes %q", owes)
	}
}

func TestAConsumerOfAnotherEpochIsALoss(t *testing.T) {
	t.Parallel()
	a, _, admin := duo(t)
	d := durable(a, "tags a", "all", "tag.a")
	got := take(t, d)
	attached(t, d)
	js := jets(t, admin)
	s, err := js.Stream(t.Context(), event.StreamName(fleet))
	if err != nil {
		t.Fatal(err)
	}
	cfg := s.CachedInfo().Config
	cfg.Metadata["lethe-epoch"] = "restoredfromafar"
	if _, err := js.UpdateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	got.want(t, "reset: the stream is another")
	got.nothing(t)
	invalidate(t, a, "a:1")
	got.want(t, "a:1")
}

func TestWhatTheServerHasHandedOutWhenANodeLeavesIsGivenBackAtOnce(t *testing.T) {
	t.Parallel()
	a, b, _ := duo(t)
	for i := range 20 {
		d := a.OpenDurable(bus.DurableConfig{Receiver: "r", Subjects: []string{"tag.a"}, Filters: "a", Version: "v", AckWait: time.Hour, CheckEvery: time.Minute})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			defer d.Close()
			for {
				h, err := d.Next(ctx)
				if err != nil {
					return
				}
				d.Again(h, 0) // and then it goes
			}
		}()
		attached(t, d)
		invalidate(t, b, "a:"+strconv.Itoa(i))
		cancel()
		<-ended
	}
	// With AckWait of an hour, whatever is kept by one that left never comes.
	last := take(t, b.OpenDurable(bus.DurableConfig{Receiver: "r", Subjects: []string{"tag.a"}, Filters: "a", Version: "v", AckWait: time.Hour, CheckEvery: time.Minute}))
	for i := range 20 {
		last.want(t, "a:"+strconv.Itoa(i))
	}
}

func TestAReceiversTokenIsALegalTokenAndNeverAnothersName(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, name := range []string{
		"cdn", "CDN", "a.b", "a*", "a>", "a b", "ä", strings.Repeat("x", 48), strings.Repeat("x", 49), strings.Repeat("x", 128), "=x", "again", "mail_1-2", "",
	} {
		token := bus.ReceiverToken(name)
		if token == "" || len(token) > 48 || strings.ContainsAny(token, " .*>\t\r\n/\\") || strings.ToLower(token) != token {
			t.Errorf("%q: %q", name, token)
		}
		if other, dup := seen[token]; dup {
			t.Errorf("%q and %q are both %q", name, other, token)
		}
		seen[token] = name
	}
	if bus.ReceiverToken("cdn") != "cdn" || bus.ReceiverToken("CDN")[0] != '=' {
		t.Error("a plain name is itself, another is not")
	}
}
