package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
)

// process is another process of this program. It dies with this one.
type process struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  io.ReadCloser
	gone chan struct{}

	mu     sync.Mutex // guards frozen
	frozen int        // stops that no continue has ended yet
}

// spawn starts a role of this program, its standard error appended to a file in dir.
func spawn(dir, name string, args ...string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	log, err := os.OpenFile(filepath.Join(dir, name+".err"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	// No context: it would kill the process only, and what was asked of it on the way could not be told from a crash.
	p := &process{cmd: exec.Command(self, args...), gone: make(chan struct{})} //nolint:noctx // see above
	p.cmd.Env = append(os.Environ(), roleVar+"=1", "GOGC=200")
	p.cmd.Stderr = log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if p.out, err = p.cmd.StdoutPipe(); err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return p, nil
}

// reap waits for the end; what it wrote has to be read before.
func (p *process) reap() {
	_ = p.cmd.Wait()
	close(p.gone)
}

// kill ends it as a power failure of its own would, and returns when it is gone.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.gone
}

// freeze stops it in its tracks until as many thaws.
func (p *process) freeze() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.frozen++
	if p.frozen > 1 {
		return nil
	}
	return p.signal(syscall.SIGSTOP)
}

func (p *process) thaw() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.frozen == 0 {
		return nil
	}
	p.frozen--
	if p.frozen > 0 {
		return nil
	}
	return p.signal(syscall.SIGCONT)
}

func (p *process) signal(s syscall.Signal) error {
	if err := p.cmd.Process.Signal(s); !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}
