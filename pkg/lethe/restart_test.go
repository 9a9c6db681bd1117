package lethe_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/lethe-cache/lethe/pkg/embedded"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

// site is a server that can be stopped and started again at its address.
type site struct {
	t      *testing.T
	srv    *embedded.Server
	dir    string // "" = memory
	listen string
}

func (s *site) start() {
	s.t.Helper()
	if s.listen == "" {
		s.listen = "127.0.0.1:0"
	}
	var err error
	ctx := within(s.t)
	until(s.t, "the server starts at its address", func() bool {
		s.srv, err = embedded.Start(ctx, embedded.Config{StateDir: s.dir, Listen: s.listen})
		return err == nil
	})
	s.listen = strings.TrimPrefix(s.srv.URL(), "nats://")
}

func (s *site) stop() {
	s.t.Helper()
	if err := s.srv.Close(); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) jetstream() jetstream.JetStream {
	s.t.Helper()
	nc := must[*nats.Conn](s.t)(nats.Connect("nats://" + s.listen))
	s.t.Cleanup(nc.Close)
	return must[jetstream.JetStream](s.t)(jetstream.New(nc))
}

func TestWhateverBefallsTheServerNodesHealOrForgetAndServeNothingOlderThanTheBound(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		memory bool
		reset  bool // continuity is lost for good
		befall func(t *testing.T, s *site, w *world)
	}{
		{"restart with its files", false, false, func(_ *testing.T, s *site, _ *world) {
			s.stop()
			s.start()
		}},
		{"restart without a store", true, true, func(_ *testing.T, s *site, _ *world) {
			s.stop()
			s.start()
		}},
		{"the stream deleted and made again", false, true, func(t *testing.T, s *site, _ *world) {
			if err := s.jetstream().DeleteStream(within(t), event.StreamName("default")); err != nil {
				t.Fatal(err)
			}
		}},
		{"an older store restored", false, true, func(t *testing.T, s *site, w *world) {
			s.stop()
			old := filepath.Join(t.TempDir(), "old")
			if err := os.CopyFS(old, os.DirFS(s.dir)); err != nil {
				t.Fatal(err)
			}
			s.start()
			last := w.nodes[0].n.Status().Cursor
			until(t, "the stream goes on for a while", func() bool { return w.nodes[0].n.Status().Cursor > last+20 })
			s.stop()
			s.dir = old // its sequences will be used again
			s.start()
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := &site{t: t}
			if !tc.memory {
				s.dir = t.TempDir()
			}
			s.start()
			t.Cleanup(func() { _ = s.srv.Close() })
			w := &world{t: t, slow: brief, rest: 50 * time.Millisecond, pause: 100 * time.Millisecond, bound: 5 * time.Second, tolerant: true}
			for range 3 {
				n := must[*lethe.Node](t)(lethe.Open(t.Context(), lethe.Config{
					URL: s.srv.URL(), MaxStaleness: 5 * time.Second, MaxLoad: time.Minute,
					NATSOptions: []nats.Option{nats.CustomReconnectDelay(func(int) time.Duration { return 50 * time.Millisecond })},
				}))
				t.Cleanup(func() { _ = n.Close() })
				w.join(n)
			}
			for _, m := range w.nodes {
				if err := m.n.Ready(within(t)); err != nil {
					t.Fatal(err)
				}
			}
			resets := map[*member]uint64{}
			for _, m := range w.nodes {
				resets[m] = m.n.Status().Resets
			}
			ctx, cancel := context.WithCancel(t.Context())
			ran := make(chan struct{})
			go func() {
				defer close(ran)
				w.run(ctx, 30, 4, func() bool { return false })
			}()
			until(t, "they read and write", func() bool { return w.checked.Load() > 1000 && w.nodes[0].n.Status().Cursor > 0 })
			tc.befall(t, s, w)
			for _, m := range w.nodes {
				until(t, "the node is current", func() bool { return m.n.Status().State == lethe.Current })
				until(t, "the node has forgotten", func() bool { return !tc.reset || m.n.Status().Resets > resets[m] })
			}
			checked := w.checked.Load()
			until(t, "they read on", func() bool { return w.checked.Load() > checked+2000 })
			cancel()
			take(t, "they end", ran)
			w.tolerant = false
			w.healed()
			for _, m := range w.nodes {
				if now := m.n.Status().Resets; !tc.reset && now != resets[m] {
					t.Errorf("forgot everything %d times: nothing was lost", now-resets[m])
				}
			}
		})
	}
}
