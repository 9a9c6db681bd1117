package fleet

import (
	"fmt"
	"testing"
	"time"
)

const (
	asked = 100 * time.Second
	hour  = time.Hour
)

// member is a node that may serve for ten seconds.
func member(name string) Member { return Member{Node: name, Instance: "i-" + name, HorizonMs: 10_000} }

func roster3() []Member { return []Member{member("a"), member("b"), member("c")} }

func says(name string, applied bool) answer {
	all := roster3()
	return answer{Member: member(name), Applied: applied, Seasoned: true, Hash: hash(all)}
}

func names(ms []Member) (all []string) {
	for _, m := range ms {
		all = append(all, m.Node)
	}
	return all
}

func want(t *testing.T, p *poll, now time.Duration, done bool, applied, pending string) {
	t.Helper()
	a, b := p.result(now)
	if p.done(now) != done || fmt.Sprint(names(a)) != applied || fmt.Sprint(names(b)) != pending {
		t.Fatalf("at +%v: done %v, applied %v, pending %v; want %v, %s, %s", now-p.asked, p.done(now), names(a), names(b), done, applied, pending)
	}
}

func TestItIsCompleteWhenAllHaveApplied(t *testing.T) {
	t.Parallel()
	p := newPoll(asked, roster3(), true, false)
	want(t, p, asked, false, "[]", "[a b c]")
	p.take(says("a", true))
	p.take(says("b", false))
	p.take(says("c", true))
	want(t, p, asked, false, "[a c]", "[b]")
	if got := fmt.Sprint(p.silent(asked)); got != "[i-b]" {
		t.Errorf("asked again: %s", got)
	}
	p.take(says("b", true))
	want(t, p, asked, true, "[a b c]", "[]")
	p.take(says("b", false)) // an older answer that comes late
	want(t, p, asked, true, "[a b c]", "[]")
}

func TestASilentNodeIsPendingUntilItsHorizonHasPassedSinceTheQuestion(t *testing.T) {
	t.Parallel()
	silent := member("c")
	silent.SeenMs = hour.Milliseconds() // how long ago it was heard of says nothing
	p := newPoll(asked, []Member{member("a"), silent}, true, false)
	p.take(answer{Member: member("a"), Applied: true, Seasoned: true})
	want(t, p, asked+10*time.Second-1, false, "[a]", "[c]")
	want(t, p, asked+10*time.Second, true, "[a c]", "[]")
	if a, _ := p.result(asked + 10*time.Second); a[1].State != "expired" {
		t.Errorf("the frozen node is said to be %q", a[1].State)
	}
}

func TestAGoodbyeEndsTheWaiting(t *testing.T) {
	t.Parallel()
	p := newPoll(asked, roster3(), true, false)
	p.take(says("a", true))
	b := says("b", true)
	b.Gone = []Member{member("c")}
	p.take(b)
	want(t, p, asked, true, "[a b]", "[]")
}

func TestTheRosterIsTheUnionOfThoseWhoAnswer(t *testing.T) {
	t.Parallel()
	p := newPoll(asked, nil, false, false)
	want(t, p, asked+hour, false, "[]", "[]")
	a := says("a", true)
	a.Roster, a.Hash = []Member{member("a"), member("b")}, hash([]Member{member("a"), member("b")})
	p.take(a)
	b := says("b", true)
	b.Roster, b.Hash = []Member{member("b"), member("c")}, hash([]Member{member("b"), member("c")})
	p.take(b)
	want(t, p, asked, false, "[a b]", "[c]")
	p.take(says("c", true))
	if p.done(asked) {
		t.Fatal("complete although the roster of c is not known")
	}
	c := says("c", true)
	c.Roster = roster3()
	p.take(c)
	want(t, p, asked, true, "[a b c]", "[]")
}

func TestWithoutATrustedRosterTheLongestHorizonHasToPass(t *testing.T) {
	t.Parallel()
	p := newPoll(asked, []Member{member("a")}, false, false)
	p.take(answer{Member: member("a"), Applied: true})
	want(t, p, asked+hour, false, "[a]", "[]")
	p.longest = 30 * time.Second
	want(t, p, asked+30*time.Second-1, false, "[a]", "[]")
	want(t, p, asked+30*time.Second, true, "[a]", "[]")
	nobody := newPoll(asked, nil, false, false)
	nobody.longest = 30 * time.Second
	want(t, nobody, asked+29*time.Second, false, "[]", "[]")
	want(t, nobody, asked+30*time.Second, true, "[]", "[]")
}

func TestNobodyIsWaitedForLongerThanTheFleetMayServe(t *testing.T) {
	t.Parallel()
	ghost := member("ghost")
	ghost.HorizonMs = (1000 * hour).Milliseconds()
	p := newPoll(asked, []Member{ghost}, true, false)
	p.longest = 20 * time.Second
	want(t, p, asked+20*time.Second-1, false, "[]", "[ghost]")
	want(t, p, asked+20*time.Second, true, "[ghost]", "[]")
}

func TestALargeRosterIsToldInPartsAndWaitedForWhole(t *testing.T) {
	t.Parallel()
	var all []Member
	for i := range 5 {
		all = append(all, member(fmt.Sprintf("n%d", i)))
	}
	p := newPoll(asked, nil, false, false)
	for _, m := range all {
		p.take(answer{Member: m, Applied: true, Seasoned: true, Hash: hash(all)})
	}
	if p.done(asked) || len(p.tellers()) != 1 {
		t.Fatalf("done %v without the roster; asked for it: %v", p.done(asked), p.tellers())
	}
	teller := all[3]
	p.take(answer{Member: teller, Applied: true, Hash: hash(all), Roster: all[:2], Left: 3})
	if p.done(asked) {
		t.Fatal("done with a part of the roster")
	}
	p.take(answer{Member: teller, Applied: true, Hash: hash(all), Roster: all[2:], Left: 0})
	if !p.done(asked) {
		t.Fatal("not done with the whole roster")
	}
}

func TestARosterThatIsFullIsNotTrusted(t *testing.T) {
	t.Parallel()
	var r roster
	for i := range rosterMost + 1 {
		r.hear(member(fmt.Sprintf("n%d", i)), 0)
	}
	if !r.full || len(r.members) != rosterMost {
		t.Fatalf("full %v with %d members", r.full, len(r.members))
	}
	p := newPoll(asked, roster3(), true, true)
	for _, name := range []string{"a", "b", "c"} {
		p.take(says(name, true))
	}
	if p.done(asked) {
		t.Error("complete although somebody was left out of the roster")
	}
}

func TestTheRosterForgetsWhoCanServeNothingAnyMore(t *testing.T) {
	t.Parallel()
	var r roster
	m := member("a")
	m.EveryMs = 2000
	r.hear(m, 0)
	r.lapse(12*time.Second, 0)
	if len(r.members) != 1 {
		t.Fatal("forgotten while it may still serve: a beat and its horizon have not passed")
	}
	r.lapse(12*time.Second+1, 0)
	if len(r.members) != 0 {
		t.Fatal("kept for ever")
	}
	r.hear(m, 0)
	r.bye(m.key(), 1)
	r.hear(m, 2)
	if len(r.members) != 0 {
		t.Error("a presence that was overtaken by its goodbye brought the node back")
	}
	for i := range goneMost + 10 {
		r.bye(key{fmt.Sprint(i), "x"}, 3)
	}
	if len(r.gone) != goneMost {
		t.Errorf("%d goodbyes remembered", len(r.gone))
	}
}

func TestAHorizonNeverShrinks(t *testing.T) {
	t.Parallel()
	var r roster
	long, short := member("a"), member("a")
	long.HorizonMs = 60_000
	r.hear(long, 0)
	r.hear(short, 1)
	if got := r.list(1)[0].HorizonMs; got != 60_000 {
		t.Errorf("what it stored before may be served for a minute, the roster says %d ms", got)
	}
}
