package deploy

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long anything may take: the machine may be slow, and busy.
const patience = 3 * time.Minute

// child is a process of the topology. It dies with this one.
type child struct {
	cmd  *exec.Cmd
	out  *journal
	gone chan struct{}
	err  error // how it ended, once it is gone
}

func spawn(tb testing.TB, env, argv []string, as *syscall.Credential) *child {
	tb.Helper()
	c := &child{cmd: exec.Command(argv[0], argv[1:]...), out: &journal{}, gone: make(chan struct{})}
	c.cmd.Env = env // and nothing of this process's: a container would not have it either
	c.cmd.Stdout, c.cmd.Stderr = c.out, c.out
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Credential: as}
	if err := c.cmd.Start(); err != nil {
		tb.Fatalf("%v: %v", argv, err)
	}
	go func() {
		c.err = c.cmd.Wait()
		close(c.gone)
	}()
	return c
}

// end asks it to end, and says how it did.
func (c *child) end(s os.Signal, within time.Duration) error {
	_ = c.cmd.Process.Signal(s)
	select {
	case <-c.gone:
		return c.err
	case <-time.After(within):
		c.kill()
		return os.ErrDeadlineExceeded
	}
}

// kill ends it as a power failure of its own would.
func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	<-c.gone
}

// journal keeps the end of what a process said.
type journal struct {
	mu   sync.Mutex // guards text
	text []byte
}

func (j *journal) Write(p []byte) (int, error) {
	const most = 64 << 10
	j.mu.Lock()
	defer j.mu.Unlock()
	j.text = append(j.text, p...)
	if n := len(j.text); n > most {
		j.text = append([]byte(nil), j.text[n-most/2:]...)
	}
	return len(p), nil
}

func (j *journal) tail() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	lines := strings.Split(strings.TrimSpace(string(j.text)), "\n")
	return strings.Join(lines[max(0, len(lines)-25):], "\n")
}

// eventually tries until it works.
func eventually(tb testing.TB, what string, try func() error) {
	tb.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for {
		err := try()
		if err == nil {
			return
		}
		if errors.Is(err, errForGood) {
			tb.Fatalf("%s: %v", what, err)
		}
		select {
		case <-deadline.C:
			tb.Fatalf("not within %v: %s: %v", patience, what, err)
		case <-tb.Context().Done():
			tb.Fatalf("%s: %v", what, err)
		case <-again.C:
		}
	}
}
