package depend

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

// anyLabel is a label of every sort, of a few functions and families or of many. Its numbers are not rapid's, which are small
// ones mostly: sets have to overflow.
func anyLabel(rng *rand.Rand, names int) Label {
	name, sub := fmt.Sprintf("n%d", rng.IntN(names)), strconv.Itoa(rng.IntN(200))
	switch rng.IntN(40) {
	case 0:
		return All()
	case 1, 2, 3, 4:
		return Function(name)
	case 5, 6, 7, 8, 9, 10:
		return Tag(name + ":" + sub)
	case 11, 12, 13, 14:
		return Prefix(name + ":" + sub + "/")
	default:
		return Key(name, sub)
	}
}

// hits reports whether an invalidation of l touches an entry that carries have: it raises l's own label, its any label and the
// global any label.
func hits(l Label, have []Label) bool {
	return slices.ContainsFunc(have, func(h Label) bool { return h.Hash == l.Hash || h.Hash == l.Any || h.Hash == GlobalAny() })
}

func TestASetIsHitByWhateverHitAnythingAddedToIt(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		names := rapid.SampledFrom([]int{1, 3, 60, 600}).Draw(t, "names")
		var all, parent Set
		var added []Label
		for _, n := range rapid.SliceOfN(rapid.SampledFrom([]int{1, 30, 60, MaxLabels, MaxLabels + 1, MaxLabels + 2, 2 * MaxLabels}), 1, 4).Draw(t, "reads of children") {
			part := make([]Label, n)
			for i := range part {
				part[i] = anyLabel(rng, names)
			}
			var child Set // what a child read flows to its parent, collapsed as it may be
			child.Add(part...)
			parent.Add(child.Labels()...)
			all.Add(part...)
			added = append(added, part...)
		}
		for what, s := range map[string]*Set{"set": &all, "parent": &parent} {
			if len(s.Labels()) > MaxLabels {
				t.Fatalf("%s has %d labels", what, len(s.Labels()))
			}
			for i, l := range s.Labels() {
				if slices.Contains(s.Labels()[:i], l) {
					t.Fatalf("%s has a label twice", what)
				}
			}
			for _, l := range added {
				if !hits(l, s.Labels()) {
					t.Fatalf("%s of %d labels, collapsed %v: an invalidation of one that was added passes by", what, len(s.Labels()), s.Collapsed())
				}
			}
		}
		if len(all.Labels()) > 0 && !all.Collapsed() {
			if l := anyLabel(rng, 400); !slices.Contains(added, l) && slices.ContainsFunc(all.Labels(), func(h Label) bool { return h.Hash == l.Hash }) {
				t.Fatal("a set that did not collapse is hit by a label that was never added")
			}
		}
	})
}

func TestASetCollapsesNoSoonerAndNoFurtherThanItMust(t *testing.T) {
	t.Parallel()
	var s Set
	for i := range MaxLabels {
		s.Add(Tag(fmt.Sprintf("user:%d", i)), Tag("user:0"))
	}
	if s.Collapsed() || len(s.Labels()) != MaxLabels {
		t.Fatalf("%d labels, collapsed %v; %d fit", len(s.Labels()), s.Collapsed(), MaxLabels)
	}
	s.Add(Function("f"))
	want := []Label{{Tag("user:1").Any, Tag("user:1").Any}, {Function("f").Any, Function("f").Any}}
	if !s.Collapsed() || !slices.Equal(s.Labels(), want) {
		t.Fatalf("%v, want the any labels of user and f, %v", s.Labels(), want)
	}
	for i := range MaxLabels - 2 {
		s.Add(Key(fmt.Sprintf("f%d", i), "k"))
	}
	if len(s.Labels()) != MaxLabels || s.Labels()[0].Hash == GlobalAny() {
		t.Fatalf("%d labels, the first %v; %d any labels fit", len(s.Labels()), s.Labels()[0], MaxLabels)
	}
	s.Add(Tag("late:1"))
	s.Add(Tag("later:1"))
	if want := []Label{{GlobalAny(), GlobalAny()}}; !slices.Equal(s.Labels(), want) || !s.Collapsed() {
		t.Fatalf("%v, want the global any label alone", s.Labels())
	}
}

func TestLabelsThatShareOneHashKeepBothAnyLabels(t *testing.T) {
	t.Parallel()
	var s Set
	a, b := Label{Hash: 1, Any: 2}, Label{Hash: 1, Any: 3}
	s.Add(a, b)
	for i := range uint64(MaxLabels) {
		s.Add(Label{Hash: 100 + i, Any: 4})
	}
	for _, l := range []Label{a, b} {
		if !hits(l, s.Labels()) {
			t.Errorf("%v was dropped in the collapse", l)
		}
	}
}
