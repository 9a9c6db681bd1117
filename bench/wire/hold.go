package wire

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/pprof"
	"strconv"
)

// listener is one who hears of keys.
type listener struct {
	begin func(ctx context.Context, base, n int) error // caches what a round makes stale; nil = nothing to do
	check func() error                                 // that it is stale; nil = nothing to check
	close func()
}

// open makes a listener of each kind at an address. arrived is called with the moment and the text in which the key is.
type open func(ctx context.Context, addr string, h hearing) (listener, error)

// hearing is where a listener tells what it heard.
type hearing struct {
	board *board
	self  int
}

func (h hearing) arrived(at int64, text []byte) { h.board.arrived(h.self, at, text) }

func listeners() map[string]open {
	return map[string]open{
		"lethe": listenLethe, "core": listenCore, "republished": listenRepublished, "ordered": listenOrdered,
		"ordered-push": listenOrderedPush, "redis": listenRedis, "tracking": listenTracking,
	}
}

// hold is a process with some listeners of one kind: the arguments are kind, address and count.
func hold(ctx context.Context, args []string) (err error) {
	if len(args) != 3 || listeners()[args[0]] == nil {
		return fmt.Errorf("unknown: %v", args)
	}
	count, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	b := &board{}
	var all []listener
	defer func() {
		for _, l := range all {
			l.close()
		}
	}()
	for i := range count {
		l, err := listeners()[args[0]](ctx, args[1], hearing{b, i})
		if err != nil {
			return err
		}
		all = append(all, l)
	}
	stop, err := profile(args[0])
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	return attend("ready", func(question []string) (string, error) {
		switch question[0] {
		case "begin":
			var base, n int
			var timed bool
			if _, err := fmt.Sscan(question[1]+" "+question[2]+" "+question[3], &base, &n, &timed); err != nil {
				return "", err
			}
			for _, l := range all {
				if l.begin == nil {
					break
				}
				if err := l.begin(ctx, base, n); err != nil {
					return "", err
				}
			}
			b.begin(count, base, n, timed)
			return "ok", nil
		case "collect":
			said, err := b.collect(ctx)
			for i := 0; err == nil && i < count && all[i].check != nil; i++ {
				err = all[i].check()
			}
			return said, err
		}
		return "", fmt.Errorf("no such question: %v", question)
	})
}

// profile writes what this process spends its time on to the folder that LETHE_BENCH_PROFILE names, if it does.
func profile(kind string) (stop func() error, err error) {
	dir := os.Getenv("LETHE_BENCH_PROFILE")
	if dir == "" {
		return func() error { return nil }, nil
	}
	f, err := os.CreateTemp(dir, kind+"-*.pprof")
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		return f.Close()
	}, nil
}
