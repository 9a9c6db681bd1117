package wire

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/lethe-cache/lethe/bench/internal/suite"
)

// mostProcesses is over how many processes the listeners of a contender are spread; the same for each.
const mostProcesses = 4

// crowd is all listeners of one contender.
type crowd struct {
	children []*child
	next     int // number of the next key; none is used twice
}

// gather starts count listeners; they end with the case.
func gather(ctx context.Context, e *suite.Env, kind, addr string, count int) (*crowd, error) {
	c := &crowd{children: make([]*child, min(count, mostProcesses))}
	err := c.each(func(i int) error {
		n := (count + i) / len(c.children)
		child, _, err := start(ctx, "wire-hold", kind, addr, strconv.Itoa(n))
		c.children[i] = child
		return err
	})
	e.Defer(func() error {
		return c.each(func(i int) error {
			if c.children[i] == nil {
				return nil
			}
			return c.children[i].stop()
		})
	})
	return c, err
}

func (c *crowd) each(do func(i int) error) error {
	errs := make([]error, len(c.children))
	var wg sync.WaitGroup
	for i := range c.children {
		wg.Go(func() { errs[i] = do(i) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// begin prepares everyone for n keys, whose numbers begin with the one it returns.
func (c *crowd) begin(n int, timed bool) (base int, err error) {
	base = c.next
	c.next += n
	return base, c.each(func(i int) error {
		_, err := c.children[i].ask(fmt.Sprintf("begin %d %d %t", base, n, timed))
		return err
	})
}

// collect returns when the last listener heard of each key, or of the last one if they are not timed.
func (c *crowd) collect() ([]int64, error) {
	all := make([][]int64, len(c.children))
	err := c.each(func(i int) error {
		said, err := c.children[i].ask("collect")
		if err != nil {
			return err
		}
		for _, f := range strings.Fields(said) {
			at, err := strconv.ParseInt(f, 10, 64)
			if err != nil {
				return err
			}
			all[i] = append(all[i], at)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	last := all[0]
	for _, heard := range all[1:] {
		for i := range last {
			last[i] = max(last[i], heard[i])
		}
	}
	return last, nil
}
