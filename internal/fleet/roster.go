package fleet

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strconv"
	"time"

	"github.com/cespare/xxhash/v2"
)

// roster is who was heard of. It is not safe for concurrent use; times are of its owner's clock.
type roster struct {
	own     key // of this node, which is never left out
	members map[key]known
	names   map[string][]string // instances by name
	gone    []departed          // the oldest first
	full    bool                // somebody was left out: not to be trusted
	order   []key               // sorted; nil = somebody has come or gone, or has another horizon
	sum     string              // hash of them
}

type known struct {
	Member
	heard time.Duration // its last sign of life, also as others tell it
	first time.Duration // when it was first heard by this node itself; 0 = it was not
	last  time.Duration // and when last
}

type departed struct {
	key
	at time.Duration
}

// hear notes what a member says of itself.
func (r *roster) hear(m Member, now time.Duration) {
	if !r.note(m, now) {
		return
	}
	k := r.members[m.key()]
	if k.first == 0 {
		k.first = now
	}
	k.last = now
	r.members[m.key()] = k
}

// tell notes what others tell of a member: a sign of life some time ago.
func (r *roster) tell(m Member, now, ago time.Duration) { r.note(m, now-max(ago, 0)) }

// note says whether the member is in the roster.
func (r *roster) note(m Member, at time.Duration) bool {
	if !m.legal() || r.left(m.key()) {
		return false
	}
	m = m.clamped()
	old, ok := r.members[m.key()]
	if ok && old.heard > at {
		if m.HorizonMs > old.HorizonMs {
			old.HorizonMs, r.order = m.HorizonMs, nil
			r.members[m.key()] = old
		}
		return true
	}
	if !ok {
		if !r.room(m.key()) {
			return false
		}
		r.names[m.Node] = append(r.names[m.Node], m.Instance)
	}
	m.HorizonMs = max(m.HorizonMs, old.HorizonMs) // what it serves may be from before it asked for less
	if !ok || m.HorizonMs > old.HorizonMs {
		r.order = nil
	}
	r.members[m.key()] = known{m, at, old.first, old.last}
	return true
}

// room makes room for one more. A name has at most instancesMost: the one that was silent for longest makes way. Names are
// unique in a fleet; more instances than that are the dead of a node that starts again and again, or invented.
func (r *roster) room(k key) bool {
	if r.members == nil {
		r.members, r.names = make(map[key]known), make(map[string][]string)
	}
	if have := r.names[k.node]; len(have) >= instancesMost {
		var silent key
		for _, instance := range have {
			if at := (key{k.node, instance}); at != r.own && (silent == key{} || r.members[at].heard < r.members[silent].heard) {
				silent = at
			}
		}
		r.drop(silent)
	}
	if len(r.members) >= rosterMost {
		r.full = true
		return false
	}
	return true
}

func (r *roster) drop(k key) {
	if _, ok := r.members[k]; !ok {
		return
	}
	delete(r.members, k)
	r.order = nil
	if rest := slices.DeleteFunc(r.names[k.node], func(i string) bool { return i == k.instance }); len(rest) > 0 {
		r.names[k.node] = rest
	} else {
		delete(r.names, k.node)
	}
}

// bye notes a goodbye; the instance never comes back.
func (r *roster) bye(k key, now time.Duration) {
	if k == r.own {
		return
	}
	r.drop(k)
	if r.left(k) {
		return
	}
	r.gone = append(r.gone, departed{k, now})
	same := func(d departed) bool { return d.node == k.node }
	named := 0
	for _, d := range r.gone {
		if same(d) {
			named++
		}
	}
	if named > instancesMost { // nobody's goodbyes push out those of others
		i := slices.IndexFunc(r.gone, same)
		r.gone = slices.Delete(r.gone, i, i+1)
	}
	if len(r.gone) > goneMost {
		r.gone = slices.Delete(r.gone, 0, 1)
	}
}

func (r *roster) left(k key) bool {
	return slices.ContainsFunc(r.gone, func(d departed) bool { return d.key == k })
}

// lapse drops who can no longer serve anything and was not heard of for three of its beats. longest is the fleet's longest
// horizon, 0 = not known.
func (r *roster) lapse(now, longest time.Duration) {
	for k, m := range r.members {
		if now-m.heard > max(3*m.every(), m.every()+m.horizon(longest)) {
			r.drop(k)
		}
	}
	if len(r.members) < rosterMost/2 {
		r.full = false
	}
}

// twins is how many living nodes bear the name, where there are several: 0 or at least 2. Two are alive where each has told of
// itself for more than two intervals since the other was first heard. One that starts again under its name is not: the old
// instance falls silent.
func (r *roster) twins(name string, now time.Duration) (n int) {
	instances := r.names[name]
	if len(instances) < 2 {
		return 0
	}
	for _, i := range instances {
		a := r.members[key{name, i}]
		if slices.ContainsFunc(instances, func(j string) bool {
			return i != j && outlived(a, r.members[key{name, j}], now) && outlived(r.members[key{name, j}], a, now)
		}) {
			n++
		}
	}
	return n
}

// outlived says whether a has told of itself for more than two intervals since b was first heard, and still does.
func outlived(a, b known, now time.Duration) bool {
	both := max(a.every(), b.every())
	return a.first != 0 && b.first != 0 && a.last-max(a.first, b.first) > 2*both && now-a.last <= 3*both
}

// doubled is the names that several living nodes bear, in order.
func (r *roster) doubled(now time.Duration) (names []string) {
	for name, instances := range r.names {
		if len(instances) > 1 && r.twins(name, now) > 0 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// list is all members, in order of their keys, with how long ago each was heard of.
func (r *roster) list(now time.Duration) []Member {
	r.sort()
	all := make([]Member, 0, len(r.order))
	for _, k := range r.order {
		m := r.members[k]
		m.SeenMs = max(now-m.heard, 0).Milliseconds()
		all = append(all, m.Member)
	}
	return all
}

// hash is that of the list, which is not made for it.
func (r *roster) hash() string {
	r.sort()
	return r.sum
}

// sort brings order and sum up to date, where members or horizons have changed.
func (r *roster) sort() {
	if r.order != nil {
		return
	}
	all := make([]Member, 0, len(r.members))
	for _, m := range r.members {
		all = append(all, m.Member)
	}
	slices.SortFunc(all, byName)
	r.order = make([]key, 0, len(all))
	for _, m := range all {
		r.order = append(r.order, m.key())
	}
	r.sum = hash(all)
}

func byName(a, b Member) int {
	return cmp.Or(cmp.Compare(a.Node, b.Node), cmp.Compare(a.Instance, b.Instance))
}

// hash is equal for rosters of the same members with the same horizons.
func hash(sorted []Member) string {
	h := xxhash.New()
	var num [8]byte
	for _, m := range sorted {
		_, _ = h.WriteString(m.Node + "\x00" + m.Instance + "\x00")
		binary.LittleEndian.PutUint64(num[:], uint64(m.HorizonMs))
		_, _ = h.Write(num[:])
	}
	return strconv.Itoa(len(sorted)) + "-" + strconv.FormatUint(h.Sum64(), 36)
}

// brief is what others need of a member to wait for it.
func brief(m Member) Member {
	return Member{Node: m.Node, Instance: m.Instance, HorizonMs: m.HorizonMs, EveryMs: m.EveryMs, SeenMs: m.SeenMs}
}
