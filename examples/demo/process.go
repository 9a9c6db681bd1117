package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is one lethe-node, or one service.
type process struct {
	name string
	cmd  *exec.Cmd
	http string // its address, once it serves
	nats string // where others find the server in it

	serving chan struct{}
	ended   chan struct{}

	mu   sync.Mutex // guards what follows
	tail []string   // the last lines of its log
	err  error      // how it ended
}

const logTail = 30

// launch starts a program and returns when it serves HTTP.
func launch(ctx context.Context, program, name string, args ...string) (*process, error) {
	p := &process{name: name, serving: make(chan struct{}), ended: make(chan struct{})}
	//nolint:noctx // the program is the one make built; the demo ends it itself, gently
	p.cmd = exec.Command(program, append(args, "--name", name)...)
	p.cmd.Env = cleanEnv()
	p.cmd.SysProcAttr = ownGroup()
	log, err := p.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w (run make build)", program, err)
	}
	go p.watch(log)
	select {
	case <-p.serving:
		return p, nil
	case <-p.ended:
		return p, fmt.Errorf("%s ended before it served: %w\n%s", name, p.failure(), strings.Join(p.lines(), "\n"))
	case <-ctx.Done():
		return p, ctx.Err()
	case <-time.After(10 * time.Second):
		return p, fmt.Errorf("%s does not serve after 10 s", name)
	}
}

// watch reads the log until the process ends.
func (p *process) watch(log io.Reader) {
	defer close(p.ended)
	for lines := bufio.NewScanner(log); lines.Scan(); {
		line := lines.Text()
		var said struct {
			Msg  string `json:"msg"`
			HTTP string `json:"http"`
			NATS string `json:"nats"`
		}
		if json.Unmarshal([]byte(line), &said) == nil && said.Msg == "serving" && p.http == "" {
			p.http, p.nats = said.HTTP, said.NATS
			close(p.serving)
		}
		p.mu.Lock()
		p.tail = append(p.tail, line)
		p.tail = p.tail[max(0, len(p.tail)-logTail):]
		p.mu.Unlock()
	}
	err := p.cmd.Wait()
	p.mu.Lock()
	p.err = err
	p.mu.Unlock()
}

func (p *process) lines() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.tail...)
}

// await asks until the process is ready, or has ended.
func (p *process) await(ctx context.Context, ready func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.ended:
			return fmt.Errorf("%s ended: %w", p.name, p.failure())
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w", p.name, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (p *process) failure() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// end asks the process to end, and makes it after a while; a node that ends otherwise than well is an error.
func (p *process) end() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(8 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.ended
		return fmt.Errorf("%s did not end when asked to and was killed", p.name)
	}
	if err := p.failure(); err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	return nil
}

// cleanEnv is the environment without what would configure the programs behind the demo's back.
func cleanEnv() (env []string) {
	for _, pair := range os.Environ() {
		if !strings.HasPrefix(pair, "LETHE_") && !strings.HasPrefix(pair, "NATS_") && !strings.HasPrefix(pair, "DATABASE_URL=") {
			env = append(env, pair)
		}
	}
	return env
}

// output runs a program to its end and returns what it printed.
func output(ctx context.Context, program string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = cleanEnv()
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return out, fmt.Errorf("%s %s: %w: %s", program, strings.Join(args, " "), err, strings.TrimSpace(string(exit.Stderr)))
	}
	return out, err
}
