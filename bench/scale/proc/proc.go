// Package proc runs parts of a measurement as processes of their own: a child answers questions, a line of JSON each, and ends when
// its standard input closes.
package proc

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// Child is such a process. Its methods are for one goroutine at a time.
type Child struct {
	name string
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  chan []byte // closed when the child has ended
}

// Start runs this program as "child NAME ARGS…".
func Start(ctx context.Context, name string, args ...string) (*Child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, append([]string{"child", name}, args...)...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	c := &Child{name: name, cmd: cmd, in: in, out: make(chan []byte, 1)}
	go func() { // ends with the child's output; Close waits for it
		defer close(c.out)
		r := bufio.NewReader(out)
		for {
			line, err := r.ReadBytes('\n')
			if err != nil {
				return
			}
			c.out <- line
		}
	}()
	return c, nil
}

// Ask sends a question and reads the answer into answer; what is not answered within d is an error.
func (c *Child) Ask(d time.Duration, question, answer any) error {
	body, err := json.Marshal(question)
	if err != nil {
		return err
	}
	if _, err := c.in.Write(append(body, '\n')); err != nil {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case line, ok := <-c.out:
		if !ok {
			return fmt.Errorf("%s has ended", c.name)
		}
		var reply reply
		if err := json.Unmarshal(line, &reply); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		if reply.Error != "" {
			return fmt.Errorf("%s: %s", c.name, reply.Error)
		}
		return json.Unmarshal(reply.Answer, answer)
	case <-timer.C:
		return fmt.Errorf("%s did not answer %s within %v", c.name, body, d)
	}
}

// PID of the process.
func (c *Child) PID() int { return c.cmd.Process.Pid }

// endFor is how long a child gets to end by itself.
const endFor = 20 * time.Second

// Close ends the child and waits for it.
func (c *Child) Close() error {
	_ = c.in.Close()
	kill := time.AfterFunc(endFor, func() { _ = c.cmd.Process.Kill() })
	defer kill.Stop()
	for range c.out { // what it still says is not wanted
	}
	if err := c.cmd.Wait(); err != nil {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	return nil
}

type reply struct {
	Answer json.RawMessage `json:"answer"`
	Error  string          `json:"error,omitempty"`
}

// Serve is the child's side: it answers until standard input closes.
func Serve[Q, A any](ctx context.Context, answer func(context.Context, Q) (A, error)) error {
	in, out := bufio.NewReader(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		line, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		var q Q
		if err := json.Unmarshal(line, &q); err != nil {
			return err
		}
		var r reply
		a, err := answer(ctx, q)
		if err != nil {
			r.Error = err.Error()
		}
		if r.Answer, err = json.Marshal(a); err != nil {
			return err
		}
		if err := out.Encode(r); err != nil {
			return err
		}
	}
}
