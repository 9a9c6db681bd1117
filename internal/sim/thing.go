package sim

import (
	"fmt"

	"github.com/lethe-cache/lethe/internal/depend"
)

// What is memoized: rows of the database, one function of a row each ("row"), and what is made of them ("sum").
const (
	rows    = 12
	parents = 6
	things  = rows + parents
	groups  = 3 // tags of rows: "t:<group>/<row>"
	padding = 70
)

const (
	leaf     = "row"
	compound = "sum"
)

func function(thing int) int {
	if thing < rows {
		return 0
	}
	return 1
}

// names are the labels of all things and targets, hashed once.
type names struct {
	function [2]depend.Label
	key      [things]depend.Label
	tag      [rows]string
	padTags  []string
	all      uint64              // what every entry carries
	targets  map[target][]uint64 // what invalidating it raises
}

func newNames() *names {
	l := &names{all: depend.All().Hash, targets: map[target][]uint64{}}
	for i, f := range []string{leaf, compound} {
		l.function[i] = depend.Function(f)
	}
	for i := range things {
		l.key[i] = depend.Key([]string{leaf, compound}[function(i)], fmt.Sprintf("[%d]", i))
	}
	for i := range rows {
		l.tag[i] = fmt.Sprintf("t:%d/%d", i%groups, i)
	}
	for i := range padding {
		l.padTags = append(l.padTags, fmt.Sprintf("u:%d/1/2/3/4/5/6/7", i)) // with its boundaries ten labels
	}
	add := func(kind scope, i int, lb depend.Label) {
		l.targets[target{kind: kind, i: uint8(i)}] = []uint64{lb.Hash, lb.Any, depend.GlobalAny()}
	}
	for i := range things {
		add(ofKey, i, l.key[i])
	}
	for i := range rows {
		add(ofTag, i, depend.Tag(l.tag[i]))
	}
	for i := range groups {
		add(ofPrefix, i, depend.Prefix(fmt.Sprintf("t:%d/", i)))
	}
	for i := range padding {
		add(ofPadding, i, depend.Tag(l.padTags[i]))
	}
	add(ofFunction, 0, l.function[0])
	add(ofFunction, 1, l.function[1])
	add(ofAll, 0, depend.All())
	return l
}

// scope is what a target names.
type scope uint8

const (
	ofKey scope = iota
	ofTag
	ofPrefix
	ofPadding // a tag that wide compounds carry by the dozen
	ofFunction
	ofAll
)

// target is one thing to forget. It is an item of group commit.
type target struct {
	kind scope
	i    uint8
	soft bool
}

// Size is what it adds to an event.
func (target) Size() int { return 24 }

func (t target) hashes(l *names) []uint64 {
	t.soft = false
	return l.targets[t]
}

// lane is the subject it travels on.
func (t target) lane() string {
	switch t.kind {
	case ofTag, ofPrefix:
		return "tag.t"
	case ofPadding:
		return "tag.u"
	case ofAll:
		return "all"
	case ofFunction:
		return "fn." + []string{leaf, compound}[t.i]
	default:
		return "fn." + []string{leaf, compound}[function(int(t.i))]
	}
}

// widest is the one target that covers a lane.
func widest(lane string) target {
	switch lane {
	case "fn." + leaf:
		return target{kind: ofFunction}
	case "fn." + compound:
		return target{kind: ofFunction, i: 1}
	default:
		return target{kind: ofAll}
	}
}

// covers says whether forgetting t makes what is loaded for thing wrong.
func (t target) covers(thing int, g *reads) bool {
	i := int(t.i)
	switch t.kind {
	case ofKey:
		return thing == i
	case ofTag:
		return thing == i
	case ofPrefix:
		return thing < rows && thing%groups == i
	case ofPadding:
		return thing >= rows && g.wide[thing-rows]
	case ofFunction:
		return function(thing) == i
	default:
		return true
	}
}

// reads is which things the load of a compound reads, and which compounds carry so many labels that they are collapsed.
type reads struct {
	of   [parents][]int
	wide [parents]bool
}

func newReads(r *rnd, circles bool) reads {
	var g reads
	for i := range g.of {
		for range 1 + r.below(4) {
			most := rows + i // what stands before it: no circles
			if circles {
				most = things
			}
			c := r.below(most)
			if i > 0 && r.chance(4000) {
				c = rows + r.below(i)
			}
			g.of[i] = append(g.of[i], c)
		}
		g.wide[i] = r.chance(2000)
	}
	return g
}
