package local

import (
	"sync"
	"sync/atomic"

	"github.com/lethe-cache/lethe/bench/internal/suite"
)

// timed is suite.Time of do, which does its work n times, on so many goroutines. An error of do is one of the whole.
func timed(e *suite.Env, goroutines int, do func(goroutine, n int) error) (suite.Sample, error) {
	var failed atomic.Pointer[error]
	note := func(err error) {
		if err != nil {
			failed.CompareAndSwap(nil, &err)
		}
	}
	s := suite.Time(e, func(n int) {
		if goroutines == 1 {
			note(do(0, n))
			return
		}
		var wg sync.WaitGroup
		for g := range goroutines {
			wg.Go(func() { note(do(g, n/goroutines+1)) })
		}
		wg.Wait()
	})
	if err := failed.Load(); err != nil {
		return nil, *err
	}
	return s, nil
}

// place is where a goroutine stands among the keys; it has a cache line of its own.
type place struct {
	at int
	_  [56]byte
}
