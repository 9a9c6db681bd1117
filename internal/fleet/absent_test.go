package fleet

import (
	"fmt"
	"testing"
	"time"
)

// watched is a node that looks at its roster with every beat, as run does.
type watched struct {
	r   roster
	a   absences
	now time.Duration
}

const beatOfTest = 2 * time.Second

func newWatched() *watched {
	w := &watched{r: roster{own: key{"self", "i"}}, now: asked}
	w.r.hear(of("self", "i"), w.now)
	return w
}

// beat lets an interval pass in which those are heard; deaf: nothing is, not even what this node says of itself.
func (w *watched) beat(deaf bool, members ...Member) string {
	w.now += beatOfTest
	w.r.hear(of("self", "i"), w.now)
	if !deaf {
		w.a.hears(w.now, beatOfTest)
	}
	for _, m := range members {
		w.r.hear(m, w.now)
	}
	gone, back := w.a.look(&w.r, w.now, beatOfTest)
	w.r.lapse(w.now, 10*time.Second)
	said := ""
	for _, x := range gone {
		said += "-" + x.Node
	}
	for _, x := range back {
		said += "+" + x.Node
	}
	return said
}

func (w *watched) beats(n int, deaf bool, members ...Member) (said string) {
	for range n {
		said += w.beat(deaf, members...)
	}
	return said
}

func TestANodeThatFallsSilentIsSaidToBeGoneAndThenBack(t *testing.T) {
	t.Parallel()
	w := newWatched()
	a, b := of("a", "1"), of("b", "1")
	if said := w.beats(10, false, a, b); said != "" {
		t.Fatalf("said %s", said)
	}
	if said := w.beats(5, false, a); said != "" {
		t.Errorf("said %s after ten seconds", said)
	}
	if said := w.beats(100, false, a); said != "-b" {
		t.Errorf("said %q", said)
	}
	if got := fmt.Sprint(names(w.a.told(w.now))); got != "[b]" || w.r.alive(w.now) != 2 || w.a.total != 1 {
		t.Errorf("missing: %s, alive %d, total %d", got, w.r.alive(w.now), w.a.total)
	}
	if said := w.beats(3, false, a, b); said != "+b" || len(w.a.of) != 0 {
		t.Errorf("said %q, missing %v", said, w.a.of)
	}
	w.beats(10, false, a)
	if said := w.beats(int(absentFor/beatOfTest)+1, false, a); said != "" || len(w.a.of) != 0 {
		t.Errorf("said %q, and for ever missing: %v", said, w.a.of)
	}
}

func TestANodeThatSaysGoodbyeIsNotMissed(t *testing.T) {
	t.Parallel()
	w := newWatched()
	w.beats(3, false, of("a", "1"))
	w.r.bye(key{"a", "1"}, w.now)
	if said := w.beats(20, false); said != "" || len(w.a.of) != 0 {
		t.Errorf("said %q, missing %v", said, w.a.of)
	}
	w.beats(3, false, of("b", "1"))
	w.beats(4, false) // silent, not said yet
	w.r.bye(key{"b", "1"}, w.now)
	if said := w.beats(20, false); said != "" || len(w.a.of) != 0 {
		t.Errorf("said %q, missing %v", said, w.a.of)
	}
}

func TestANodeThatStartsAgainIsNotMissed(t *testing.T) {
	t.Parallel()
	w := newWatched()
	w.beats(3, false, of("a", "1"))
	if said := w.beats(20, false, of("a", "2")); said != "" || len(w.a.of) != 0 {
		t.Errorf("said %q, missing %v", said, w.a.of)
	}
	if said := w.beats(20, false) + w.beats(3, false, of("a", "3")); said != "-a+a" || len(w.a.of) != 0 {
		t.Errorf("said %q, missing %v", said, w.a.of)
	}
}

// A node that is cut off, or stood still itself, hears nobody: that says nothing of the others.
func TestANodeThatHearsNothingSaysOfNobodyThatItIsGone(t *testing.T) {
	t.Parallel()
	w := newWatched()
	a, b := of("a", "1"), of("b", "1")
	w.beats(3, false, a, b)
	if said := w.beats(100, true); said != "" {
		t.Errorf("said %s", said)
	}
	if got := w.a.list(w.now); len(got) != 2 || got[0].Vanished || got[0].SeenMs < 100_000 {
		t.Errorf("missing: %+v", got)
	}
	if said := w.beats(4, false); said != "" { // the bus is back, and the others come one by one
		t.Errorf("said %s", said)
	}
	if said := w.beats(20, false, a); said != "-b" {
		t.Errorf("said %q: b has vanished in the meantime", said)
	}
}

func TestNamesOfMissingNodesAreBounded(t *testing.T) {
	t.Parallel()
	w := newWatched()
	for i := range 3 * absentMost {
		w.beats(1, false, of(fmt.Sprint("n", i), "1"))
	}
	w.beats(20, false)
	if len(w.a.of) > absentMost || len(w.a.told(w.now)) != absentTold {
		t.Errorf("%d names, %d told", len(w.a.of), len(w.a.told(w.now)))
	}
	p := newPoll(asked, nil, false, false)
	for i := range 9000 {
		p.take(answer{Member: of("a", "1"), Absent: []Member{of(fmt.Sprint("x", i), "1")}})
	}
	if len(p.missing()) != absentMost {
		t.Errorf("%d are shown", len(p.missing()))
	}
}

func TestAMissingNodeIsShownUnlessItAnswersOrHasLeft(t *testing.T) {
	t.Parallel()
	p := newPoll(asked, []Member{of("a", "1")}, true, false)
	p.miss(of("d", "1"), false) // this node does not hear it
	told := answer{Member: of("a", "1"), Absent: []Member{of("b", "1"), of("c", "1"), of("e", "1")}}
	p.take(told)
	p.take(answer{Member: of("b", "2"), Gone: []Member{of("c", "1")}}) // under its name again; to another one it said goodbye
	got := map[string]bool{}
	for _, m := range p.missing() {
		got[m.Node] = m.Vanished
	}
	if fmt.Sprint(got) != "map[d:false e:true]" {
		t.Errorf("missing: %v", got)
	}
	if !p.done(asked) && len(p.silent(asked)) != 2 { // it is shown, and nobody waits for it
		t.Errorf("waits for %v", p.silent(asked))
	}
}
