package bus_test

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/lethe-cache/lethe/internal/bus"
	"github.com/lethe-cache/lethe/pkg/event"
)

func jets(t *testing.T, nc *nats.Conn) jetstream.JetStream {
	t.Helper()
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(patience))
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// serves checks that the nodes work together again.
func serves(t *testing.T, nodes ...*node) {
	t.Helper()
	name := "check:" + event.NewID()
	for _, n := range nodes {
		eventually(t, "a connection", n.nc.IsConnected)
	}
	fences := make([]int, len(nodes))
	for i, n := range nodes {
		fences[i] = n.fenced()
	}
	token := invalidate(t, nodes[0], name)
	wait(t, token, nodes...)
	for i, n := range nodes {
		if n.forgot(name) == 0 && n.fenced() == fences[i] { // a Reset covers what its answer counts
			t.Errorf("node %d: %s is reached and was never applied", i, name)
		}
		eventually(t, "a lease", n.leased)
	}
}

func aRestartedServerKeepsItsStreamAndNothingIsMissed(t *testing.T, w way) {
	srv := serverOnTCP(t, t.TempDir())
	a, b := w.open(t, dial(t, srv.URL())), w.open(t, dial(t, srv.URL()))
	ready(t, a, b)
	epoch := a.Status().Epoch
	invalidate(t, a, "a:1")
	srv.stop()
	srv.start()
	serves(t, a, b)
	comesLive(t, a, b)
	if got := b.Status().Epoch; got != epoch {
		t.Errorf("epoch %s, was %s", got, epoch)
	}
	if len(b.causes()) != 1 {
		t.Errorf("resets %v: the stream is the same", b.causes())
	}
}

func aMemoryStreamThatIsGoneWithItsServerIsANewEpoch(t *testing.T, w way) {
	srv := serverOnTCP(t, "")
	admin := dial(t, srv.URL())
	if _, err := bus.Ensure(t.Context(), admin, fleet, bus.EnsureOptions{Memory: true, Consumer: w.consumer()}); err != nil {
		t.Fatal(err)
	}
	a, b := w.open(t, dial(t, srv.URL())), w.open(t, dial(t, srv.URL()))
	ready(t, a, b)
	before := invalidate(t, a, "a:1")
	fences := b.fenced()
	srv.stop()
	srv.start()
	serves(t, a, b)
	comesLive(t, a, b)
	if s := b.Status(); s.Epoch == before.Epoch() || s.Resets["epoch"] == 0 || b.fenced() < fences+2 {
		t.Errorf("epoch %s after %s, resets %v, %d fences more", s.Epoch, before.Epoch(), s.Resets, b.fenced()-fences)
	}
	if s := b.Status(); s.Cursor <= before.Sequence() {
		t.Errorf("numbers begin at %d again, %d was given before", s.Cursor, before.Sequence())
	}
	wait(t, before, a, b) // of an epoch that is gone: past, once a lease says so
}

func aStreamThatIsDeletedIsMadeAnew(t *testing.T, w way) {
	nodes := w.fleet(t, 2)
	before := invalidate(t, nodes[0], "a:1")
	if err := jets(t, nodes[0].nc).DeleteStream(t.Context(), event.StreamName(fleet)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "both are in the new epoch", func() bool {
		a, b := nodes[0].Status(), nodes[1].Status()
		return a.Epoch == b.Epoch && a.Epoch != before.Epoch()
	})
	for i, n := range nodes {
		if n.fenced() != 4 {
			t.Errorf("node %d fenced everything %d times, want 2 at the start and 2 now", i, n.fenced())
		}
	}
	serves(t, nodes...)
	comesLive(t, nodes[0], nodes[1])
	if at := nodes[1].Position(); at.Epoch() == before.Epoch() || at.Sequence() <= before.Sequence() {
		t.Errorf("position %s after %s", at, before)
	}
}

// external makes a stream as an operator would, with changes.
func external(t *testing.T, nc *nats.Conn, change ...func(*jetstream.StreamConfig)) jetstream.Stream {
	t.Helper()
	cfg := jetstream.StreamConfig{
		Name: event.StreamName(fleet), Subjects: []string{event.LogSubject(fleet, ">")},
		RePublish:   &jetstream.RePublish{Source: event.LogSubject(fleet, ">"), Destination: event.LiveSubject(fleet, ">")},
		AllowDirect: true, DenyDelete: true, DenyPurge: true, Metadata: map[string]string{"lethe-epoch": "ops1"},
	}
	for _, c := range change {
		c(&cfg)
	}
	return create(t, nc, cfg)
}

// create tries again what a server does not manage just after its last stream was deleted: it removes the empty folders
// of an account behind the answer, and a new stream's store may be about to be made there.
func create(t *testing.T, nc *nats.Conn, cfg jetstream.StreamConfig) jetstream.Stream {
	t.Helper()
	const noStore jetstream.ErrorCode = 10049
	js := jets(t, nc)
	var made jetstream.Stream
	eventually(t, "the stream is made", func() bool {
		s, err := js.CreateStream(t.Context(), cfg)
		var answer *jetstream.APIError
		if errors.As(err, &answer) && answer.ErrorCode == noStore {
			return false
		}
		if err != nil {
			t.Fatal(err)
		}
		made = s
		return true
	})
	return made
}

func asExternal(c *bus.Config) { c.External = true }

func aPurgedExternalStreamHealsOrResets(t *testing.T, w way) {
	srv := serve(t)
	admin := connect(t, srv)
	s := external(t, admin, w.stream, func(c *jetstream.StreamConfig) { c.DenyPurge = false })
	f := &faulty{}
	a, b := w.open(t, connect(t, srv), asExternal), w.open(t, connect(t, srv), asExternal, f.wrap)
	ready(t, a, b)
	f.with(func(bus.Arrival) []bus.Arrival { return nil })
	fences := b.fenced()
	invalidate(t, a, "a:1") // b does not hear it, and then it is gone
	if err := s.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "b knows that it missed something", func() bool { return b.fenced() > fences || b.forgot("a:1") > 0 })
	f.with(nil)
	serves(t, a, b)
}

func aTruncatedHeadIsAReset(t *testing.T, w way) {
	srv := serve(t)
	external(t, connect(t, srv), w.stream, func(c *jetstream.StreamConfig) { c.MaxMsgs = 3 })
	f := &faulty{}
	a, b := w.open(t, connect(t, srv), asExternal), w.open(t, connect(t, srv), asExternal, f.wrap)
	ready(t, a, b)
	f.with(func(bus.Arrival) []bus.Arrival { return nil })
	for i := range 20 {
		invalidate(t, a, tag(i))
	}
	eventually(t, "a Reset for the head", func() bool { return b.Status().Resets["head"] > 0 })
	f.with(nil)
	serves(t, a, b)
}

func anOlderStoreThatGivesNumbersAnewIsAReset(t *testing.T, w way) {
	dir, backup := t.TempDir(), t.TempDir()
	srv := serverOnTCP(t, dir)
	a, b := w.open(t, dial(t, srv.URL())), w.open(t, dial(t, srv.URL()))
	ready(t, a, b)
	invalidate(t, a, "a:1")
	srv.stop()
	if err := os.CopyFS(backup+"/copy", os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	srv.start()
	for i := range 10 {
		invalidate(t, a, tag(i))
	}
	wait(t, invalidate(t, a, "last:1"), a, b)
	lost := b.Position()
	srv.stop()
	srv.cfg.StateDir = backup + "/copy"
	srv.start()
	eventually(t, "a Reset because numbers are given anew", func() bool {
		for _, n := range []*node{a, b} {
			if r := n.Status().Resets; r["back"]+r["reused"]+r["lost"] == 0 {
				return false
			}
		}
		return true
	})
	serves(t, a, b)
	comesLive(t, a, b)
	if at := b.Position(); at.Epoch() != lost.Epoch() {
		t.Errorf("epoch %s, was %s: the test is about one epoch", at.Epoch(), lost.Epoch())
	}
}

func TestWithoutAServerOpenReturnsAndReadySaysWhy(t *testing.T) {
	t.Parallel()
	n := open(t, dial(t, "nats://127.0.0.1:1"))
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	err := n.Ready(ctx)
	if !errors.Is(err, bus.ErrNotReady) || !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("error %v", err)
	}
	t.Log(err)
	if _, err := n.Invalidate(t.Context(), []event.Target{event.Tag("a:1")}); !errors.Is(err, bus.ErrNotPublished) {
		t.Fatalf("error %v", err)
	}
	if n.leased() {
		t.Fatal("a lease from nowhere")
	}
}

func TestWhatFailedWhileTheServerWasDownIsNotSentLater(t *testing.T) {
	t.Parallel()
	srv := serverOnTCP(t, t.TempDir())
	a, b := open(t, dial(t, srv.URL())), open(t, dial(t, srv.URL()))
	ready(t, a, b)
	srv.stop()
	_, err := a.Invalidate(t.Context(), []event.Target{event.Tag("down:1")})
	if !errors.Is(err, bus.ErrNotPublished) {
		t.Fatalf("error %v", err)
	}
	gone, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if _, err := a.Invalidate(gone, []event.Target{event.Tag("down:2")}); !errors.Is(err, bus.ErrNotPublished) || !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("error %v", err)
	}
	srv.start()
	serves(t, a, b)
	if b.forgot("down:1")+b.forgot("down:2") != 0 {
		t.Fatal("sent after it had failed")
	}
}

func aLeaseEndsWithItsServer(t *testing.T, w way) {
	srv := serverOnTCP(t, t.TempDir())
	n := w.open(t, dial(t, srv.URL()), func(c *bus.Config) { c.MaxStaleness = 5 * time.Second })
	ready(t, n)
	srv.stop()
	eventually(t, "the lease ends", func() bool { return !n.leased() })
	if s := n.Status(); s.State != bus.Expired || s.Err == nil {
		t.Errorf("state %v, error %v", s.State, s.Err)
	}
	srv.start()
	serves(t, n)
}
