package bus

import "sync"

// goroutines are those of a Bus. Beginning one and closing are ordered by one lock: none begins behind the wait for all.
type goroutines struct {
	mu     sync.Mutex // guards closed
	closed bool
	wg     sync.WaitGroup
}

// begin runs fn on a goroutine that close waits for; false after close.
func (g *goroutines) begin(fn func()) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return false
	}
	g.wg.Go(fn)
	return true
}

// close lets nothing more begin and returns when all have ended.
func (g *goroutines) close() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.wg.Wait()
}
