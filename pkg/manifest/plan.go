package manifest

import (
	"slices"
	"strings"

	"github.com/lethe-cache/lethe/pkg/event"
)

// change is what a write does to one object. It is made from what was read before, and carried out only if that still stands.
type change struct {
	shape  *shape
	id     ident
	action Action
	old    *record // nil = there was none
	next   Object  // what stands there after it; of a Deleted one what stood there
	makes  *shape  // of a manifest of kind Kind: the kind it describes

	stale []event.Target // what the kind says of the old and of the next object
	refs  []Reference    // of the next object
	was   []Reference    // of the old one
	moved bool           // the spec may be another: what it refers to is to be written
	adds  bool           // nothing but what it refers to is written, where that is missing
}

// plan is all that one write does: all of it or nothing.
type plan struct {
	changes []*change        // in the order in which they were asked for
	targets []event.Target   // announced besides
	class   *class           // announced as a whole; nil = none
	kinds   map[string]int64 // the stored kinds it relies on, by family, and their versions; those that it writes itself left out
}

func (p *plan) idle() bool {
	return p.class == nil && !slices.ContainsFunc(p.changes, func(c *change) bool { return c.action != Unchanged })
}

// ordered are the changes in the order in which they are written: that of their names, kinds first.
func (p *plan) ordered() []*change {
	all := slices.Clone(p.changes)
	slices.SortFunc(all, func(a, b *change) int { return a.id.compare(b.id) })
	return all
}

// locks it needs before anything is written. What stays as it is must stay so until the others are written: one apply is one
// decision about all of its documents. A shared lock is enough for that. With again, the plan is to be made anew under the locks,
// and what stayed may change then: a shared lock that is to become one's own can wait for another one that wants the same, so each
// object is locked alone from the start.
func (p *plan) locks(again bool) locks {
	l := locks{}
	for family := range p.kinds {
		l.shared(ident{kindFamily, DefaultNamespace, family})
	}
	for _, c := range p.changes {
		if c.action == Unchanged && !again {
			l.shared(c.id)
			continue
		}
		l.alone(c.id)
		for _, r := range c.refs {
			l.shared(r.ident())
		}
	}
	return l
}

func (r Reference) ident() ident { return ident{familyOf(r.Kind), r.Namespace, r.Name} }

// ask fills in what the kind says about a change.
func (c *change) ask() error {
	var olds []Object
	if c.old != nil {
		olds = append(olds, c.old.as(c.shape))
	}
	if c.action != Deleted && c.action != Invalidated {
		olds = append(olds, c.next)
	}
	for _, o := range olds {
		stale, err := c.shape.stale(o)
		if err != nil {
			return of(o, err)
		}
		c.stale = append(c.stale, stale...)
	}
	if !c.moved {
		return nil
	}
	var err error
	if c.refs, err = c.shape.references(c.next); err != nil {
		return of(c.next, err)
	}
	if c.old == nil {
		return nil
	}
	c.was, err = c.shape.references(c.old.as(c.shape))
	return err
}

// familyOf is the tag family of a kind.
func familyOf(kind string) string { return strings.ToLower(kind) }
