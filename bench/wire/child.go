package wire

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// patience is how long a child may take for an answer.
const patience = 30 * time.Second

// child is a process of this program that answers questions, a line each; it ends when its standard input closes.
type child struct {
	name string
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *os.File
	read *bufio.Reader
}

// start returns the child and the first line it said.
func start(ctx context.Context, args ...string) (*child, string, error) {
	out, theirs, err := os.Pipe()
	if err != nil {
		return nil, "", err
	}
	cmd := exec.CommandContext(ctx, os.Args[0], append([]string{"child"}, args...)...)
	cmd.Stderr, cmd.Stdout = os.Stderr, theirs
	in, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	_ = theirs.Close()
	if err != nil {
		return nil, "", errors.Join(err, out.Close())
	}
	c := &child{strings.Join(args, " "), cmd, in, out, bufio.NewReaderSize(out, 1<<16)}
	said, err := c.answer("to be ready")
	if err != nil {
		return nil, "", errors.Join(err, c.stop())
	}
	return c, said, nil
}

// ask sends a line and returns the answer.
func (c *child) ask(question string) (string, error) {
	if _, err := io.WriteString(c.in, question+"\n"); err != nil {
		return "", fmt.Errorf("%s, asked %s: %w", c.name, question, err)
	}
	return c.answer(question)
}

func (c *child) answer(question string) (string, error) {
	if err := c.out.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return "", err
	}
	line, err := c.read.ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("%s, asked %s: %w", c.name, question, err)
	}
	line = strings.TrimSpace(line)
	if what, ok := strings.CutPrefix(line, "error "); ok {
		return "", fmt.Errorf("%s, asked %s: %s", c.name, question, what)
	}
	return line, nil
}

func (c *child) stop() error {
	_ = c.in.Close()
	err := c.cmd.Wait()
	return errors.Join(err, c.out.Close())
}

// attend is the child's side: it says that it is ready, and answers until its standard input ends.
func attend(ready string, answer func(question []string) (string, error)) error {
	fmt.Fprintln(os.Stdout, ready)
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		said, err := answer(strings.Fields(in.Text()))
		if err != nil {
			said = "error " + strings.ReplaceAll(err.Error(), "\n", "; ")
		}
		fmt.Fprintln(os.Stdout, said)
	}
	return in.Err()
}

// poll waits until done holds, looking once a millisecond.
func poll(ctx context.Context, within time.Duration, done func() bool) bool {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

func rest(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
