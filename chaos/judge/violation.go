package judge

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Violation is a promise that a read broke, with the history around it.
type Violation struct {
	Rule    string
	Node    int
	Read    Read
	Why     string
	History []string // lines of reads and applies of this key on this node, of commits and stored invalidations of the key, in order
}

func (v Violation) String() string {
	return fmt.Sprintf("%s: node %d: %s: %s", v.Rule, v.Node, AppendRead(nil, v.Read), v.Why)
}

// Text is the violation and its history, for a file.
func (v Violation) Text() string { return v.String() + "\n" + strings.Join(v.History, "\n") + "\n" }

// slice is the recent history of a key on a node; with the lock held.
func (j *Judge) slice(n *nodePast, key int) []string {
	type line struct {
		at   int64
		text string
	}
	var lines []line
	a, k := &n.applied[key], &j.keys[key]
	for _, r := range a.reads.all() {
		lines = append(lines, line{r.Begin, string(AppendRead(nil, r))})
	}
	for _, e := range a.recent.all() {
		lines = append(lines, line{e.End, string(AppendApplied(nil, e))})
	}
	for _, c := range k.recentWrites.all() {
		lines = append(lines, line{c.End, fmt.Sprintf("C %d:%d %d %d", c.Key, c.Version, c.Begin, c.End)})
	}
	for _, s := range k.recentStored.all() {
		lines = append(lines, line{s.Seen, fmt.Sprintf("S %d stamp %d seen %d %s %s", s.Sequence, s.Stamp, s.Seen, hardness(s.Soft), FormatCovers(s.Covers))})
	}
	slices.SortStableFunc(lines, func(a, b line) int { return cmp.Compare(a.at, b.at) })
	texts := make([]string, len(lines))
	for i, l := range lines {
		texts[i] = fmt.Sprintf("%d %s", l.at, l.text)
	}
	return texts
}

// ring keeps the last of what is added.
type ring[T any] struct {
	items []T
	next  int
}

const ringSize = 128

func (r *ring[T]) add(item T) {
	if len(r.items) < ringSize {
		r.items = append(r.items, item)
		return
	}
	r.items[r.next] = item
	r.next = (r.next + 1) % ringSize
}

func (r *ring[T]) all() []T { return slices.Concat(r.items[r.next:], r.items[:r.next]) }
