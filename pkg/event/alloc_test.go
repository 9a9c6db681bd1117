package event_test

import (
	"strconv"
	"testing"

	"github.com/lethe-cache/lethe/pkg/event"
)

// keysOf is an event of n keys, as it is published.
func keysOf(t *testing.T, n int) event.Message {
	t.Helper()
	e := event.Event{Source: "/lethe/shop/n1"}
	for i := range n {
		e.Targets = append(e.Targets, price.Key("sku-"+strconv.Itoa(i)))
	}
	m, err := event.Encode("shop", e)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// The list of targets and one copy of the data, however many keys there are.
func TestDecodeAllocatesTwice(t *testing.T) {
	for _, n := range []int{1, 100} {
		m := keysOf(t, n)
		if got := testing.AllocsPerRun(100, func() {
			if r := event.Decode("shop", m.Subject, m.Header, m.Data); len(r.Targets) != n {
				t.Fatal(r)
			}
		}); got > 2 {
			t.Errorf("%d keys: %v allocations, want 2", n, got)
		}
	}
}

// Id, time, subjects, data, and the header: its map, its one list of values.
func TestEncodeAllocatesLittle(t *testing.T) {
	for _, n := range []int{1, 100} {
		e := event.Event{Source: "/lethe/shop/n1"}
		for i := range n {
			e.Targets = append(e.Targets, price.Key("sku-"+strconv.Itoa(i)))
		}
		if got := testing.AllocsPerRun(100, func() {
			if _, err := event.Encode("shop", e); err != nil {
				t.Fatal(err)
			}
		}); got > 11 {
			t.Errorf("%d keys: %v allocations, want 11 at most", n, got)
		}
	}
}
