package bus_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/lethe-cache/lethe/internal/bus"
	"github.com/lethe-cache/lethe/pkg/event"
)

// played is a stream that the test plays on a server without JetStream: it stores, and answers STREAM.INFO while it is not mute.
type played struct {
	url    string
	seq    atomic.Uint64
	mute   atomic.Bool
	silent atomic.Bool  // it does not answer what is published
	asked  atomic.Int64 // for STREAM.INFO

	mu      sync.Mutex // guards config
	config  map[string]any
	updates []map[string]json.RawMessage
}

func play(t *testing.T) *played {
	t.Helper()
	srv, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
	if !srv.ReadyForConnections(patience) {
		t.Fatal("the server does not start")
	}
	nc := dial(t, srv.ClientURL())
	name := event.StreamName(fleet)
	p := &played{url: srv.ClientURL(), config: map[string]any{
		"name": name, "subjects": []string{event.LogSubject(fleet, ">")}, "allow_direct": true, "deny_delete": true,
		"deny_purge": true, "max_msgs_per_subject": -1, "retention": "limits", "storage": "file",
		"metadata":  map[string]string{"lethe-epoch": "played1", "lethe-horizon": "10s"},
		"republish": map[string]string{"src": event.LogSubject(fleet, ">"), "dest": event.LiveSubject(fleet, ">")},
	}}
	p.seq.Store(1000)
	answer := func(subject string, say func(m *nats.Msg) any) {
		if _, err := nc.Subscribe(subject, func(m *nats.Msg) {
			v := say(m)
			if v == nil {
				return
			}
			body, err := json.Marshal(v)
			if err == nil {
				err = m.Respond(body)
			}
			if err != nil {
				t.Error(err)
			}
		}); err != nil {
			t.Fatal(err)
		}
	}
	answer(event.LogSubject(fleet, ">"), func(*nats.Msg) any {
		if p.silent.Load() {
			return nil
		}
		return map[string]any{"stream": name, "seq": p.seq.Add(1)}
	})
	answer("$JS.API.STREAM.INFO."+name, func(*nats.Msg) any {
		p.asked.Add(1)
		if p.mute.Load() {
			return nil
		}
		return p.info()
	})
	answer("$JS.API.STREAM.UPDATE."+name, func(m *nats.Msg) any {
		var raw map[string]json.RawMessage
		var config map[string]any
		if err := errors.Join(json.Unmarshal(m.Data, &raw), json.Unmarshal(m.Data, &config)); err != nil {
			t.Error(err)
		}
		p.mu.Lock()
		p.updates, p.config = append(p.updates, raw), config
		p.mu.Unlock()
		return p.info()
	})
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *played) info() any {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	return map[string]any{"config": p.config, "ts": now, "state": map[string]any{"first_seq": 1, "last_seq": p.seq.Load(), "last_ts": now}}
}

// within calls Invalidate with a patience that nothing of the bus needs, and returns its error.
func invalidateWithin(t *testing.T, n *node, target event.Target) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err := n.Invalidate(ctx, []event.Target{target})
	if ctx.Err() != nil {
		t.Fatalf("%s waits for ever: %v", target, err)
	}
	return err
}

// 1. A bus that does not know its stream yet stores an event, and has to ask for the epoch that its token is of.
// 2. That answer is lost.
// 3. Everything that is invalidated on the same subject queues behind the question.
func TestALostAnswerBlocksNoSubject(t *testing.T) {
	t.Parallel()
	p := play(t)
	p.mute.Store(true)
	n := open(t, dial(t, p.url), asPublisher)
	price := event.Name[string]("catalog.price")
	if err := invalidateWithin(t, n, price.Key("sku-1")); !errors.Is(err, bus.ErrNotPublished) {
		t.Errorf("while nobody answers: %v", err)
	}
	p.mute.Store(false)
	ready(t, n)
	if err := invalidateWithin(t, n, price.Key("sku-2")); err != nil {
		t.Errorf("when all is well: %v", err)
	}
}

// The answer to a question that was asked on a connection that has broken never comes: it ends then, and not with its time.
func TestAnOpenQuestionEndsWithItsConnection(t *testing.T) {
	t.Parallel()
	p := play(t)
	nc := dial(t, p.url)
	n := open(t, nc, asPublisher)
	ready(t, n)
	p.mute.Store(true)
	asked, ended := p.asked.Load(), make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour) // only the connection ends it
		defer cancel()
		ended <- bus.Ask(ctx, n.Bus)
	}()
	eventually(t, "the question is there", func() bool { return p.asked.Load() > asked })
	if err := nc.ForceReconnect(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if !errors.Is(err, bus.ErrBroken) {
			t.Errorf("it ended with %v", err)
		}
	case <-time.After(time.Minute):
		t.Fatal("it never ended")
	}
}

func TestReadyAndWaitSayAtOnceThatTheConnectionHasGivenUp(t *testing.T) {
	t.Parallel()
	srv := serverOnTCP(t, t.TempDir())
	nc, err := nats.Connect(srv.URL(), nats.MaxReconnects(2), nats.ReconnectWait(10*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	n := open(t, nc, func(c *bus.Config) { c.MaxStaleness = 5 * time.Second })
	ready(t, n)
	last := invalidate(t, n, "a:1")
	never := event.NewToken(fleet, last.Epoch(), last.Sequence()+1000)
	waited := make(chan error, 1)
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	go func() { waited <- n.Wait(ctx, never) }()
	srv.stop()
	eventually(t, "it has given up", nc.IsClosed)
	eventually(t, "the lease has ended", func() bool { return !n.leased() })
	told := make(chan error, 1)
	go func() { told <- n.Ready(ctx) }()
	for what, c := range map[string]chan error{"Ready": told, "Wait": waited} {
		select {
		case err := <-c:
			if !errors.Is(err, bus.ErrNotReady) || !errors.Is(err, nats.ErrConnectionClosed) {
				t.Errorf("%s: %v", what, err)
			}
		case <-time.After(time.Minute):
			t.Fatalf("%s: nothing is said", what)
		}
	}
	if err := invalidateWithin(t, n, event.Tag("a:2")); !errors.Is(err, nats.ErrConnectionClosed) {
		t.Errorf("Invalidate: %v", err)
	}
	if err := n.Status().Err; !errors.Is(err, nats.ErrConnectionClosed) {
		t.Errorf("Status: %v", err)
	}
	srv.start()
}

// Publish, Invalidate and Close at once: no goroutine begins behind the wait for all, and all callers get an answer.
func TestPublishingWhileClosing(t *testing.T) {
	t.Parallel()
	srv := serve(t)
	if _, err := bus.Ensure(t.Context(), connect(t, srv), fleet, bus.EnsureOptions{}); err != nil {
		t.Fatal(err)
	}
	nc, base := connect(t, srv), time.Now()
	for i := range 100 {
		b, err := bus.Open(t.Context(), bus.Config{
			Conn: nc, Fleet: fleet, Source: "/lethe/shop/closing", PublishOnly: true, Logger: slog.New(slog.DiscardHandler),
			Now: func() int64 { return int64(time.Since(base)) + 1 },
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		id, begun := event.NewID(), make(chan struct{}, 64)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() { // the same id again: each needs a tick besides
				for range 30 {
					begun <- struct{}{}
					if _, err := b.Publish(t.Context(), event.Event{ID: id, Source: "/x", Targets: []event.Target{event.Tag("a:b")}}); err != nil {
						return
					}
				}
			})
		}
		wg.Go(func() {
			for k := range 30 {
				begun <- struct{}{}
				if _, err := b.Invalidate(t.Context(), []event.Target{event.Tag(fmt.Sprintf("a:%d", k))}); err != nil {
					return
				}
			}
		})
		for range 1 + i%20 {
			<-begun
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() { wg.Wait(); close(ended) }()
		for open := true; open; {
			select {
			case <-begun:
			case <-ended:
				open = false
			case <-time.After(time.Minute):
				t.Fatal("a caller got no answer")
			}
		}
	}
}
