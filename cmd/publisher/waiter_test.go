package main

import (
	"bytes"
	"context"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/lethe-cache/lethe/cmd/internal/cmdtest"
	"github.com/lethe-cache/lethe/cmd/internal/ctl"
	"github.com/lethe-cache/lethe/pkg/embedded"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

func TestATerminalIsToldWhoIsWaitedForAndAFileIsNot(t *testing.T) {
	t.Parallel()
	srv, err := embedded.Start(t.Context(), embedded.Config{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = srv.Close() })
	open := func(cfg lethe.Config, opts ...nats.Option) *lethe.Node {
		t.Helper()
		conn, err := nats.Connect(srv.URL(), append(opts, nats.MaxReconnects(-1), nats.Timeout(cmdtest.Patience))...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(conn.Close)
		cfg.Conn, cfg.Fleet = conn, "shop"
		n, err := lethe.Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = n.Close() })
		ctx, cancel := context.WithTimeout(t.Context(), cmdtest.Patience)
		defer cancel()
		if err := n.Ready(ctx); err != nil {
			t.Fatal(err)
		}
		return n
	}
	var link cmdtest.Link
	open(lethe.Config{Name: "one"})
	open(lethe.Config{Name: "two"}, link.Option())
	asker := open(lethe.Config{PublishOnly: true})
	t.Cleanup(link.Thaw)
	link.Freeze()
	token, err := asker.Invalidate(t.Context(), event.All())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), cmdtest.Patience)
	defer cancel()
	var terminal, file cmdtest.Log
	var wg sync.WaitGroup
	for w, is := range map[*cmdtest.Log]bool{&terminal: true, &file: false} {
		wg.Go(func() {
			o := &options{fleet: "shop"}
			(&waiter{options: o, asker: asker, token: token, stderr: w, terminal: is}).tell(ctx)
		})
	}
	const want = "1 of 2 nodes have applied it, waiting for two"
	for !strings.Contains(terminal.String(), want) && ctx.Err() == nil {
		<-time.After(10 * time.Millisecond)
	}
	cancel()
	wg.Wait()
	if got := terminal.String(); !strings.Contains(got, want) || !strings.HasSuffix(got, eraseLine) {
		t.Errorf("a terminal was told %q", got)
	}
	if got := file.String(); got != "" {
		t.Errorf("a file was told %q", got)
	}
}

func TestProgressNamesFewAndNothingThatMovesTheCursor(t *testing.T) {
	t.Parallel()
	token := event.NewToken("shop", "e", 10)
	at := func(name, epoch, state string, cursor uint64) ctl.Member {
		return ctl.Member{Status: ctl.Status{Node: name, Epoch: epoch, State: state, Cursor: cursor}}
	}
	got := progress([]ctl.Member{
		at("a", "e", "current", 10), at("b", "e", "current", 9), at("c", "old", "current", 11), at("d", "e", ctl.Silent, 11), at("e\x1b[2J", "", "", 0),
	}, token)
	if got != "1 of 5 nodes have applied it, waiting for b, c, d, e·[2J" {
		t.Errorf("got %q", got)
	}
	many := make([]ctl.Member, 9)
	if got := progress(many, token); !strings.HasSuffix(got, ", 4 more") {
		t.Errorf("got %q", got)
	}
}

func TestOnlyACharacterDeviceIsATerminal(t *testing.T) {
	t.Parallel()
	f, err := os.CreateTemp(t.TempDir(), "x")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if isTerminal(f) || isTerminal(&bytes.Buffer{}) {
		t.Error("a file counts as a terminal")
	}
}
