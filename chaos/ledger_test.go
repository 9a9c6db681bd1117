package main

import (
	"slices"
	"testing"

	"github.com/lethe-cache/lethe/chaos/judge"
	"github.com/lethe-cache/lethe/pkg/event"
)

func TestTheLedgerMissesWhatTheLogDoesNotHave(t *testing.T) {
	t.Parallel()
	l := newLedger()
	tags := func(ks ...int) []event.Target { return targets(byTag, ks) }
	token := func(seq uint64) event.Token { return event.NewToken(fleet, "e", seq) }
	said := func(id int64) string {
		return reason{write: id, covers: []judge.Cover{{Key: 1, Version: 2}}}.String()
	}
	message := func(why string, ts ...event.Target) event.Received {
		return event.Received{Event: event.Event{Reason: why, Targets: ts}}
	}
	l.add(write{id: 1, targets: tags(1, 2), said: true}, token(10))
	l.add(write{id: 2, targets: tags(3, 4), said: true}, token(11))
	l.add(write{id: 3, targets: tags(5)}, token(12))
	l.add(write{id: 4, targets: tags(6)}, token(13))
	l.add(write{id: 5, targets: tags(7), said: true}, token(3))
	l.found(9, message(said(1), tags(1)...)) // several events of one write
	l.found(10, message(said(1), tags(2)...))
	l.found(11, message(said(2), tags(3)...))                        // half of it
	l.found(12, message("", slices.Concat(tags(5, 60))...))          // mixed with others'
	l.found(13, message("", append(tags(61), tags(6)[0].Soft())...)) // soft is not hard
	if got := l.left(5); len(got) != 2 {
		t.Errorf("missing: %v; want half of write 2, and sequence 13", got)
	}
	if got := l.left(1); len(got) != 3 {
		t.Errorf("missing: %v; want write 5 as well, which retention has not dropped", got)
	}
}
