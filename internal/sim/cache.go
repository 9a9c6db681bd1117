package sim

import (
	"github.com/lethe-cache/lethe/internal/depend"
	"github.com/lethe-cache/lethe/internal/fence"
)

// value is what a load brings: versions of rows, and when the loads began that brought them.
type value struct {
	ver   [rows]int32
	begun [things]int32 // 0: not in it
	stale bool          // something in it was served stale: it may be softly invalidated
	lag   int64         // by how much the policy of something in it lets it be older than the bound
}

// add takes in what was read.
func (v *value) add(o *value) {
	for i, b := range o.begun {
		if b == 0 {
			continue
		}
		if i < rows && (v.begun[i] == 0 || o.ver[i] < v.ver[i]) {
			v.ver[i] = o.ver[i]
		}
		if v.begun[i] == 0 || b < v.begun[i] {
			v.begun[i] = b
		}
	}
	v.stale = v.stale || o.stale
	v.lag = max(v.lag, o.lag)
}

// entry is what a tier keeps. The entries of the two tiers are two, each with a memory of its own.
type entry struct {
	fence.Life
	memo   fence.Memo
	labels []depend.Label
	value  *value
}

func (e *entry) carry(all uint64) {
	e.Labels = make([]uint64, 0, len(e.labels)+1)
	for _, l := range e.labels {
		e.Labels = append(e.Labels, l.Hash)
	}
	e.Labels = append(e.Labels, all)
}

func (e *entry) copied() *entry { return &entry{Life: e.Life, labels: e.labels, value: e.value} }

// serving is what a reading of an entry allows.
type serving int

const (
	unusable serving = iota
	fresh
	stale    // a load has to be under way
	byPolicy // without a lease
)

// serve says what may be done with an entry. r is what the gate said: lease first, then the fences, then the time.
func (cl *climate) serve(thing int, l *fence.Life, r fence.Reading) serving {
	f := &cl.functions[function(thing)]
	if r.Verdict == fence.Hard || r.Now >= l.End {
		return unusable
	}
	current := r.Verdict == fence.Fresh && r.Now < l.Expires
	switch {
	case r.Leased() && current:
		return fresh
	case !current && f.stale == 0:
		return unusable
	case r.Leased():
		return stale
	case r.Lease > 0 && r.Now < r.Lease+f.limit:
		return byPolicy
	}
	return unusable
}

// store writes an entry to the tiers, unless one that began to load later is there or it is invalid already. It happens under
// the lock of the key: nothing comes between.
func (n *node) store(thing int, e *entry) bool {
	var have *fence.Life
	if h := n.hot[thing]; h != nil {
		have = &h.Life
	}
	if b := n.bulk[thing]; b != nil && (have == nil || b.Start > have.Start) {
		have = &b.Life
	}
	if !n.gate.Admit(&e.Life, have) {
		n.w.count.Unstored++
		return false
	}
	n.w.count.Stores++
	n.bulk[thing] = e
	if n.rng.chance(8000) {
		n.hot[thing] = e.copied()
	}
	return true
}

// promote copies an entry of the bulk tier into the hot one.
func (n *node) promote(thing int, e *entry) {
	var have *fence.Life
	if h := n.hot[thing]; h != nil {
		have = &h.Life
	}
	if n.gate.Admit(&e.Life, have) {
		n.w.count.Promotions++
		n.hot[thing] = e.copied()
	}
}
