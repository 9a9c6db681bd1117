package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"strconv"
	"testing"
	"time"

	"github.com/lethe-cache/lethe/cmd/internal/cli"
	"github.com/lethe-cache/lethe/cmd/internal/cmdtest"
	"github.com/lethe-cache/lethe/pkg/embedded"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

func TestWatchShowsEveryEventAsItComesAndEndsWellOnASignal(t *testing.T) {
	t.Parallel()
	server, err := embedded.Start(t.Context(), embedded.Config{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	conn, err := server.Connect()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	node, err := lethe.Open(t.Context(), lethe.Config{Conn: conn, Fleet: "shop"})
	if err != nil {
		t.Fatal(err)
	}
	defer node.Close()
	if err := node.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}

	signalled, signal := context.WithCancel(t.Context())
	out, w := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		root := newRoot()
		root.SetArgs([]string{"--server", server.URL(), "--fleet", "shop", "watch", "-o", "json"})
		root.SetOut(w)
		root.SetErr(w)
		ended <- cli.Execute(signalled, root)
		_ = w.Close()
	}()
	lines := make(chan string, 1024)
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			lines <- s.Text()
		}
	}()

	// Nobody tells when the watch has begun, so events are said until one is shown; from that on, none may be missing.
	const more = 50
	said, first, shown := 0, -1, -1
	deadline := time.After(cmdtest.Patience)
	for first < 0 || shown < first+more {
		pause := time.After(10 * time.Millisecond)
		if first < 0 || said < first+more+1 {
			if _, err := node.Invalidate(t.Context(), event.Tag("n:"+strconv.Itoa(said))); err != nil {
				t.Fatal(err)
			}
			said++
		}
		select {
		case line := <-lines:
			n := number(t, line)
			if first < 0 {
				first = n
			} else if n != shown+1 {
				t.Fatalf("after %d came %d", shown, n)
			}
			shown = n
		case <-pause:
		case <-deadline:
			t.Fatalf("said %d, shown %d to %d", said, first, shown)
		}
	}
	signal()
	if code := <-ended; code != cli.CodeOK {
		t.Errorf("exit code %d", code)
	}
}

func number(t *testing.T, line string) int {
	t.Helper()
	var e struct {
		LetheToken event.Token
		Data       struct{ Targets []struct{ Tag string } }
	}
	if err := json.Unmarshal([]byte(line), &e); err != nil || len(e.Data.Targets) != 1 || e.LetheToken.IsZero() {
		t.Fatalf("%v: %s", err, line)
	}
	n, err := strconv.Atoi(e.Data.Targets[0].Tag[2:])
	if err != nil {
		t.Fatal(err)
	}
	return n
}
