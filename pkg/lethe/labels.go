package lethe

import (
	"log/slog"
	"reflect"
	"strings"

	"github.com/lethe-cache/lethe/internal/depend"
	"github.com/lethe-cache/lethe/pkg/event"
)

// keyLabel is the label of one entry; key is its canonical text.
func (f *function) keyLabel(key string) depend.Label {
	if f.hashed {
		key = event.HashKey(key)
	}
	return f.label.Key(key)
}

// takes reports whether a canonical key can be of this function, and as which of its keys. The common ones, a single string or
// number, are told by their ends: no quote stands within such a string, no comma within a number.
func (f *function) takes(key string) (own string, ok bool) {
	if len(f.shape) == 1 && len(key) > 2 && key[0] == '[' && key[len(key)-1] == ']' {
		switch arg := key[1 : len(key)-1]; {
		case f.shape[0] == stringKind && arg[0] == '"' && strings.IndexByte(arg[1:], '"') == len(arg)-2:
			return key, true
		case f.shape[0] == numberKind && !f.form.narrow && kindOfByte(arg[0]) == numberKind && strings.IndexByte(arg, ',') < 0:
			return key, true
		}
	}
	if f.form.text != "" {
		return f.form.takes(key)
	}
	return key, fits(f.shape, []byte(key)) && (!f.form.blurred || float32sOnly(key))
}

// setForm notes what keys of these arguments look like, and logs what that costs.
func (f *function) setForm(types []reflect.Type, log *slog.Logger) {
	if f.form = formOf(types); !f.form.part {
		f.like = event.FromCanonical(f.name, f.form.text).Hashed()
	}
	if f.hashed && f.form.narrow {
		log.Warn("lethe: a float32 in hashed keys: an event about one key forgets the whole function; use float64, or text", "function", f.name)
	}
}

// labeller tells the labels of targets, one after the other: mostly they are keys of one function.
type labeller struct {
	n    *Node
	name string
	f    *function // of that name
}

func (b *labeller) function(name string) *function {
	if b.f == nil || name != b.name {
		b.name, b.f = name, b.n.functions.find(name)
	}
	return b.f
}

// label is what forgetting t raises on this node. Keys of a function that isn't memoized here concern no entry: ok is false.
// shape says that the arguments can't be the function's, which then counts as a whole.
func (b *labeller) label(t event.Target) (l depend.Label, ok, shape bool) {
	if key := t.Canonical(); key != "" {
		f := b.function(t.Name())
		if f == nil {
			return l, false, false
		}
		own, taken := f.takes(key)
		if !taken {
			return f.label, true, true
		}
		return f.keyLabel(own), true, false
	}
	switch t.Scope() {
	case event.ScopeAll:
		return depend.All(), true, false
	case event.ScopeTag:
		return depend.Tag(t.Name()), true, false
	case event.ScopePrefix:
		return depend.Prefix(t.Name()), true, false
	case event.ScopeFunction, event.ScopeKey:
		f := b.function(t.Name())
		if f == nil {
			return l, false, false
		}
		if hash := t.ArgsHash(); hash != "" && f.hashed {
			// Of a hashed float32 it can't be told whether it was said as a double.
			if f.form.narrow || !t.SameShape(f.like) {
				return f.label, true, true
			}
			return f.label.Key(hash), true, false
		}
		return f.label, true, false // also where this function's keys are not hashed: which one is meant can't be told
	}
	return l, false, false
}

// raised are the hashes that one stamp raises: the targets' labels, their any labels, and the global any label.
type raised struct {
	labels []uint64
	last   uint64 // any label: once an event is enough for the keys of a function
}

// add returns r with l: written through a pointer, the room for labels would have to be on the heap.
func (r raised) add(l depend.Label) raised {
	if len(r.labels) == 0 || l.Any != r.last {
		r.labels, r.last = append(r.labels, l.Any), l.Any
	}
	r.labels = append(r.labels, l.Hash)
	return r
}

// all ends the list with the global any label; it is empty where nothing was added.
func (r raised) all() []uint64 {
	if len(r.labels) == 0 {
		return nil
	}
	return append(r.labels, depend.GlobalAny())
}

// appendLabels appends the hashes that forgetting t raises on this node.
func (n *Node) appendLabels(dst []uint64, t event.Target) (_ []uint64, shape bool) {
	b := labeller{n: n}
	l, ok, shape := b.label(t)
	if !ok {
		return dst, false
	}
	return append(dst, l.Hash, l.Any, depend.GlobalAny()), shape
}
