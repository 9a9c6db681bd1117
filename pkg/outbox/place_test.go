package outbox_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/lethe-cache/lethe/internal/bus"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/outbox"
)

func TestASecondBusIsRefusedAndWhyIsSaid(t *testing.T) {
	conform(t, func(t *testing.T, e engine) {
		dsn, db := e.fresh(t)
		here, there := settle(t, connect(t, serve(t))), settle(t, connect(t, serve(t)))
		first := start(t, db, here, hasty)
		if err := first.Ready(patient(t)); err != nil {
			t.Fatal(err)
		}
		second := start(t, e.open(t, dsn), there, hasty)
		eventually(t, "it refuses", func() bool { return errors.Is(second.Err(), outbox.ErrOtherBus) })
		for _, say := range []string{here.Status().Epoch, there.Status().Epoch, "1m0s", "fleet shop"} {
			if !strings.Contains(second.Err().Error(), say) {
				t.Errorf("%q does not say %s", second.Err(), say)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if err := second.Ready(ctx); !errors.Is(err, outbox.ErrOtherBus) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("ready: %v", err)
		}
		ticket := e.write(t, db, true, event.Tag("user:1"))
		if _, err := second.Wait(patient(t), ticket); !errors.Is(err, outbox.ErrOtherBus) {
			t.Errorf("wait: %v", err)
		}
		mustWait(t, first, ticket)
		if first.Err() != nil || works(t, second) {
			t.Errorf("the first: %v, the second works: %v", first.Err(), works(t, second))
		}
		if n := len(said(t, there.nc)); n != 0 {
			t.Errorf("%d events on the other bus", n)
		}
	})
}

func TestWhenNobodyIsLeftOnTheOldBusItIsTakenOverAndEverythingIsAnnouncedFirst(t *testing.T) {
	conform(t, func(t *testing.T, e engine) {
		dsn, db := e.fresh(t)
		here, there := settle(t, connect(t, serve(t))), settle(t, connect(t, serve(t)))
		stopped := make(chan struct{})
		halt := make(chan struct{})
		beats := 0
		first := start(t, db, here, hasty, func(s *setting) {
			s.hooks.Beat = func() { // a process that is killed: it neither beats nor signs off
				beats++
				if beats == 6 {
					close(stopped)
					<-halt
				}
			}
		})
		mustWait(t, first, e.write(t, db, true, event.Tag("user:1")))
		<-stopped
		eventually(t, "it knows that it has not shown itself", func() bool { return !works(t, first) })
		second := start(t, e.open(t, dsn), there, hasty, func(s *setting) { s.times.Lapse = 2 * time.Second })
		ticket := e.write(t, db, true, event.Tag("user:2"))
		eventually(t, "it refuses first", func() bool { return errors.Is(second.Err(), outbox.ErrOtherBus) })
		if err := second.Ready(patient(t)); err != nil {
			t.Fatal(err)
		}
		token := mustWait(t, second, ticket)
		if diff := cmp.Diff([]string{"[*]", "[tag/user:2]"}, said(t, there.nc)); diff != "" {
			t.Error(diff)
		}
		if token.Epoch() != there.Status().Epoch {
			t.Errorf("token %s", token)
		}
		// Who comes back finds that the database has moved, and keeps still.
		close(halt)
	})
}

func TestAfterACleanRestartOnANewBusNobodyHasToWait(t *testing.T) {
	conform(t, func(t *testing.T, e engine) {
		dsn, db := e.fresh(t)
		here, there := settle(t, connect(t, serve(t))), settle(t, connect(t, serve(t)))
		first := start(t, db, here)
		mustWait(t, first, e.write(t, db, true, event.Tag("user:1")))
		if err := first.Close(); err != nil {
			t.Fatal(err)
		}
		ticket := e.write(t, db, true, event.Tag("user:2"))
		second := start(t, e.open(t, dsn), there, func(s *setting) { s.times.Lapse = time.Hour })
		mustWait(t, second, ticket)
		if diff := cmp.Diff([]string{"[*]", "[tag/user:2]"}, said(t, there.nc)); diff != "" {
			t.Error(diff)
		}
		closed(t, second)
		mustWait(t, start(t, db, there), e.write(t, db, true, event.Tag("user:3")))
		if diff := cmp.Diff([]string{"[*]", "[tag/user:2]", "[tag/user:3]"}, said(t, there.nc)); diff != "" {
			t.Error("everything is announced once a move: " + diff)
		}
	})
}

func TestWhoSawItsStreamMadeAnewTakesOverAtOnceAndAnnouncesEverythingFirst(t *testing.T) {
	conform(t, func(t *testing.T, e engine) {
		_, db := e.fresh(t)
		srv := serve(t)
		p := settleNode(t, connect(t, srv))
		r := start(t, db, p, func(s *setting) { s.times.Lapse = time.Hour })
		// Another one is alive on the old stream, and stays there.
		before := mustWait(t, r, e.write(t, db, true, event.Tag("user:1")))
		run(t, db, "INSERT INTO lethe_outbox_relays (id, fleet, epoch, beat) VALUES ('other', $1, $2, 1)", fleet, before.Epoch())
		p.refuses(func(event.Event) error { // what is written meanwhile is not published on the old one
			if p.Status().Epoch == before.Epoch() {
				return errors.New("not now")
			}
			return nil
		})
		js, err := jetstream.New(p.nc)
		if err != nil {
			t.Fatal(err)
		}
		ticket := e.write(t, db, true, event.Tag("user:2"))
		if err := js.DeleteStream(patient(t), event.StreamName(fleet)); err != nil {
			t.Fatal(err)
		}
		token := mustWait(t, r, ticket)
		if diff := cmp.Diff([]string{"[*]", "[tag/user:2]"}, said(t, p.nc)); diff != "" {
			t.Error(diff)
		}
		if token.Epoch() == before.Epoch() || token.Sequence() <= before.Sequence() {
			t.Errorf("token %s after %s", token, before)
		}
	})
}

// late is on a stream that it does not know yet, until it has published.
type late struct {
	*station
	published atomic.Bool
}

func (l *late) Stream() (name, epoch string) {
	if !l.published.Load() {
		return fleet, "gone"
	}
	return l.station.Stream()
}

func (l *late) Publish(ctx context.Context, events ...event.Event) (event.Token, error) {
	defer l.published.Store(true)
	return l.station.Publish(ctx, events...)
}

// 1. The stream is made anew; the node has not noticed.
// 2. A row is published, and stored by the new stream.
// 3. The new stream may have missed what the old one was told: everything is announced on it, and the row counts from there.
func TestARowStoredByAStreamThatWasNotKnownIsNotDoneBeforeEverythingIsAnnounced(t *testing.T) {
	conform(t, func(t *testing.T, e engine) {
		_, db := e.fresh(t)
		p := &late{station: settle(t, connect(t, serve(t)))}
		r := start(t, db, p)
		token := mustWait(t, r, e.write(t, db, true, event.Tag("user:1")))
		if diff := cmp.Diff([]string{"[tag/user:1]", "[*]"}, said(t, p.nc)); diff != "" {
			t.Error(diff)
		}
		if at, last := token.Sequence(), lastEvent(t, p.nc); at != last {
			t.Errorf("the token is %d, everything was announced at %d", at, last)
		}
	})
}

func TestWithoutAKnownBusNothingIsPublishedAndNothingIsWrong(t *testing.T) {
	conform(t, func(t *testing.T, e engine) {
		_, db := e.fresh(t)
		p := unsettled(t, lost(t))
		r := start(t, db, p, hasty)
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		if _, err := r.Wait(ctx, e.write(t, db, true, event.Tag("user:1"))); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("wait: %v", err)
		}
		if err := r.Ready(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "stream") {
			t.Errorf("ready: %v", err)
		}
		if r.Err() != nil || p.sends() != 0 {
			t.Errorf("error %v, %d sent", r.Err(), p.sends())
		}
	})
}

// lost is a connection to a server that is not there.
func lost(t testing.TB) *nats.Conn {
	t.Helper()
	nc, err := bus.Dial("nats://127.0.0.1:1", logger(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// settleNode opens a station that follows the stream: it makes one that was deleted anew.
func settleNode(t testing.TB, nc *nats.Conn) *station {
	t.Helper()
	base := time.Now()
	b, err := bus.Open(t.Context(), bus.Config{
		Conn: nc, Fleet: fleet, Name: "node", Source: "/lethe/shop/node", Handler: deaf{},
		Now: func() int64 { return int64(time.Since(base)) + 1 }, Logger: logger(t),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	if err := b.Ready(patient(t)); err != nil {
		t.Fatal(err)
	}
	return &station{Bus: b, nc: nc}
}

// deaf is a node that keeps nothing.
type deaf struct{}

func (deaf) Apply(*bus.Delivery) {}
func (deaf) FenceAll()           {}
func (deaf) ResetDone(string)    {}
func (deaf) Passed(uint64)       {}
func (deaf) Lease(int64)         {}

func TestARelayThatHasNotShownItselfPublishesNothing(t *testing.T) {
	conform(t, func(t *testing.T, e engine) {
		_, db := e.fresh(t)
		p := settle(t, connect(t, serve(t)))
		var frozen, stands atomic.Bool
		melt := make(chan struct{})
		r := start(t, db, p, hasty, func(s *setting) {
			s.hooks.Beat = func() {
				if frozen.Load() {
					stands.Store(true)
					<-melt
				}
			}
		})
		mustWait(t, r, e.write(t, db, true, event.Tag("user:1")))
		frozen.Store(true)
		eventually(t, "it knows that it has not shown itself", func() bool { return stands.Load() && !works(t, r) })
		sent := p.sends()
		ticket := e.write(t, db, true, event.Tag("user:2"))
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		if _, err := r.Wait(ctx, ticket); !errors.Is(err, context.DeadlineExceeded) || p.sends() != sent {
			t.Errorf("error %v, %d rows sent", err, p.sends()-sent)
		}
		frozen.Store(false)
		close(melt)
		mustWait(t, r, ticket)
	})
}

// plain is a publisher that tells nothing of its bus, and is told nothing.
type plain struct{ p outbox.Publisher }

func (p plain) Publish(ctx context.Context, events ...event.Event) (event.Token, error) {
	return p.p.Publish(ctx, events...)
}

func TestAPublisherThatTellsNothingOfItsBusIsNotGuarded(t *testing.T) {
	conform(t, func(t *testing.T, e engine) {
		_, db := e.fresh(t)
		p := settle(t, connect(t, serve(t)))
		for i := range 2 { // also after one that did
			r := start(t, db, plain{p})
			mustWait(t, r, e.write(t, db, true, event.Tag("user:1")))
			closed(t, r)
			if i == 0 {
				r = start(t, db, p)
				mustWait(t, r, e.write(t, db, true, event.Tag("user:2")))
				closed(t, r)
			}
		}
		if got := heard(t, p.nc); len(got) != 3 || got[0].Source != "/lethe/outbox" || got[1].Source != "/lethe/shop/outbox" {
			t.Errorf("%+v", got)
		}
	})
}
