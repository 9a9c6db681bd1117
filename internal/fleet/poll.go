package fleet

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// poll is the progress of one question. It is a pure state machine: answers and the time go in, and it says whom to ask
// again and whether all is settled.
type poll struct {
	asked   time.Duration
	voters  map[key]*voter
	named   map[string]int // voters by name
	trusted bool           // somebody's roster is

	own    string          // hash of the asker's roster
	told   map[string]bool // rosters that are known whole, by hash
	untold map[string]teller
	full   bool

	left   map[key]bool      // who has said goodbye to somebody
	absent map[string]Member // who is missing, by name: to be shown

	longest time.Duration // the fleet's longest horizon; 0 = not known yet
}

// voter is a member that is waited for.
type voter struct {
	Member
	answered, applied, gone bool
}

// answers takes what v says of itself; the longest horizon it ever told counts.
func (v *voter) answers(m Member) {
	horizon := v.HorizonMs
	v.Member, v.answered = m.clamped(), true
	v.HorizonMs, v.SeenMs = horizon, 0
}

// teller is who can be asked for a roster, and how much of it has come.
type teller struct {
	instance string
	have     int
}

// newPoll begins with what the asker knows; an asker without a roster knows nothing.
func newPoll(asked time.Duration, sorted []Member, seasoned, full bool) *poll {
	p := &poll{asked: asked, voters: make(map[key]*voter), named: make(map[string]int), told: make(map[string]bool), untold: make(map[string]teller), trusted: seasoned, full: full}
	for _, m := range sorted {
		p.add(m, false)
	}
	if len(sorted) > 0 {
		p.own = hash(sorted)
		p.told[p.own] = true
	}
	return p
}

// add notes a member that answers, or that somebody tells of; nil: it is none, or there are too many.
func (p *poll) add(m Member, answers bool) *voter {
	if !m.legal() {
		return nil
	}
	m = m.clamped()
	v := p.voters[m.key()]
	if v == nil {
		if p.named[m.Node] >= instancesMost && !answers {
			return nil
		}
		if len(p.voters) >= rosterMost {
			p.full = true
			return nil
		}
		v = &voter{Member: m}
		p.named[m.Node]++
		p.voters[m.key()] = v
	}
	v.HorizonMs = max(v.HorizonMs, m.HorizonMs)
	return v
}

// take counts one answer.
func (p *poll) take(a answer) {
	v := p.add(a.Member, true)
	if v == nil {
		return
	}
	v.answers(a.Member)
	v.applied = v.applied || a.Applied
	p.trusted = p.trusted || a.Seasoned
	for _, m := range a.Gone {
		p.bye(m.key())
	}
	for _, m := range a.Roster {
		p.add(m, false)
	}
	for _, m := range a.Absent {
		p.miss(m, true)
	}
	p.count(a)
}

// know is what the asker, a member itself, knows of itself.
func (p *poll) know(self Member, applied bool) {
	if v := p.add(self, true); v != nil {
		v.answers(self)
		v.applied = v.applied || applied
	}
}

// count keeps account of whose rosters are known.
func (p *poll) count(a answer) {
	if a.Hash == "" || p.told[a.Hash] {
		return
	}
	if len(p.told)+len(p.untold) >= rosterMost || len(a.Hash) > textMost {
		p.full = true // no fleet has as many rosters
		return
	}
	size, _, _ := strings.Cut(a.Hash, "-")
	n, err := strconv.Atoi(size)
	if err != nil {
		n = -1 // never whole
	}
	t := p.untold[a.Hash]
	if t.instance != a.Instance || len(a.Roster)+a.Left == n {
		if t.have > 0 && len(a.Roster) == 0 {
			return // it says nothing of its roster this time
		}
		t = teller{instance: a.Instance} // another begins to tell, or the same anew
	}
	t.have += len(a.Roster)
	if p.untold[a.Hash] = t; t.have >= n && n >= 0 {
		p.told[a.Hash] = true
		delete(p.untold, a.Hash)
	}
}

// bye counts a goodbye. Who has left serves nothing.
func (p *poll) bye(k key) {
	if v := p.voters[k]; v != nil {
		v.gone = true
	}
	if p.left == nil {
		p.left = make(map[key]bool)
	}
	if len(p.left) < rosterMost {
		p.left[k] = true
	}
}

// until is when v can't serve anything older any more. Nobody serves longer than the fleet's longest horizon: a node raises
// that before it stores anything.
func (p *poll) until(v *voter) time.Duration {
	return p.asked + v.horizon(p.longest)
}

func (p *poll) settled(v *voter, now time.Duration) bool {
	return v.applied || v.gone || now >= p.until(v)
}

// done says whether nobody can serve anything older than what was asked for.
func (p *poll) done(now time.Duration) bool {
	for _, v := range p.voters {
		if !p.settled(v, now) {
			return false
		}
	}
	return p.trusted && len(p.untold) == 0 && !p.full || p.longest > 0 && now >= p.asked+p.longest
}

// heard says whether everybody known of has answered or left, and nobody else is to be expected.
func (p *poll) heard() bool {
	for _, v := range p.voters {
		if !v.answered && !v.gone {
			return false
		}
	}
	return len(p.untold) == 0 && len(p.voters) > 0
}

// silent is who has to be asked again.
func (p *poll) silent(now time.Duration) (instances []string) {
	for _, v := range p.voters {
		if !p.settled(v, now) {
			instances = append(instances, v.Instance)
		}
	}
	slices.Sort(instances)
	return instances
}

// tellers is who has to be asked for a roster, one of each that is not known.
func (p *poll) tellers() (instances []string) {
	for _, t := range p.untold {
		instances = append(instances, t.instance)
	}
	slices.Sort(instances)
	return instances
}

// result is who has applied it, or can no longer serve anything older, and who is waited for.
func (p *poll) result(now time.Duration) (applied, pending []Member) {
	for _, v := range p.voters {
		switch {
		case v.gone && !v.applied:
		case p.settled(v, now):
			if !v.answered || !v.applied {
				v.State = "expired" // as far as anyone can tell: its horizon has passed
			}
			applied = append(applied, v.Member)
		default:
			pending = append(pending, v.Member)
		}
	}
	slices.SortFunc(applied, byName)
	slices.SortFunc(pending, byName)
	return applied, pending
}
