package manifest

import (
	"bytes"
	"encoding/json"
	"reflect"

	"github.com/lethe-cache/lethe/internal/document"
)

// retain is the spec of a Go value that is to be stored in place of another one, with the fields of that one that the Go type does
// not know: a newer version of the program has written them, and a value that was read, changed and applied can't say them. In
// objects, and in objects of those, each stays where it stands. Elements of a list have no names: a list that holds such fields stays
// as it is where nothing changes that this type knows, and is refused otherwise.
func (g goKind[S]) retain(old, next json.RawMessage) (json.RawMessage, error) {
	before, err := opened(Object{Spec: old})
	if err != nil {
		return nil, err
	}
	field := ""
	known(g.t, before, "spec", &field)
	if field == "" {
		return next, nil // as nearly always
	}
	after, err := opened(Object{Spec: next})
	if err != nil {
		return nil, err
	}
	var bad problems
	after = retained(g.t, before, after, "spec", &bad)
	if err := bad.err(); err != nil {
		return nil, err
	}
	return encoded("spec", after)
}

// known is a copy of a value with the fields only that a type knows; field is set to the first one that is left out.
func known(t reflect.Type, value any, at string, field *string) any {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if writesItself(t) {
		return value
	}
	switch v := value.(type) {
	case []any:
		if t.Kind() != reflect.Slice && t.Kind() != reflect.Array {
			return v
		}
		some := make([]any, len(v))
		for i := range v {
			some[i] = known(t.Elem(), v[i], document.Item(at, i), field)
		}
		return some
	case map[string]any:
		some := make(map[string]any, len(v))
		members := membersOf(t)
		for name, below := range sorted(v) {
			switch m, ok := members(name); {
			case ok && m != nil:
				some[name] = known(m, below, document.Member(at, name), field)
			case ok:
				some[name] = below
			case *field == "":
				*field = document.Member(at, name)
			}
		}
		return some
	}
	return value
}

// membersOf says whether an object of a type has a member of a name, and of which type; nil = of one that is not looked into.
func membersOf(t reflect.Type) func(name string) (reflect.Type, bool) {
	switch t.Kind() {
	case reflect.Map:
		return func(string) (reflect.Type, bool) { return t.Elem(), true }
	case reflect.Struct:
		all := named(t, map[string]member{})
		return func(name string) (reflect.Type, bool) {
			m, ok := all[name]
			if m.quoted {
				return nil, ok
			}
			return m.t, ok
		}
	default:
		return func(string) (reflect.Type, bool) { return nil, true }
	}
}

func retained(t reflect.Type, old, next any, at string, bad *problems) any {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if writesItself(t) {
		return next
	}
	switch before := old.(type) {
	case []any:
		field := ""
		same := known(t, before, at, &field)
		switch {
		case field == "":
			return next
		case equal(same, next):
			return before
		}
		bad.add(field, "is stored, and this version of the program does not know it: a list that changes can't keep it; apply the change by the newer version, or as a text that says all of the spec")
	case map[string]any:
		after, ok := next.(map[string]any)
		if !ok {
			return next
		}
		members := membersOf(t)
		for name, below := range sorted(before) {
			m, ok := members(name)
			value, has := after[name]
			switch {
			case !ok && !has:
				after[name] = below
			case ok && has && m != nil:
				after[name] = retained(m, below, value, document.Member(at, name), bad)
			}
		}
		return after
	}
	return next
}

// equal compares JSON values.
func equal(a, b any) bool {
	x, err := encoded("", a)
	if err != nil {
		return false
	}
	y, err := encoded("", b)
	return err == nil && bytes.Equal(x, y)
}
