package lethe

import (
	"github.com/lethe-cache/lethe/internal/depend"
	"github.com/lethe-cache/lethe/pkg/event"
)

// keyLabel is the label of one entry; key is its canonical text.
func (f *function) keyLabel(key string) depend.Label {
	if f.hashed {
		key = event.HashKey(key)
	}
	return depend.Key(f.name, key)
}

// appendLabels appends the hashes that forgetting t raises on this node: its label, its any label, and the global any label.
// Keys of a function that isn't memoized here concern no entry. shape says that the arguments can't be the function's, which
// then counts as a whole.
func (n *Node) appendLabels(dst []uint64, t event.Target) (_ []uint64, shape bool) {
	var l depend.Label
	switch t.Scope() {
	case event.ScopeAll:
		l = depend.All()
	case event.ScopeTag:
		l = depend.Tag(t.Name())
	case event.ScopePrefix:
		l = depend.Prefix(t.Name())
	case event.ScopeFunction, event.ScopeKey:
		f := n.functions.find(t.Name())
		if f == nil {
			return dst, false
		}
		l = f.label
		if t.Scope() == event.ScopeFunction {
			break
		}
		switch args, hash := t.Args(), t.ArgsHash(); {
		case f.hashed && hash != "":
			l = depend.Key(f.name, hash)
		case hash != "": // this function's keys are not hashed: which one is meant can't be told
		case !fits(f.shape, args):
			shape = true
		default:
			l = f.keyLabel(string(args))
		}
	}
	return append(dst, l.Hash, l.Any, depend.GlobalAny()), shape
}
