package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/lethe-cache/lethe/bench/scale/proc"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

// nodeName is the child with one node.
const nodeName = "capacity-node"

const fleetName = "capacity"

// ask is a question to such a node. A Token is waited for.
type ask struct {
	Token string
	Times bool // tell when what was heard since the last time was heard
}

// tell is its answer.
type tell struct {
	CPU   time.Duration
	Heard map[uint64]int64 // by sequence, Unix nanoseconds
}

// heard is what the node's receiver was called with.
type heard struct {
	mu sync.Mutex // guards at
	at map[uint64]int64
}

func (h *heard) receive(_ context.Context, e event.Event) error {
	now := time.Now().UnixNano()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.at[e.Token.Sequence()] = now
	return nil
}

func (h *heard) take() map[uint64]int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	at := h.at
	h.at = map[uint64]int64{}
	return at
}

// runNode takes a URL, a name, and whether a receiver notes when events were applied.
func runNode(ctx context.Context, args []string) error {
	if len(args) != 3 {
		return errors.New("usage: " + nodeName + " URL NAME true|false")
	}
	node, err := lethe.Open(ctx, lethe.Config{URL: args[0], Fleet: fleetName, Name: args[1], MaxBytes: 1 << 20})
	if err != nil {
		return err
	}
	defer func() { _ = node.Close() }()
	lethe.Memoize(node, event.Name[int]("burst.c0"), func(_ context.Context, k int) (int, error) { return k, nil })
	h := &heard{at: map[uint64]int64{}}
	if args[2] == "true" {
		if err := node.Receive("heard", h.receive, lethe.WithQueue(1<<16)); err != nil {
			return err
		}
	}
	ready, cancel := context.WithTimeout(ctx, 60*time.Second)
	defer cancel()
	if err := node.Ready(ready); err != nil {
		return err
	}
	return proc.Serve(ctx, func(ctx context.Context, q ask) (r tell, err error) {
		if q.Token != "" {
			token, err := event.ParseToken(q.Token)
			if err != nil {
				return r, err
			}
			ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
			defer cancel()
			if err := node.Wait(ctx, token); err != nil {
				return r, fmt.Errorf("%s: %w", args[1], err)
			}
		}
		if q.Times {
			r.Heard = h.take()
		}
		r.CPU, _ = proc.CPU()
		return r, nil
	})
}
