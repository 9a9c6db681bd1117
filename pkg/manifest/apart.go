package manifest

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync/atomic"
)

// mostLeft bounds the plans that are still being made though nobody waits for them any more. Beyond it a plan is waited for.
const mostLeft = 64

// errEnded: code of a kind has ended its goroutine.
var errEnded = errors.New("code of a kind ended its goroutine")

// made is what became of a plan, or of another piece of work that asks functions of kinds.
type made[T any] struct {
	value    T
	err      error
	panicked any
}

// apart does work on a goroutine of its own, and returns when it has ended, or at once when ctx ends. Nobody waits for it then: the
// functions of kinds are other people's and take no ctx, and a check against a schema can't be interrupted. Such work is bounded
// (schema_work.go) or in other people's hands, holds no turn, no lock and no transaction, and writes nothing. A panic is the caller's.
func apart[T any](ctx context.Context, s *Store, work func(context.Context) (T, error)) (T, error) {
	const (
		waited int32 = iota
		left
		ended
	)
	var (
		state atomic.Int32
		done  = make(chan made[T], 1)
		now   checked
	)
	go func() {
		m := made[T]{err: errEnded}
		defer func() {
			if p := recover(); p != nil {
				m.panicked = fmt.Sprintf("%v\n\n%s", p, debug.Stack())
			}
			if !state.CompareAndSwap(waited, ended) {
				s.left.Add(-1)
			}
			done <- m
		}()
		m.value, m.err = work(context.WithValue(ctx, checkedKey{}, &now))
	}()
	select {
	case m := <-done:
		return m.result()
	case <-ctx.Done():
	}
	if s.left.Add(1) > mostLeft || !state.CompareAndSwap(waited, left) {
		s.left.Add(-1)
		return (<-done).result()
	}
	var none T
	return none, now.left(ctx)
}

func (m made[T]) result() (T, error) {
	if m.panicked != nil {
		panic(m.panicked)
	}
	return m.value, m.err
}
