package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lethe-cache/lethe/chaos/judge"
)

// copyOf is one node of the fleet as the driver sees it: a name and links that outlive its processes.
type copyOf struct {
	role  string // of its process; "" = node
	keys  int    // 0 = keysMost
	index int
	name  string
	args  []string
	logs  string
	judge *judge.Judge

	dying  sync.Mutex // held by who kills it, until it is back
	ids    atomic.Int64
	broken atomic.Int64 // lines that a kill cut off

	mu    sync.Mutex // guards what follows
	proc  *process
	life  int
	lines chan []byte // of commands
	asked map[int64]chan answer
	last  stats // of this life
	past  stats // of the lives before
}

var (
	errBusy = errors.New("the node does not take commands at the moment")
	errGone = errors.New("the node's process is gone")
)

// start begins a life, the first or the next.
func (c *copyOf) start() error {
	p, err := spawn(c.logs, c.name, append([]string{cmp.Or(c.role, "node")}, c.args...)...)
	if err != nil {
		return err
	}
	lines := make(chan []byte, 256)
	c.mu.Lock()
	c.life++
	life := c.life
	c.proc, c.lines = p, lines
	c.past.add(c.last)
	c.last, c.asked = stats{}, map[int64]chan answer{}
	c.mu.Unlock()
	if c.judge != nil { // a world judges otherwise
		c.judge.Reborn(c.index, life)
	}
	go func() { // ends with the process
		for {
			select {
			case <-p.gone:
				return
			case l := <-lines:
				if _, err := p.in.Write(l); err != nil {
					return
				}
			}
		}
	}()
	go func() {
		c.listen(p, life)
		p.reap()
	}()
	return nil
}

func (c *copyOf) process() *process {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.proc
}

// restart ends the process without warning and begins the next life after a pause.
func (c *copyOf) restart(ctx context.Context, pause time.Duration) error {
	c.process().kill()
	wait(ctx, pause)
	return c.start()
}

// listen reads what the node reports until it is gone.
func (c *copyOf) listen(p *process, life int) {
	in := bufio.NewScanner(p.out)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		if err := c.take(life, in.Text()); err != nil {
			c.broken.Add(1)
		}
	}
}

func (c *copyOf) take(life int, line string) error {
	mark, rest, _ := strings.Cut(line, " ")
	switch mark {
	case "R":
		r, err := judge.ParseRead(line)
		if err != nil || r.Key < 0 || r.Key >= cmp.Or(c.keys, keysMost) {
			return errors.Join(err, strconv.ErrRange)
		}
		c.judge.Read(c.index, life, r, mono())
	case "A":
		a, err := judge.ParseApplied(line)
		if err != nil {
			return err
		}
		c.judge.Applied(c.index, life, a)
	case "D":
		var a answer
		if err := json.Unmarshal([]byte(rest), &a); err != nil {
			return err
		}
		c.mu.Lock()
		ch := c.asked[a.ID]
		delete(c.asked, a.ID)
		c.mu.Unlock()
		if ch != nil {
			ch <- a
		}
	case "S":
		var s stats
		if err := json.Unmarshal([]byte(rest), &s); err != nil {
			return err
		}
		c.mu.Lock()
		c.last = s
		c.mu.Unlock()
	default:
		return fmt.Errorf("%s says %q", c.name, line)
	}
	return nil
}

// ask sends a command and waits for its answer; without one nobody knows what came of it.
func (c *copyOf) ask(ctx context.Context, cmd command, most time.Duration) (answer, error) {
	cmd.ID, cmd.For = c.ids.Add(1), int64(most)
	ch := make(chan answer, 1)
	c.mu.Lock()
	p, lines := c.proc, c.lines
	c.asked[cmd.ID] = ch
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.asked, cmd.ID)
	}()
	select {
	case lines <- cmd.line():
	default:
		return answer{}, errBusy
	}
	select {
	case a := <-ch:
		return a, nil
	case <-p.gone:
		return answer{}, errGone
	case <-ctx.Done():
		return answer{}, ctx.Err()
	case <-time.After(most + 2*time.Second):
		return answer{}, errBusy
	}
}

// counts are those of all lives.
func (c *copyOf) counts() stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	var s stats
	s.add(c.past)
	s.add(c.last)
	s.State, s.Cursor = c.last.State, c.last.Cursor
	return s
}

// wait returns after d, or when ctx ends.
func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
