package brokers

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/lethe-cache/lethe/pkg/embedded"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

// pause between two events: what is measured is latency, not throughput.
const pause = 5 * time.Millisecond

// heard is a receiver's report.
type heard struct {
	kind, id string
	at       int64
}

// child is a process of this program; it ends when its standard input closes.
type child struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
}

func start(ctx context.Context, args ...string) (*child, string, error) {
	cmd := exec.CommandContext(ctx, os.Args[0], append([]string{"child"}, args...)...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, "", err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, "", err
	}
	if err := cmd.Start(); err != nil {
		return nil, "", err
	}
	c := &child{cmd, in, bufio.NewScanner(out)}
	if !c.out.Scan() {
		c.stop()
		return nil, "", fmt.Errorf("%v said nothing", args)
	}
	return c, c.out.Text(), nil
}

// tell passes on what nodes in the child heard, until it ends.
func (c *child) tell(all chan<- heard) {
	for c.out.Scan() {
		f := strings.Fields(c.out.Text())
		if len(f) != 3 {
			continue
		}
		at, _ := strconv.ParseInt(f[2], 10, 64)
		all <- heard{f[0], f[1], at}
	}
}

func (c *child) stop() {
	_ = c.in.Close()
	_ = c.cmd.Wait()
}

// serve is the NATS server's process.
func serve(ctx context.Context, _ []string) error {
	srv, err := embedded.Start(ctx, embedded.Config{Listen: "127.0.0.1:0"})
	if err != nil {
		return err
	}
	defer func() { _ = srv.Close() }()
	fmt.Fprintln(os.Stdout, srv.URL())
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// Children are the processes of these measurements.
func Children() map[string]func(context.Context, []string) error {
	return map[string]func(context.Context, []string) error{"brokers-serve": serve, "brokers-hold": hold}
}

// hold is a process with one node of the fleet, which reports what it heard, and when.
func hold(ctx context.Context, args []string) error {
	url, fleet := args[0], args[1]
	var mu sync.Mutex // guards out
	out := bufio.NewWriter(os.Stdout)
	report := func(kind, id string) {
		at := time.Now().UnixNano()
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintln(out, kind, id, at)
		_ = out.Flush()
	}
	node, err := lethe.Open(ctx, lethe.Config{URL: url, Fleet: fleet})
	if err != nil {
		return err
	}
	defer func() { _ = node.Close() }()
	lethe.Memoize(node, "bench.f", func(context.Context, string) (string, error) { return "", nil })
	err = node.Receive("bench", func(_ context.Context, e event.Event) error {
		if e.Reason != "" && (e.Type == event.TypeInvalidated || e.Type == event.TypeManifestApplied) {
			report("L", e.Reason)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := node.Ready(ctx); err != nil {
		return err
	}
	fmt.Fprintln(os.Stdout, "ready")
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}
