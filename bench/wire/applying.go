package wire

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

// applying is a process with one who follows a fleet's stream: a node, or a plain subscription that only looks at the stamp.
func applying(ctx context.Context, args []string) error {
	kind, url := args[0], args[1]
	var position func() uint64
	if kind == letheName {
		node, err := lethe.Open(ctx, lethe.Config{URL: url, Fleet: fleet})
		if err != nil {
			return err
		}
		defer func() { _ = node.Close() }()
		lethe.Memoize(node, function, func(_ context.Context, k string) (string, error) { return k, nil })
		within, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		if err := node.Ready(within); err != nil {
			return err
		}
		position = func() uint64 { return node.Position().Sequence() }
	} else {
		nc, err := nats.Connect(url)
		if err != nil {
			return err
		}
		defer nc.Close()
		var at atomic.Uint64
		sub, err := nc.Subscribe(event.LiveSubject(fleet, ">"), func(m *nats.Msg) {
			if seq, err := strconv.ParseUint(m.Header.Get("Nats-Sequence"), 10, 64); err == nil {
				at.Store(seq)
			}
		})
		if err == nil {
			err = sub.SetPendingLimits(-1, -1)
		}
		if err == nil {
			err = nc.FlushTimeout(patience)
		}
		if err != nil {
			return err
		}
		position = at.Load
	}
	var began time.Duration
	return attend("ready", func(question []string) (string, error) {
		switch question[0] {
		case "begin":
			began = processorTime()
			return "ok", nil
		case "until":
			seq, err := strconv.ParseUint(question[1], 10, 64)
			if err != nil {
				return "", err
			}
			if !poll(ctx, patience-5*time.Second, func() bool { return position() >= seq }) {
				return "", fmt.Errorf("at %d of %d", position(), seq)
			}
			return fmt.Sprint(time.Now().UnixNano(), int64(processorTime()-began)), nil
		}
		return "", fmt.Errorf("no such question: %v", question)
	})
}

// processorTime is what this process has used of the machine's processors, in its own code and for it in the kernel.
func processorTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // it fails for bad arguments only
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
