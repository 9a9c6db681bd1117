package lethe

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

type workFunc func()

func (f workFunc) work() { f() }

func closingNode() *Node {
	n := new(Node)
	n.stop, n.cancel = context.WithCancel(context.Background())
	return n
}

func TestAGoroutineThatRanALoadRunsTheNextAndEndsWithTheNode(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := closingNode()
		ls := &n.functions.loaders
		var ran atomic.Int64
		for range 100 {
			if !ls.begin(n, workFunc(func() { ran.Add(1) })) {
				t.Fatal("refused")
			}
			synctest.Wait()
			if len(ls.idle) != 1 {
				t.Fatalf("%d wait for a load", len(ls.idle))
			}
		}
		if !ls.begin(n, workFunc(runtime.Goexit)) {
			t.Fatal("refused")
		}
		synctest.Wait()
		if len(ls.idle) != 0 {
			t.Error("a goroutine waits that has ended")
		}
		var held sync.WaitGroup
		held.Add(1)
		for range 2 * maxIdle {
			ls.begin(n, workFunc(func() { held.Wait(); ran.Add(1) }))
		}
		synctest.Wait()
		held.Done()
		synctest.Wait()
		if ran.Load() != 100+2*maxIdle || len(ls.idle) != maxIdle {
			t.Errorf("%d loads ran, %d goroutines wait", ran.Load(), len(ls.idle))
		}
		n.closed.Store(true)
		n.cancel()
		n.wg.Wait()
		if ls.begin(n, workFunc(func() { ran.Add(1) })) {
			t.Error("a load begins on a node that is closed")
		}
	})
}
