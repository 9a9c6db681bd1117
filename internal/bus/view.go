package bus

import (
	"sync"
	"sync/atomic"

	"github.com/lethe-cache/lethe/internal/cursor"
)

// board shows the loop's view to everybody else and wakes those who wait for it to change.
type board struct {
	view atomic.Pointer[cursor.View]

	mu   sync.Mutex // guards wake
	wake chan struct{}
}

func (b *board) look() cursor.View {
	if v := b.view.Load(); v != nil {
		return *v
	}
	return cursor.View{}
}

// watch returns the view and a channel that is closed when it is no longer the latest.
func (b *board) watch() (cursor.View, <-chan struct{}) {
	b.mu.Lock()
	if b.wake == nil {
		b.wake = make(chan struct{})
	}
	wake := b.wake
	b.mu.Unlock()
	return b.look(), wake // looked at last: a change in between has closed wake or is in the view
}

// show puts v up.
func (b *board) show(v cursor.View) {
	if old := b.view.Load(); old != nil && *old == v {
		return
	}
	b.view.Store(&v)
	b.poke()
}

// poke wakes who waits although the view is the same: something else they look at has changed.
func (b *board) poke() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.wake != nil {
		close(b.wake)
		b.wake = nil
	}
}
