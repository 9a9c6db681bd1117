package lethe

import (
	"testing"
	"unsafe"

	"github.com/lethe-cache/lethe/internal/depend"
)

// What an entry takes beside its key and value: with four labels 104 bytes in bulk, and in the hot tier one object of 256 bytes, of
// which a hit reads the first 64.
func TestWhatAnEntryTakesIsKnown(t *testing.T) {
	t.Parallel()
	labels := make([]depend.Label, 4)
	e := newEntry(1, 2, 3, 4, labels)
	if n := len(e.append(nil)); n != 104 {
		t.Errorf("%d bytes in bulk", n)
	}
	var h hotEntry[string, *int]
	if n := unsafe.Sizeof(h); n != 256 {
		t.Errorf("%d bytes in the hot tier: over 256 it is the allocator's next size", n)
	}
	if n := unsafe.Offsetof(h.value) + unsafe.Sizeof(h.value); n > 64 {
		t.Errorf("a hit reads the first %d bytes: more than a cache line", n)
	}
	if n := words(len(e.Labels) - 1); n > len(h.room) {
		t.Errorf("%d labels take an object of their own", len(labels))
	}
}
