package bus_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/lethe-cache/lethe/internal/bus"
	"github.com/lethe-cache/lethe/pkg/event"
)

func TestOfManyWhoCreateTheStreamOneWinsAndAllAdopt(t *testing.T) {
	t.Parallel()
	srv := serve(t)
	var mu sync.Mutex
	epochs := make(map[string]int)
	var wg sync.WaitGroup
	for range 8 {
		nc := connect(t, srv)
		wg.Go(func() {
			info, err := bus.Ensure(t.Context(), nc, fleet, bus.EnsureOptions{})
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			epochs[info.Epoch]++
		})
	}
	wg.Wait()
	if len(epochs) != 1 || epochs[""] != 0 {
		t.Errorf("epochs %v", epochs)
	}
}

func TestWhatIsWrongIsCorrectedAndTheEpochKept(t *testing.T) {
	t.Parallel()
	nc := connect(t, serve(t))
	external(t, nc, func(c *jetstream.StreamConfig) {
		c.RePublish, c.AllowDirect, c.DenyDelete, c.MaxMsgsPerSubject, c.MaxAge = nil, false, false, 5, 3*time.Hour
	})
	info, err := bus.Ensure(t.Context(), nc, fleet, bus.EnsureOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if info.Epoch != "ops1" || len(info.Problems) != 0 || info.Config.MaxAge != 3*time.Hour {
		t.Errorf("epoch %s, problems %v, max age %v", info.Epoch, info.Problems, info.Config.MaxAge)
	}
}

func TestWhatCanNotBeCorrectedIsNamed(t *testing.T) {
	t.Parallel()
	nc := connect(t, serve(t))
	external(t, nc, func(c *jetstream.StreamConfig) { c.Retention = jetstream.InterestPolicy })
	if _, err := bus.Ensure(t.Context(), nc, fleet, bus.EnsureOptions{}); err == nil || !strings.Contains(err.Error(), "retention") {
		t.Errorf("error %v", err)
	}
}

func TestAnExternalStreamIsCheckedAndNeverChanged(t *testing.T) {
	t.Parallel()
	srv := serve(t)
	nc := connect(t, srv)
	n := open(t, nc, asExternal)
	why := func(words ...string) {
		t.Helper()
		eventually(t, "Ready says: "+strings.Join(words, ", "), func() bool {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
			defer cancel()
			err := n.Ready(ctx)
			for _, w := range words {
				if err == nil || !errors.Is(err, bus.ErrNotReady) || !strings.Contains(err.Error(), w) {
					return false
				}
			}
			return true
		})
	}
	why("no stream", "stream init")
	s := external(t, nc, func(c *jetstream.StreamConfig) { c.RePublish, c.Metadata = nil, nil })
	why("republish is missing", "lethe-epoch is missing")
	if info, err := s.Info(t.Context()); err != nil || info.Config.RePublish != nil {
		t.Errorf("it was changed: %+v, %v", info.Config.RePublish, err)
	}
	info, err := bus.Inspect(t.Context(), nc, fleet)
	if err != nil || info.Fatal() == nil {
		t.Errorf("Inspect: %v, %v", info.Problems, err)
	}
	if _, err := bus.Ensure(t.Context(), nc, fleet, bus.EnsureOptions{}); err != nil { // as `stream init` does
		t.Fatal(err)
	}
	ready(t, n)
}

func TestInspectSaysThatThereIsNoStream(t *testing.T) {
	t.Parallel()
	if _, err := bus.Inspect(t.Context(), connect(t, serve(t)), fleet); !errors.Is(err, bus.ErrNoStream) {
		t.Errorf("error %v", err)
	}
}

func TestANodeThatOnlyPublishesGetsTokensAndHoldsNothing(t *testing.T) {
	t.Parallel()
	srv := serve(t)
	p := open(t, connect(t, srv), func(c *bus.Config) { c.PublishOnly = true; c.Handler = nil })
	n := open(t, connect(t, srv))
	ready(t, p, n)
	wait(t, invalidate(t, p, "a:1"), n)
	if n.forgot("a:1") != 1 {
		t.Errorf("applied %d times", n.forgot("a:1"))
	}
	if err := p.Wait(t.Context(), n.Position()); !errors.Is(err, bus.ErrNotReady) {
		t.Errorf("Wait: %v", err)
	}
	before := n.Status().Epoch
	if err := jets(t, n.nc).DeleteStream(t.Context(), event.StreamName(fleet)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the stream is made anew", func() bool { e := n.Status().Epoch; return e != "" && e != before && n.leased() })
	token := invalidate(t, p, "a:2") // it may not know of the new epoch: the token is of either, and both can be waited for
	wait(t, token, n)
	if n.forgot("a:2") != 1 {
		t.Errorf("waited for %s, applied %d times", token, n.forgot("a:2"))
	}
}

func TestBadConfigIsRefusedWhole(t *testing.T) {
	t.Parallel()
	_, err := bus.Open(t.Context(), bus.Config{Fleet: "No Fleet", MaxStaleness: time.Second})
	for _, word := range []string{"Conn", "Source", "Now", "Logger", "Handler", "fleet", "MaxStaleness"} {
		if err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%s is not named in: %v", word, err)
		}
	}
}

// guarded is a server on which user may do what the permissions say.
func guarded(t *testing.T, perms *server.Permissions, change ...func(*server.Options)) (admin, user *nats.Conn) {
	t.Helper()
	opts := &server.Options{
		JetStream: true, StoreDir: t.TempDir(), DontListen: true, NoSigs: true, NoLog: true,
		Users: []*server.User{{Username: "admin", Password: "a"}, {Username: "user", Password: "u", Permissions: perms}},
	}
	for _, c := range change {
		c(opts)
	}
	srv, err := server.NewServer(opts)
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
	if !srv.ReadyForConnections(patience) {
		t.Fatal("the server does not start")
	}
	conn := func(user string) *nats.Conn {
		nc, err := nats.Connect("", nats.InProcessServer(srv), nats.UserInfo(user, user[:1]))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(nc.Close)
		return nc
	}
	return conn("admin"), conn("user")
}

func TestAMissingPermissionIsNamed(t *testing.T) {
	t.Parallel()
	stream := event.StreamName(fleet)
	all := []string{"$JS.API.STREAM.INFO." + stream, "$JS.API.DIRECT.GET." + stream, event.LogSubject(fleet, ">")}
	for _, c := range []struct {
		name          string
		publish, subs []string
		want          string
	}{
		{"ticks", all[:2], []string{"_INBOX.>", event.LiveSubject(fleet, ">")}, event.LogSubject(fleet, event.SysTick)},
		{"info", all[1:], []string{"_INBOX.>", event.LiveSubject(fleet, ">")}, all[0]},
		{"live", all, []string{"_INBOX.>"}, event.LiveSubject(fleet, ">")},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			admin, user := guarded(t, &server.Permissions{
				Publish: &server.SubjectPermission{Allow: c.publish}, Subscribe: &server.SubjectPermission{Allow: c.subs},
			})
			if _, err := bus.Ensure(t.Context(), admin, fleet, bus.EnsureOptions{}); err != nil {
				t.Fatal(err)
			}
			n := open(t, user, asExternal)
			eventually(t, "Ready names "+c.want, func() bool {
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
				defer cancel()
				err := n.Ready(ctx)
				return errors.Is(err, bus.ErrNotReady) && strings.Contains(err.Error(), "permission") && strings.Contains(err.Error(), c.want)
			})
			if c.name != "live" {
				return
			}
			// It catches up by asking, and so has a lease. That it hears nothing must not stay unsaid.
			eventually(t, "a lease", n.leased)
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
			defer cancel()
			if err := n.Ready(ctx); err == nil {
				t.Error("a node that is refused the live feed is ready")
			}
		})
	}
}

func TestAPublisherWithoutPermissionHearsItAtOnce(t *testing.T) {
	t.Parallel()
	stream := event.StreamName(fleet)
	admin, user := guarded(t, &server.Permissions{
		Publish:   &server.SubjectPermission{Allow: []string{"$JS.API.STREAM.INFO." + stream, event.LogSubject(fleet, "tag.user")}},
		Subscribe: &server.SubjectPermission{Allow: []string{"_INBOX.>"}},
	})
	if _, err := bus.Ensure(t.Context(), admin, fleet, bus.EnsureOptions{}); err != nil {
		t.Fatal(err)
	}
	p := open(t, user, asExternal, func(c *bus.Config) { c.PublishOnly = true })
	ready(t, p)
	token, err := p.Invalidate(t.Context(), []event.Target{event.Tag("user:1"), event.Tag("order:1")})
	var no *bus.Refusal
	if !errors.Is(err, bus.ErrNotPublished) || !errors.As(err, &no) || !strings.Contains(err.Error(), event.LogSubject(fleet, "tag.order")) {
		t.Errorf("error %v", err)
	}
	if token.IsZero() {
		t.Error("there is no token of what was sent")
	}
}

func TestATokenIsNeverOfAnEpochItsEventIsNotIn(t *testing.T) {
	t.Parallel()
	srv := serve(t)
	admin := connect(t, srv)
	external(t, admin, func(*jetstream.StreamConfig) {})
	p := open(t, connect(t, srv), asExternal, func(c *bus.Config) { c.PublishOnly = true })
	ready(t, p)
	for i := range 5 {
		invalidate(t, p, tag(i))
	}
	if err := jets(t, admin).DeleteStream(t.Context(), event.StreamName(fleet)); err != nil {
		t.Fatal(err)
	}
	// An operator makes it anew and lets its numbers begin at 1 again.
	external(t, admin, func(c *jetstream.StreamConfig) { c.Metadata = map[string]string{"lethe-epoch": "ops2"} })
	if token := invalidate(t, p, "a:1"); token.Epoch() != "ops2" || token.Sequence() != 1 {
		t.Errorf("token %s for the first event of ops2", token)
	}
	eventually(t, "the publisher knows the new epoch", func() bool { return p.Status().Epoch == "ops2" })
	if token := invalidate(t, p, "a:2"); token.Epoch() != "ops2" || token.Sequence() != 2 {
		t.Errorf("token %s for the second event of ops2", token)
	}
}

// Who only publishes has no feed to notice it by, and the new stream's numbers are above all it has seen.
func TestWhoOnlyPublishesLearnsThatItsStreamWasMadeAnew(t *testing.T) {
	t.Parallel()
	srv := serve(t)
	n := open(t, connect(t, srv))
	ready(t, n)
	p := open(t, connect(t, srv), func(c *bus.Config) { c.PublishOnly = true })
	ready(t, p)
	before := p.Epoch()
	if err := jets(t, n.nc).DeleteStream(t.Context(), event.StreamName(fleet)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the node has made it anew", func() bool { return n.Epoch() != before && n.Epoch() != "" })
	eventually(t, "the publisher knows it", func() bool { return p.Epoch() == n.Epoch() })
	if token := invalidate(t, p, "a:1"); token.Epoch() != n.Epoch() {
		t.Errorf("token %s after the stream became %s", token, n.Epoch())
	}
}
