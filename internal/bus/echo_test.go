package bus

import (
	"strconv"
	"testing"
)

func TestAnEchoIsSkippedOnceAndOnlyOfItsSource(t *testing.T) {
	t.Parallel()
	var e echoes
	e.add("/a", "1")
	if e.take("/b", "1") {
		t.Error("another source's event of the same id is taken for an echo")
	}
	if !e.take("/a", "1") || e.take("/a", "1") {
		t.Error("an echo is one, once")
	}
}

func TestEchoesAreBoundedAndForgottenAtAReset(t *testing.T) {
	t.Parallel()
	var e echoes
	for i := range 3 * echoesMost {
		e.add("/a", strconv.Itoa(i))
		if i%3 == 0 {
			e.take("/a", strconv.Itoa(i))
		}
	}
	if len(e.ids) > echoesMost || len(e.order) > 2*echoesMost {
		t.Errorf("%d ids, %d in order", len(e.ids), len(e.order))
	}
	if e.take("/a", "1") || !e.take("/a", strconv.Itoa(3*echoesMost-1)) {
		t.Error("the oldest have to go, the latest to stay")
	}
	e.forget()
	if e.take("/a", strconv.Itoa(3*echoesMost-2)) {
		t.Error("after a Reset nothing may be skipped")
	}
}
