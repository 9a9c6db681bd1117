package lethe_test

import (
	"context"
	"sync"
	"testing"
)

// book is what loaders read: a version for each key, and how often it was read.
type book struct {
	mu       sync.Mutex // guards what follows
	versions map[string]int
	reads    map[string]int
}

func newBook() *book { return &book{versions: map[string]int{}, reads: map[string]int{}} }

// load is a loader.
func (b *book) load(_ context.Context, k string) (int, error) { return b.read(k), nil }

func (b *book) read(k string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reads[k]++
	return b.versions[k]
}

// write changes k.
func (b *book) write(k string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.versions[k]++
	return b.versions[k]
}

// loads is how often k was read.
func (b *book) loads(k string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.reads[k]
}

// door is a place in a loader where the test holds it.
type door struct {
	entered, open chan struct{}
	once          sync.Once
}

// newDoor returns a door that opens with the end of the test at the latest: else a failure would never end.
func newDoor(t testing.TB) *door {
	t.Helper()
	d := &door{entered: make(chan struct{}, 64), open: make(chan struct{})}
	t.Cleanup(d.unlock)
	return d
}

// unlock lets everybody through, from now on.
func (d *door) unlock() { d.once.Do(func() { close(d.open) }) }

// pass says that somebody is at the door, and waits until it is opened.
func (d *door) pass() {
	select {
	case d.entered <- struct{}{}:
	default: // nobody counts that many
	}
	<-d.open
}
