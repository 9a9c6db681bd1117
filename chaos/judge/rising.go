package judge

import (
	"slices"
	"sort"
)

// rising is what was the newest version since when: moments in order, versions that rise with them.
type rising []mark

type mark struct{ at, version int64 }

// add notes that version was there at a moment. What an earlier moment already had, or had more of, is nothing new.
func (r *rising) add(at, version int64) {
	i := sort.Search(len(*r), func(i int) bool { return (*r)[i].at > at })
	if i > 0 && (*r)[i-1].version >= version {
		return
	}
	j := i
	for j < len(*r) && (*r)[j].version <= version {
		j++
	}
	*r = slices.Replace(*r, i, j, mark{at, version})
}

// newer is the first moment that had a version above v.
func (r *rising) newer(v int64) (at int64, ok bool) {
	i := sort.Search(len(*r), func(i int) bool { return (*r)[i].version > v })
	if i == len(*r) {
		return 0, false
	}
	return (*r)[i].at, true
}

// before is the newest version of the moments before at.
func (r *rising) before(at int64) int64 {
	i := sort.Search(len(*r), func(i int) bool { return (*r)[i].at >= at })
	if i == 0 {
		return 0
	}
	return (*r)[i-1].version
}

// forget drops what is older than horizon, and keeps the newest of it: that is what there was at the horizon.
func (r *rising) forget(horizon int64) {
	i := sort.Search(len(*r), func(i int) bool { return (*r)[i].at >= horizon })
	if i > 1 {
		*r = slices.Delete(*r, 0, i-1)
	}
}
