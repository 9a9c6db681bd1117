package lethe

import (
	"context"
	"sync"
)

// maxIdle bounds how many goroutines of a node wait for its next load. What ends when so many wait already ends its goroutine.
const maxIdle = 32

// loaders are the goroutines that run a node's loads. One that has run one waits for the next: its stack has grown to what a load
// takes, which costs more than most of what a short load does. They end with the node, which owns them.
type loaders struct {
	mu   sync.Mutex // guards what follows
	idle []chan work
	over bool

	untie func() bool // from the end of the node's context; nil until there is a load
}

// work is a load that is ready to run.
type work interface{ work() }

// begin runs w on a goroutine that Close waits for; false when the node is closed.
func (ls *loaders) begin(n *Node, w work) bool {
	ls.mu.Lock()
	if ls.over {
		ls.mu.Unlock()
		return false
	}
	if ls.untie == nil {
		ls.untie = context.AfterFunc(n.stop, ls.end)
	}
	last := len(ls.idle) - 1
	if last < 0 {
		ls.mu.Unlock()
		return n.goLoad(func() { ls.run(w) })
	}
	next := ls.idle[last]
	ls.idle = ls.idle[:last]
	ls.mu.Unlock()
	next <- w // has room
	return true
}

// run runs one load after the other. One that ends its goroutine ends this one.
func (ls *loaders) run(w work) {
	next := make(chan work, 1)
	for ok := true; ok; w, ok = <-next {
		w.work()
		if !ls.wait(next) {
			return
		}
	}
}

// wait puts a goroutine among those that wait, unless they are enough.
func (ls *loaders) wait(next chan work) bool {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if ls.over || len(ls.idle) >= maxIdle {
		return false
	}
	ls.idle = append(ls.idle, next)
	return true
}

// end lets those that wait end. Close calls it before the node's context ends, so that nothing of it runs behind Close.
func (ls *loaders) end() {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	ls.over = true
	if ls.untie != nil {
		ls.untie()
	}
	for _, next := range ls.idle {
		close(next)
	}
	ls.idle = nil
}
