package fleet

import (
	"fmt"
	"testing"
	"time"
)

// of is an instance of a name that tells of itself every two seconds.
func of(name, instance string) Member {
	return Member{Node: name, Instance: instance, HorizonMs: 10_000, EveryMs: 2000}
}

func TestALieAboutTheHorizonHoldsNobodyUpForLong(t *testing.T) {
	t.Parallel()
	var r roster
	lie := of("a", "i")
	lie.HorizonMs, lie.EveryMs = 10*365*24*hour.Milliseconds(), hour.Milliseconds()
	r.hear(lie, asked)
	p := newPoll(asked, r.list(asked), true, false)
	p.longest = 10 * time.Second
	if !p.done(asked + 10*time.Second) {
		t.Error("a Barrier waits for longer than any node of the fleet may serve")
	}
	r.lapse(asked+3*time.Minute, 10*time.Second)
	if len(r.members) != 1 {
		t.Error("forgotten before three of its intervals have passed")
	}
	r.lapse(asked+3*time.Minute+1, 10*time.Second)
	if len(r.members) != 0 {
		t.Error("still in the roster, and passed on to whoever asks")
	}
}

// A node may raise its horizon, and the stream's, at any time: what it says is kept, and counted when it is needed.
func TestALongHorizonCountsOnceTheStreamTellsOfIt(t *testing.T) {
	t.Parallel()
	var r roster
	long := of("a", "i")
	long.HorizonMs = 60_000
	r.hear(long, asked)
	r.lapse(asked+6*time.Second, 10*time.Second) // the stream has not told yet
	r.lapse(asked+30*time.Second, 60*time.Second)
	p := newPoll(asked, r.list(asked), true, false)
	p.longest = 60 * time.Second
	if len(r.members) != 1 || p.done(asked+60*time.Second-1) || !p.done(asked+60*time.Second) {
		t.Error("it is not waited for as long as it may serve")
	}
}

func TestInventedInstancesOfOneNamePushNobodyOut(t *testing.T) {
	t.Parallel()
	r := roster{own: key{"a", "self"}}
	r.hear(of("a", "self"), 1)
	r.hear(of("b", "i"), 1)
	for i := range 9000 {
		r.hear(of("a", fmt.Sprint("x", i)), time.Duration(i+2))
		r.bye(key{"c", fmt.Sprint("x", i)}, 2)
	}
	if r.full || len(r.members) != instancesMost+1 {
		t.Errorf("full %v, %d members", r.full, len(r.members))
	}
	for _, k := range []key{{"a", "self"}, {"b", "i"}, {"a", "x8999"}} {
		if _, ok := r.members[k]; !ok {
			t.Errorf("%v is not in the roster", k)
		}
	}
	if len(r.gone) != instancesMost {
		t.Errorf("%d goodbyes of one name", len(r.gone))
	}
	p := newPoll(asked, nil, false, false)
	told := says("b", true)
	for i := range 9000 {
		told.Roster = append(told.Roster, of("a", fmt.Sprint("x", i)))
	}
	p.take(told)
	if p.full || len(p.voters) != instancesMost+1 {
		t.Errorf("full %v, waits for %d", p.full, len(p.voters))
	}
	for i := range 40 { // those who answer are there, whatever their name
		p.take(answer{Member: of("a", fmt.Sprint("y", i))})
	}
	if len(p.voters) != instancesMost+41 {
		t.Errorf("waits for %d, and 40 more have answered", len(p.voters))
	}
}

func TestTheListAndItsHashFollowTheRoster(t *testing.T) {
	t.Parallel()
	var r roster
	same := func(step string) {
		t.Helper()
		if all := r.list(asked); r.hash() != hash(all) || len(all) != len(r.members) {
			t.Errorf("%s: %s is the hash of %d, %s that of the list", step, r.hash(), len(r.members), hash(all))
		}
	}
	r.hear(of("a", "1"), asked)
	same("one")
	r.hear(of("b", "1"), asked)
	same("two")
	longer := of("b", "1")
	longer.HorizonMs = 30_000
	r.hear(longer, asked+1)
	same("a longer horizon")
	longer.HorizonMs = 40_000
	r.tell(longer, asked+2, time.Hour)
	same("a longer horizon that is old news")
	r.bye(key{"a", "1"}, asked)
	same("a goodbye")
	r.lapse(asked+hour, 0)
	same("none")
}

func TestTwoLivingNodesOfOneNameAreNoticed(t *testing.T) {
	t.Parallel()
	const beat = 2 * time.Second
	var r roster
	for i := range 4 { // both tell of themselves
		at := asked + time.Duration(i)*beat
		r.hear(of("a", "1"), at)
		r.hear(of("a", "2"), at+time.Second)
		r.hear(of("b", "1"), at)
		if got, want := r.twins("a", at+time.Second), map[bool]int{true: 2}[i > 2]; got != want {
			t.Errorf("after %d beats %d nodes bear one name, want %d", i+1, got, want)
		}
	}
	if got := fmt.Sprint(r.doubled(asked + 4*beat)); got != "[a]" {
		t.Errorf("doubled: %s", got)
	}
	if got := r.twins("a", asked+20*time.Second); got != 0 {
		t.Errorf("both are silent, and %d are said to live", got)
	}
}

func TestANodeThatStartsAgainUnderItsNameIsNoDuplicate(t *testing.T) {
	t.Parallel()
	const beat = 2 * time.Second
	var r roster
	for i := range 20 { // killed after every second beat
		r.hear(of("a", fmt.Sprint(i/2)), asked+time.Duration(i)*beat)
		if n := r.twins("a", asked+time.Duration(i)*beat); n != 0 {
			t.Fatalf("beat %d: %d nodes bear one name", i, n)
		}
	}
	for i := range 10 { // what others tell proves no life
		at := asked + time.Duration(20+i)*beat
		r.hear(of("a", "9"), at)
		r.tell(of("a", "x"), at, 0)
		if n := r.twins("a", at); n != 0 {
			t.Fatalf("%d nodes bear one name, by hearsay", n)
		}
	}
}

func TestAnswersAreLimited(t *testing.T) {
	t.Parallel()
	l := newLimits()
	count := func(of *limit, now time.Duration) (n int) {
		for range 5000 {
			if of.may(now) {
				n++
			}
		}
		return n
	}
	if got := count(l.any, hour); got != answersRate {
		t.Errorf("%d answers at once, want %d", got, answersRate)
	}
	if got := count(l.any, hour+time.Second/2); got != answersRate/2 {
		t.Errorf("%d answers in half a second, want %d", got, answersRate/2)
	}
	if got := count(l.whole, hour); got != wholeRate {
		t.Errorf("%d rosters at once, want %d", got, wholeRate)
	}
}
