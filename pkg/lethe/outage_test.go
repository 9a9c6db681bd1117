package lethe_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/lethe-cache/lethe/pkg/embedded"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

// withoutBus is a node that had a lease and has lost it with its bus.
func withoutBus(t *testing.T, log *journal) (*lethe.Node, event.Token) {
	t.Helper()
	srv := must[*embedded.Server](t)(embedded.Start(t.Context(), embedded.Config{}))
	t.Cleanup(func() { _ = srv.Close() })
	nc := must[*nats.Conn](t)(srv.Connect(nats.MaxReconnects(-1), nats.ReconnectBufSize(-1)))
	t.Cleanup(nc.Close)
	n := must[*lethe.Node](t)(lethe.Open(t.Context(), lethe.Config{Conn: nc, Fleet: "shop", Name: "web", MaxStaleness: 5 * time.Second, Logger: log.logger()}))
	t.Cleanup(func() { _ = n.Close() })
	if err := n.Ready(within(t)); err != nil {
		t.Fatal(err)
	}
	tok := must[event.Token](t)(n.Invalidate(t.Context(), event.All()))
	if err := n.Wait(within(t), tok); err != nil {
		t.Fatal(err)
	}
	if err := srv.Close(); err != nil {
		t.Fatal(err)
	}
	until(t, "it has lost its lease", func() bool { return n.Status().State == lethe.Expired })
	return n, tok
}

func TestANodeKnowsItselfWhileTheBusIsAway(t *testing.T) {
	t.Parallel()
	n, tok := withoutBus(t, &journal{})
	all, err := n.Nodes(within(t))
	if err != nil || names(all) != "web" || all[0].Seen != 0 || all[0].State != lethe.Expired || all[0].Err == nil || all[0].Cursor < tok.Sequence() {
		t.Errorf("it is asked who is there, and says %+v, %v", all, err)
	}
	for what, token := range map[string]event.Token{
		"what it has applied": tok, // on a stream that may be another one when it is back
		"what is yet to come": event.NewToken("shop", tok.Epoch(), tok.Sequence()+1000),
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		r, err := n.Barrier(ctx, token)
		cancel()
		if names(r.Applied) != "" || names(r.Pending) != "web" || r.Pending[0].State != lethe.Expired || r.Pending[0].Cursor < tok.Sequence() {
			t.Fatalf("%s: applied %q, pending %+v", what, names(r.Applied), r.Pending)
		}
		// That it knows itself proves nothing of the others.
		if !errors.Is(err, lethe.ErrPending) || !strings.Contains(err.Error(), "not connected to NATS") {
			t.Errorf("%s: %v", what, err)
		}
		if r.Pending[0].Seen != 0 {
			t.Errorf("%s: it has not seen itself for %v", what, r.Pending[0].Seen)
		}
	}
}

// Somebody on call reads one and the same reason wherever it stands, and what it means for those who read.
func TestReadyStatusAndTheLogGiveOneReason(t *testing.T) {
	t.Parallel()
	log := &journal{}
	n, _ := withoutBus(t, log)
	reason := n.Status().Err.Error()
	for _, part := range []string{"not connected to NATS", "reads call their loaders", "ServeStale"} {
		if !strings.Contains(reason, part) {
			t.Errorf("the reason lacks %q: %s", part, reason)
		}
	}
	why, meanwhile, _ := strings.Cut(reason, "; ")
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := n.Ready(ctx); !errors.Is(err, lethe.ErrNotReady) || !errors.Is(err, context.DeadlineExceeded) ||
		!strings.Contains(err.Error(), why) || !strings.HasSuffix(err.Error(), meanwhile) {
		t.Errorf("Ready says %v, Status %s", err, reason)
	}
	for _, line := range []string{"event=lease_lost", "event=not_ready"} {
		until(t, line, func() bool { return len(log.lines("level=WARN", line, why, meanwhile)) > 0 })
	}
	s := n.Status()
	until(t, "it has been so for longer", func() bool { return n.Status().Since > s.Since })
	if s.Since <= 0 {
		t.Errorf("it has been so for %v", s.Since)
	}
}
