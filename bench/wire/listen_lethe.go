package wire

import (
	"context"
	"fmt"
	"time"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

// probes is how many keys of a round a node really has in its cache, and really has to forget.
const probes = 8

// listenLethe is a node that memoizes a function and has a receiver.
func listenLethe(ctx context.Context, url string, h hearing) (listener, error) {
	node, err := lethe.Open(ctx, lethe.Config{URL: url, Fleet: fleet, MaxBytes: 1 << 20})
	if err != nil {
		return listener{}, err
	}
	f := lethe.Memoize(node, function, func(_ context.Context, k string) (string, error) { return k, nil })
	err = node.Receive("bench", func(_ context.Context, e event.Event) error {
		at := time.Now().UnixNano()
		switch r := h.board.round.Load(); {
		case r == nil || e.Type != event.TypeInvalidated: // a reset or a lag leaves the count short, and the round fails
		case r.timed:
			for _, t := range e.Targets {
				h.arrived(at, t.Args())
			}
		default:
			r.counted(h.self, at, len(e.Targets))
		}
		return nil
	}, lethe.WithQueue(1<<16))
	if err == nil {
		within, cancel := context.WithTimeout(ctx, patience)
		err = node.Ready(within)
		cancel()
	}
	if err != nil {
		_ = node.Close()
		return listener{}, err
	}
	var cached []string
	begin := func(ctx context.Context, base, n int) error {
		cached = cached[:0]
		for i := range min(probes, n) {
			k := key(base + i*(n-1)/max(probes-1, 1))
			if _, err := f.Get(ctx, k); err != nil {
				return err
			}
			if _, ok := f.Peek(ctx, k); !ok {
				return fmt.Errorf("%s is not cached", k)
			}
			cached = append(cached, k)
		}
		return nil
	}
	check := func() error {
		for _, k := range cached {
			if _, ok := f.Peek(ctx, k); ok {
				return fmt.Errorf("%s is served still", k)
			}
		}
		return nil
	}
	return listener{begin, check, func() { _ = node.Close() }}, nil
}
