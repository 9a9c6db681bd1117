package lethe_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/lethe-cache/lethe/pkg/embedded"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

// childEnv makes this test binary a node of the fleet at its value, whose loader reads the file that childFile names.
const (
	childEnv  = "LETHE_TEST_CHILD"
	childFile = "LETHE_TEST_FILE"
)

// runChild answers each line on its input with what a read that begins then brings, and at the end of its input with the wall
// time at which the last of its other reads began that brought "old".
func runChild() int {
	if err := child(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func child(in io.Reader, out io.Writer) error {
	n, err := lethe.Open(context.Background(), lethe.Config{URL: os.Getenv(childEnv), MaxStaleness: 5 * time.Second})
	if err != nil {
		return err
	}
	defer n.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := n.Ready(ctx); err != nil {
		return err
	}
	f := lethe.Memoize(n, "f", func(context.Context, string) (string, error) {
		b, err := os.ReadFile(os.Getenv(childFile))
		return string(b), err
	})
	var lastOld atomic.Int64
	var stop atomic.Bool
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for !stop.Load() {
				begun := time.Now().UnixNano()
				if v, _ := f.Get(context.Background(), "k"); v == "old" {
					raise(&lastOld, begun)
				}
			}
		})
	}
	fmt.Fprintln(out, "ready")
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		r, err := f.Lookup(context.Background(), "k")
		fmt.Fprintln(out, r.Value, r.Cache, err)
	}
	stop.Store(true)
	wg.Wait()
	fmt.Fprintln(out, lastOld.Load())
	return lines.Err()
}

func TestAProcessStoppedForLongerThanTheBoundServesNothingOldWhenItGoesOn(t *testing.T) {
	t.Parallel()
	srv := must[*embedded.Server](t)(embedded.Start(within(t), embedded.Config{Listen: "127.0.0.1:0"}))
	t.Cleanup(func() { _ = srv.Close() })
	nc := must[*nats.Conn](t)(srv.Connect())
	t.Cleanup(nc.Close)
	n := must[*lethe.Node](t)(lethe.Open(t.Context(), lethe.Config{Conn: nc}))
	defer n.Close()
	file := filepath.Join(t.TempDir(), "truth")
	say := func(v string) {
		t.Helper()
		if err := os.WriteFile(file+".new", []byte(v), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			t.Fatal(err)
		}
	}
	say("old")

	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+srv.URL(), childFile+"="+file)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := make(chan string, 1000)
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(stdout); s.Scan(); {
			lines <- s.Text()
		}
	}()
	ask := func(times int) {
		t.Helper()
		if _, err := io.WriteString(stdin, strings.Repeat("\n", times)); err != nil {
			t.Fatal(err)
		}
	}
	if got := take(t, "the child is ready", lines); got != "ready" {
		t.Fatalf("the child says %q", got)
	}
	until(t, "the child remembers", func() bool {
		ask(1)
		return take(t, "an answer", lines) == "old hit <nil>"
	})

	if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	say("new")
	must[event.Token](t)(n.Invalidate(t.Context(), event.Key("f", "k")))
	<-time.After(6 * time.Second) // longer than its lease can last
	const questions = 200
	ask(questions) // they wait for it: asked the moment it goes on
	goesOn := time.Now().UnixNano()
	if err := cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	for i := range questions {
		if got := take(t, "an answer", lines); !strings.HasPrefix(got, "new ") {
			t.Fatalf("answer %d after SIGCONT: %q", i, got)
		}
	}
	until(t, "the child remembers again", func() bool {
		ask(1)
		return take(t, "an answer", lines) == "new hit <nil>"
	})
	if err := stdin.Close(); err != nil {
		t.Fatal(err)
	}
	last := must[int64](t)(strconv.ParseInt(take(t, "the child's last word", lines), 10, 64))
	if last == 0 || last >= goesOn {
		t.Fatalf("the last read that brought the old value began %v after SIGCONT", time.Duration(last-goesOn))
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
}
