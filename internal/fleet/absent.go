package fleet

import (
	"cmp"
	"slices"
	"time"
)

// Bounds of what is kept of members that fell silent without a goodbye.
const (
	absentMost  = 256              // names
	absentTold  = 64               // of them, the latest, in one answer
	absentFor   = 10 * time.Minute // since the last sign of life
	absentLeast = 10 * time.Second // of silence, before it is said
)

// absences is who fell silent without a goodbye: killed, frozen or cut off. It is for those who look at the fleet; nobody waits for
// whom it names. It is not safe for concurrent use; times are of its owner's clock.
type absences struct {
	of    map[string]absence // by name
	heard time.Duration      // when presence came last, anybody's, this node's own included
	since time.Duration      // from when it has come without a pause
	total uint64             // that were said
}

type absence struct {
	Member
	heard time.Duration // its last sign of life
	said  bool
}

// hears notes that presence arrives. every is the interval of this node's own: after a longer pause the bus was away, or this node
// stood still, and that others were silent says nothing of them.
func (a *absences) hears(now, every time.Duration) {
	if now-a.heard > 2*every {
		a.since = now
	}
	a.heard = now
}

// look compares the roster with what is known, before it forgets anybody. It returns who is now said to be gone, and who was said to
// be and is back.
func (a *absences) look(r *roster, now, every time.Duration) (gone, back []absence) {
	for k, m := range r.members {
		if k != r.own && !r.living(k.node, now) {
			a.add(absence{Member: m.Member, heard: m.heard}, r)
		}
	}
	hearing := now-a.heard <= 2*every
	for name, x := range a.of {
		switch {
		case r.living(name, now):
			delete(a.of, name)
			if x.said {
				back = append(back, x)
			}
		case r.left(x.key()), now-x.heard > absentFor && len(r.names[name]) == 0:
			delete(a.of, name)
		case !x.said && hearing && now-max(a.since, x.heard) > max(3*x.every(), absentLeast):
			x.said = true
			a.of[name] = x
			a.total++
			gone = append(gone, x)
		}
	}
	slices.SortFunc(gone, byNameOf)
	slices.SortFunc(back, byNameOf)
	return gone, back
}

// add remembers one more. Where there are too many, the one that was silent for longest and is in no roster any more makes way.
func (a *absences) add(x absence, r *roster) {
	if _, ok := a.of[x.Node]; ok {
		return
	}
	if a.of == nil {
		a.of = make(map[string]absence)
	}
	if len(a.of) >= absentMost {
		oldest := ""
		for name, have := range a.of {
			if len(r.names[name]) == 0 && (oldest == "" || have.heard < a.of[oldest].heard) {
				oldest = name
			}
		}
		if oldest == "" {
			return
		}
		delete(a.of, oldest)
	}
	a.of[x.Node] = x
}

// list is who is missing, the latest first. One that was not said to be gone is not Vanished: this node may be the one that is cut off.
func (a *absences) list(now time.Duration) []Member {
	all := make([]absence, 0, len(a.of))
	for _, x := range a.of {
		all = append(all, x)
	}
	slices.SortFunc(all, func(x, y absence) int { return cmp.Or(cmp.Compare(y.heard, x.heard), byNameOf(x, y)) })
	members := make([]Member, 0, len(all))
	for _, x := range all {
		m := brief(x.Member)
		m.Version, m.SeenMs, m.Vanished = x.Version, max((now-x.heard).Milliseconds(), 1), x.said
		members = append(members, m)
	}
	return members
}

// told is what others are told of it.
func (a *absences) told(now time.Duration) []Member {
	said := slices.DeleteFunc(a.list(now), func(m Member) bool { return !m.Vanished })
	return said[:min(len(said), absentTold)]
}

func byNameOf(x, y absence) int { return byName(x.Member, y.Member) }

// lives says whether an instance, or this node itself, has given a sign of life lately.
func (r *roster) lives(k key, now time.Duration) bool {
	m := r.members[k]
	return k == r.own || now-m.heard <= 3*m.every()
}

// living says whether a node of that name has given a sign of life lately.
func (r *roster) living(name string, now time.Duration) bool {
	return slices.ContainsFunc(r.names[name], func(instance string) bool {
		return r.lives(key{name, instance}, now)
	})
}

// alive is how many members have given a sign of life lately.
func (r *roster) alive(now time.Duration) (n int) {
	for k := range r.members {
		if r.lives(k, now) {
			n++
		}
	}
	return n
}

// Counts is how many nodes live, this one included, and how many have fallen silent without a goodbye, as far as this one has heard.
func (f *Fleet) Counts() (living int, vanished uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.roster.alive(f.now()), f.absent.total
}

// miss notes a member that is missing; what somebody says of it counts for more than that this node does not hear it.
func (p *poll) miss(m Member, vanished bool) {
	if !m.legal() {
		return
	}
	m = m.clamped()
	m.SeenMs, m.Vanished, m.State = max(m.SeenMs, 1), vanished, ""
	have, ok := p.absent[m.Node]
	if !ok && len(p.absent) >= absentMost || ok && have.SeenMs <= m.SeenMs && (have.Vanished || !vanished) {
		return
	}
	if p.absent == nil {
		p.absent = make(map[string]Member)
	}
	p.absent[m.Node] = m
}

// missing is who is missing and in no roster, so that nobody waits for it: not who has said goodbye to somebody.
func (p *poll) missing() (all []Member) {
	for name, m := range p.absent {
		if p.named[name] == 0 && !p.left[m.key()] {
			all = append(all, m)
		}
	}
	return all
}
