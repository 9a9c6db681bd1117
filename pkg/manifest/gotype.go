package manifest

import (
	"encoding"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/lethe-cache/lethe/internal/document"
)

// checkSpec refuses a type of specs that JSON would lose a part of: what is applied would silently not be what is stored.
func checkSpec(t reflect.Type) error {
	base := t
	for base.Kind() == reflect.Pointer {
		base = base.Elem()
	}
	if t != base || !writesItself(t) && t.Kind() != reflect.Struct && t.Kind() != reflect.Map {
		return fmt.Errorf("%s: a spec is an object; use a struct", t)
	}
	return specCheck{}.check(t, t.String())
}

// specCheck goes through a type once, however often it holds itself.
type specCheck map[reflect.Type]bool

func (c specCheck) check(t reflect.Type, path string) error {
	if c[t] {
		return nil
	}
	c[t] = true
	if itself, err := pair(t, path); itself || err != nil {
		return err
	}
	switch t.Kind() {
	case reflect.Bool, reflect.String, reflect.Float32, reflect.Float64,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return nil
	case reflect.Interface:
		if t.NumMethod() > 0 {
			return fmt.Errorf("%s is an interface, whose type JSON does not keep; use a concrete type", path)
		}
		return nil
	case reflect.Pointer:
		return c.check(t.Elem(), path)
	case reflect.Slice, reflect.Array:
		return c.check(t.Elem(), path+"[]")
	case reflect.Map:
		if itself, err := pair(t.Key(), path+"[key]"); err != nil {
			return err
		} else if k := t.Key().Kind(); !itself && k != reflect.String && (k < reflect.Int || k > reflect.Uintptr) {
			return fmt.Errorf("%s has keys of type %s, which JSON can't carry; use text", path, t.Key())
		}
		return c.check(t.Elem(), path+"[]")
	case reflect.Struct:
		return c.fields(t, path, map[string]string{})
	default:
		return fmt.Errorf("%s is a %s, which JSON can't carry", path, t.Kind())
	}
}

func (c specCheck) fields(t reflect.Type, path string, taken map[string]string) error {
	for f := range fields(t) {
		at := path + "." + f.Name
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Name == "_" || !f.IsExported() && f.Type.Size() == 0:
			continue
		case f.Tag.Get("json") == "-":
			return fmt.Errorf(`%s is left out by its tag "-": it would be lost; move it out of the spec`, at)
		case f.Anonymous && f.Type.Kind() == reflect.Pointer:
			return fmt.Errorf("%s is an embedded pointer; embed the struct, or give the field a name", at)
		case embedded(f):
			if err := c.fields(f.Type, at, taken); err != nil {
				return err
			}
			continue
		case !f.IsExported():
			return fmt.Errorf("%s is unexported: it would be lost; export it, or move it out of the spec", at)
		}
		if name == "" {
			name = f.Name
		}
		if other, clash := taken[name]; clash {
			return fmt.Errorf("%s and %s have the same name %q in JSON", at, other, name)
		}
		taken[name] = at
		if err := c.check(f.Type, at); err != nil {
			return err
		}
	}
	return nil
}

func fields(t reflect.Type) func(func(reflect.StructField) bool) {
	return func(yield func(reflect.StructField) bool) {
		for i := range t.NumField() {
			if !yield(t.Field(i)) {
				return
			}
		}
	}
}

// embedded is a field whose own fields JSON writes as if they stood in the outer struct.
func embedded(f reflect.StructField) bool {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct && !writesItself(f.Type)
}

// pair says whether t writes itself, in which case what it writes it has to read.
func pair(t reflect.Type, path string) (itself bool, err error) {
	p := reflect.PointerTo(t)
	for _, m := range []struct {
		writer, reader reflect.Type
		names          string
	}{
		{reflect.TypeFor[json.Marshaler](), reflect.TypeFor[json.Unmarshaler](), "MarshalJSON and UnmarshalJSON"},
		{reflect.TypeFor[encoding.TextMarshaler](), reflect.TypeFor[encoding.TextUnmarshaler](), "MarshalText and UnmarshalText"},
	} {
		writes, reads := t.Implements(m.writer), t.Implements(m.reader) || p.Implements(m.reader)
		switch {
		case writes != reads:
			if !writes && p.Implements(m.writer) {
				return true, fmt.Errorf("%s writes itself by a method of its pointer, which is not always called; give it to the value", path)
			}
			return true, fmt.Errorf("%s has one of %s without the other", path, m.names)
		case writes:
			return true, nil
		}
	}
	return false, nil
}

func writesItself(t reflect.Type) bool {
	itself, err := pair(t, "")
	return itself && err == nil
}

// strict goes through a value along the Go type it is to become. It refuses members the type has not by the letter, and
// elements beyond an array, which encoding/json would take for something else or drop, and numbers that the type rounds. It makes
// of the nulls that nil slices and maps become what they mean: an empty list or mapping, or, where the field may be left out,
// nothing.
func strict(t reflect.Type, value any, field string, bad *problems) any {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if writesItself(t) {
		return value
	}
	switch v := value.(type) {
	case nil:
		return empty(t)
	case json.Number:
		if kept, ok := rounded(t, v); ok {
			bad.add(field, "%s would be kept as %s in a %s; write it with fewer digits, or in quotes where the kind has text", clip(v.String()), kept, t.Kind())
		}
	case []any:
		if t.Kind() == reflect.Array && len(v) > t.Len() {
			bad.add(field, "has %d elements, at most %d are allowed", len(v), t.Len())
		}
		if t.Kind() == reflect.Array || t.Kind() == reflect.Slice {
			for i := range v {
				v[i] = strict(t.Elem(), v[i], document.Item(field, i), bad)
			}
		}
	case map[string]any:
		if t.Kind() == reflect.Map {
			for name, below := range sorted(v) {
				v[name] = strict(t.Elem(), below, document.Member(field, name), bad)
			}
		}
		if t.Kind() == reflect.Struct {
			strictFields(t, v, field, bad)
		}
	}
	return value
}

// rounded is what a number becomes in a Go type, where that is another number: a float32 has 7 digits, a float64 has 15.
func rounded(t reflect.Type, n json.Number) (kept string, ok bool) {
	if t.Kind() != reflect.Float32 && t.Kind() != reflect.Float64 {
		return "", false
	}
	f, err := strconv.ParseFloat(n.String(), t.Bits())
	if err != nil {
		return "", false // the type refuses it
	}
	given, err := canonical("", json.RawMessage(n))
	if err != nil {
		return "", false
	}
	have, err := canonical("", json.RawMessage(strconv.FormatFloat(f, 'g', -1, t.Bits())))
	return string(have), err == nil && string(have) != string(given)
}

func strictFields(t reflect.Type, v map[string]any, field string, bad *problems) {
	known := named(t, map[string]member{})
	for name, below := range sorted(v) {
		at := document.Member(field, name)
		m, ok := known[name]
		switch {
		case !ok:
			bad.add(at, "is no field here; %s", choice(name, slices.Collect(maps.Keys(known))))
		case below == nil && m.optional:
			delete(v, name)
		case !m.quoted:
			v[name] = strict(m.t, below, at, bad)
		}
	}
}

// empty is what null means for a Go type: what a nil slice or map stands for, else null.
func empty(t reflect.Type) any {
	switch {
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8:
		return ""
	case t.Kind() == reflect.Slice:
		return []any{}
	case t.Kind() == reflect.Map:
		return map[string]any{}
	}
	return nil
}

// member is a field of a struct as JSON sees it.
type member struct {
	t                reflect.Type
	optional, quoted bool
}

func named(t reflect.Type, all map[string]member) map[string]member {
	for f := range fields(t) {
		if embedded(f) {
			named(f.Type, all)
			continue
		}
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || name == "-" && options == "" {
			continue
		}
		if name == "" {
			name = f.Name
		}
		m := member{t: f.Type}
		for option := range strings.SplitSeq(options, ",") {
			m.optional = m.optional || option == "omitempty" || option == "omitzero"
			m.quoted = m.quoted || option == "string"
		}
		all[name] = m
	}
	return all
}
