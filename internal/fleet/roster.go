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
	members map[key]known
	gone    []departed // the oldest first
	full    bool       // somebody was left out: not to be trusted
}

type known struct {
	Member
	heard time.Duration
}

type departed struct {
	key
	at time.Duration
}

// hear notes a sign of life. told is how long ago it was where somebody else passes it on.
func (r *roster) hear(m Member, now, told time.Duration) {
	if !m.legal() || r.left(m.key()) {
		return
	}
	if r.members == nil {
		r.members = make(map[key]known)
	}
	at := now - told
	old, ok := r.members[m.key()]
	if ok && old.heard > at {
		old.HorizonMs = max(old.HorizonMs, m.HorizonMs)
		r.members[m.key()] = old
		return
	}
	if !ok && len(r.members) >= rosterMost {
		r.full = true
		return
	}
	m.HorizonMs = max(m.HorizonMs, old.HorizonMs) // what it serves may be from before it asked for less
	r.members[m.key()] = known{m, at}
}

// bye notes a goodbye; the instance never comes back.
func (r *roster) bye(k key, now time.Duration) {
	delete(r.members, k)
	if r.left(k) {
		return
	}
	r.gone = append(r.gone, departed{k, now})
	if len(r.gone) > goneMost {
		r.gone = slices.Delete(r.gone, 0, 1)
	}
}

func (r *roster) left(k key) bool {
	return slices.ContainsFunc(r.gone, func(d departed) bool { return d.key == k })
}

// lapse drops who can no longer serve anything and was not heard of for three of its beats.
func (r *roster) lapse(now time.Duration) {
	for k, m := range r.members {
		every := time.Duration(m.EveryMs) * time.Millisecond
		if now-m.heard > max(3*every, every+m.horizon()) {
			delete(r.members, k)
		}
	}
	if len(r.members) < rosterMost/2 {
		r.full = false
	}
}

// list is all members, in order of their keys, with how long ago each was heard of.
func (r *roster) list(now time.Duration) []Member {
	all := make([]Member, 0, len(r.members))
	for _, m := range r.members {
		m.SeenMs = max(now-m.heard, 0).Milliseconds()
		all = append(all, m.Member)
	}
	slices.SortFunc(all, byName)
	return all
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
