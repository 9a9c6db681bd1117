package outbox_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/lethe-cache/lethe/internal/bus"
	"github.com/lethe-cache/lethe/pkg/embedded"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/outbox"
)

const fleet = "shop"

// station is a node that only publishes, on a real server, as a program beside a database has it.
type station struct {
	*bus.Bus
	nc *nats.Conn

	mu     sync.Mutex // guards what follows
	forgot []event.Target
	refuse func(event.Event) error // instead of publishing; nil = nothing is refused
	sent   int
}

func (s *station) Stream() (name, epoch string) { return fleet, s.Status().Epoch }

func (s *station) Forget(targets ...event.Target) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forgot = append(s.forgot, targets...)
}

func (s *station) Publish(ctx context.Context, events ...event.Event) (event.Token, error) {
	s.mu.Lock()
	refuse := s.refuse
	s.sent += len(events)
	s.mu.Unlock()
	if refuse != nil {
		for _, e := range events {
			if err := refuse(e); err != nil {
				return event.Token{}, err
			}
		}
	}
	return s.Bus.Publish(ctx, events...)
}

func (s *station) refuses(why func(event.Event) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse = why
}

// serve starts a server in this process.
func serve(t testing.TB) *embedded.Server {
	t.Helper()
	srv, err := embedded.Start(t.Context(), embedded.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = srv.Close() })
	return srv
}

func connect(t testing.TB, srv *embedded.Server) *nats.Conn {
	t.Helper()
	nc, err := srv.Connect()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// settle opens a station on nc and waits until it knows its stream, which is made where there is none: a publisher makes none.
func settle(t testing.TB, nc *nats.Conn) *station {
	t.Helper()
	provide(t, nc)
	s := unsettled(t, nc)
	if err := s.Ready(patient(t)); err != nil {
		t.Fatal(err)
	}
	return s
}

// provide makes the fleet's stream where there is none.
func provide(t testing.TB, nc *nats.Conn) {
	t.Helper()
	_, err := bus.Inspect(patient(t), nc, fleet)
	if errors.Is(err, bus.ErrNoStream) {
		_, err = bus.Ensure(patient(t), nc, fleet, bus.EnsureOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
}

func unsettled(t testing.TB, nc *nats.Conn) *station {
	t.Helper()
	base := time.Now()
	b, err := bus.Open(t.Context(), bus.Config{
		Conn: nc, Fleet: fleet, Name: "writer", Source: "/lethe/shop/writer", PublishOnly: true,
		Now: func() int64 { return int64(time.Since(base)) + 1 }, Logger: logger(t),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return &station{Bus: b, nc: nc}
}

// logger writes to the test.
func logger(t testing.TB) *slog.Logger { return slog.New(slog.NewTextHandler(logTo{t}, nil)) }

type logTo struct{ t testing.TB }

func (l logTo) Write(p []byte) (int, error) {
	if l.t.Context().Err() == nil { // what is said while the test ends is nobody's
		l.t.Logf("%s", p)
	}
	return len(p), nil
}

// start runs a relay, with quick times where t has none.
func start(t testing.TB, db *sql.DB, p outbox.Publisher, change ...func(*setting)) *outbox.Relay {
	t.Helper()
	s := setting{cfg: outbox.RelayConfig{Logger: logger(t)}}
	for _, c := range change {
		c(&s)
	}
	r, err := outbox.StartRelayWith(t.Context(), db, p, s.cfg, s.times, s.hooks)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

type setting struct {
	cfg   outbox.RelayConfig
	times outbox.Times
	hooks outbox.Hooks
}

// heard is what the fleet's stream holds, in its order.
func heard(t testing.TB, nc *nats.Conn) []event.Received {
	t.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	s, err := js.Stream(patient(t), event.StreamName(fleet))
	if err != nil {
		t.Fatal(err)
	}
	info := s.CachedInfo().State
	var all []event.Received
	for seq := info.FirstSeq; seq <= info.LastSeq && info.Msgs > 0; seq++ {
		m, err := s.GetMsg(patient(t), seq)
		if err != nil {
			t.Fatal(err)
		}
		got := event.Decode(fleet, m.Subject, m.Header, m.Data)
		if got.Sys != "" {
			continue
		}
		if id := m.Header.Get("Nats-Msg-Id"); id != got.ID {
			t.Errorf("message id %q of event %q", id, got.ID)
		}
		all = append(all, got)
	}
	return all
}

// said is heard as text: the targets, one event a line.
func said(t testing.TB, nc *nats.Conn) []string {
	t.Helper()
	var lines []string
	for _, got := range heard(t, nc) {
		lines = append(lines, fmt.Sprint(got.Targets))
	}
	return lines
}

func mustWait(t testing.TB, r *outbox.Relay, ticket outbox.Ticket) event.Token {
	t.Helper()
	token, err := r.Wait(patient(t), ticket)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// drained waits until nothing is left to be published.
func drained(t testing.TB, r *outbox.Relay) {
	t.Helper()
	r.Wake()
	eventually(t, "the outbox is empty", func() bool {
		s, err := r.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return s.Depth == 0
	})
}

func (s *station) forgotten() []event.Target {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]event.Target(nil), s.forgot...)
}

func (s *station) sends() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sent
}

// lastEvent is the position of the last one that is no tick.
func lastEvent(t testing.TB, nc *nats.Conn) (last uint64) {
	t.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	s, err := js.Stream(patient(t), event.StreamName(fleet))
	if err != nil {
		t.Fatal(err)
	}
	for seq := s.CachedInfo().State.LastSeq; ; seq-- {
		m, err := s.GetMsg(patient(t), seq)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(m.Subject, "._sys.") {
			return seq
		}
	}
}

func sorted(lines []string) []string {
	slices.Sort(lines)
	return lines
}

// guard is a server with users.
type guard struct{ url string }

// guarded has an admin, who may do all, and a narrow user who may announce tags of users only.
func guarded(t testing.TB) guard {
	t.Helper()
	srv, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true,
		Users: []*server.User{
			{Username: "admin", Password: "admin"},
			{Username: "narrow", Password: "narrow", Permissions: &server.Permissions{
				Publish: &server.SubjectPermission{Allow: []string{
					"lethe.v1.log.shop.tag.user", "lethe.v1.log.shop._sys.tick", "$JS.API.STREAM.>", "$JS.API.INFO",
				}},
				Subscribe: &server.SubjectPermission{Allow: []string{"_INBOX.>"}},
			}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	t.Cleanup(func() {
		srv.Shutdown()
		srv.WaitForShutdown()
	})
	if !srv.ReadyForConnections(patience) {
		t.Fatal("the server does not start")
	}
	return guard{srv.ClientURL()}
}

func (g guard) as(t testing.TB, user string) *nats.Conn {
	t.Helper()
	nc, err := bus.Dial(g.url, logger(t), nats.UserInfo(user, user))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

func closed(t testing.TB, r *outbox.Relay) {
	t.Helper()
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
}
