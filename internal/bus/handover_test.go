package bus_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"reflect"
	"runtime"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/lethe-cache/lethe/internal/bus"
	"github.com/lethe-cache/lethe/pkg/event"
)

// stuck is a log handler that blocks.
type stuck struct {
	slog.Handler
	begun, stop chan struct{}
}

func (s stuck) Handle(ctx context.Context, r slog.Record) error {
	select {
	case s.begun <- struct{}{}:
	default:
	}
	<-s.stop
	return s.Handler.Handle(ctx, r)
}

func TestALogHandlerThatBlocksHoldsUpNothing(t *testing.T) {
	t.Parallel()
	srv := serve(t)
	a := open(t, connect(t, srv))
	h := stuck{slog.NewTextHandler(io.Discard, nil), make(chan struct{}, 1), make(chan struct{})} //nolint:sloglint // a discard handler is not enabled
	t.Cleanup(func() { close(h.stop) })
	nc := connect(t, srv)
	b := open(t, nc, func(c *bus.Config) { c.Logger = slog.New(h) })
	ready(t, a, b)
	// What nobody can read is logged in the turn.
	if err := nc.Publish(event.LogSubject(fleet, "tag.user"), []byte("no event")); err != nil {
		t.Fatal(err)
	}
	select {
	case <-h.begun:
	case <-time.After(time.Minute):
		t.Fatal("nothing was logged")
	}
	for i := range 100 {
		wait(t, invalidate(t, b, tag(i)), a, b)
	}
	closed := make(chan error, 1)
	go func() { closed <- b.Close() }()
	select {
	case err := <-closed:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Fatal("Close waits for the handler")
	}
}

func TestClosedBusesLeaveNothingAtTheirConnection(t *testing.T) {
	t.Parallel()
	nc := connect(t, serve(t))
	depth, told := 0, 0
	own := func(*nats.Conn, *nats.Subscription, error) {
		told++
		depth = runtime.Callers(0, make([]uintptr, 4096))
	}
	nc.SetErrorHandler(own)
	said := errors.New("something")
	nc.ErrorHandler()(nc, nil, said)
	plain, subs := depth, nc.NumSubscriptions()
	base := time.Now()
	begin := func() *bus.Bus {
		b, err := bus.Open(t.Context(), bus.Config{
			Conn: nc, Fleet: fleet, Source: "/lethe/shop/again", PublishOnly: true, Logger: slog.New(slog.DiscardHandler),
			Now: func() int64 { return int64(time.Since(base)) + 1 },
		})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	stays := begin() // the order of opening and closing does not matter
	for range 200 {
		b := begin()
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
	}
	nc.ErrorHandler()(nc, nil, said)
	if depth > plain+1 || told != 2 {
		t.Errorf("an error passes %d calls on its way to its handler, and was told %d times", depth-plain, told-1)
	}
	if err := stays.Close(); err != nil {
		t.Fatal(err)
	}
	if reflect.ValueOf(nc.ErrorHandler()).Pointer() != reflect.ValueOf(own).Pointer() {
		t.Error("the connection has not its own error handler again")
	}
	if n := nc.NumSubscriptions(); n != subs {
		t.Errorf("%d subscriptions, %d before", n, subs)
	}
	// A handler that was set meanwhile stays.
	b := begin()
	other := func(*nats.Conn, *nats.Subscription, error) {}
	nc.SetErrorHandler(other)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if reflect.ValueOf(nc.ErrorHandler()).Pointer() != reflect.ValueOf(other).Pointer() {
		t.Error("a handler set meanwhile was taken away")
	}
}
