package lethe

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
)

// jsonCheck goes through a type once, however often it holds itself, and refuses one of which encoding/json loses a part.
type jsonCheck struct{ seen map[seenType]bool }

// check takes types as encoding/json does. Addressable is false below a map, where pointer methods can't be called.
func (k jsonCheck) check(t reflect.Type, path string, addressable bool) error {
	if k.seen[seenType{t, addressable}] {
		return nil
	}
	k.seen[seenType{t, addressable}] = true
	if custom, err := jsonPair(t, path, addressable); custom || err != nil {
		return err
	}
	switch t.Kind() {
	case reflect.Interface:
		return fmt.Errorf("%s is an interface, whose type JSON does not keep; use a concrete type", path)
	case reflect.Chan, reflect.Func, reflect.Complex64, reflect.Complex128, reflect.UnsafePointer:
		return fmt.Errorf("%s is a %s, which JSON can't carry", path, t.Kind())
	case reflect.Pointer:
		if nilable(t.Elem().Kind()) {
			return fmt.Errorf("%s points to a %s: a pointer to nil would come back as nil; leave out the pointer", path, t.Elem().Kind())
		}
		return k.check(t.Elem(), path, true)
	case reflect.Slice:
		return k.check(t.Elem(), path+"[]", true)
	case reflect.Array:
		return k.check(t.Elem(), path+"[]", addressable)
	case reflect.Map:
		if err := checkJSONKey(t.Key(), path+"[key]"); err != nil {
			return err
		}
		return k.check(t.Elem(), path+"[]", false)
	case reflect.Struct:
		return k.fields(t, path, addressable, map[string]string{})
	default:
		return nil
	}
}

// fields goes through a struct. Names has the names that are taken, of this struct and of those it is embedded in: of two fields
// with one name encoding/json keeps one at most, whichever is less deep or has a tag.
func (k jsonCheck) fields(t reflect.Type, path string, addressable bool, names map[string]string) error {
	for i := range t.NumField() {
		f := t.Field(i)
		at := path + "." + f.Name
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !nameTaken(name) {
			name = ""
		}
		inline := f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct
		if f.Name == "_" {
			continue
		}
		if err := jsonField(f, at, options); err != nil {
			return err
		}
		if inline {
			if err := k.fields(f.Type, at, addressable, names); err != nil {
				return err
			}
			continue
		}
		if name == "" {
			name = f.Name
		}
		if other, taken := names[name]; taken {
			return fmt.Errorf("%s and %s have the same JSON name %q; give one another", at, other, name)
		}
		names[name] = at
		if err := k.check(f.Type, at, addressable); err != nil {
			return err
		}
	}
	return nil
}

// jsonField refuses a field that JSON leaves out, or may leave out.
func jsonField(f reflect.StructField, at, options string) error {
	switch custom, _ := jsonPair(f.Type, at, true); {
	case !f.IsExported() && (!f.Anonymous || f.Type.Kind() != reflect.Struct):
		return fmt.Errorf("%s is unexported, so JSON leaves it out", at)
	case f.Tag.Get("json") == "-":
		return fmt.Errorf(`%s is left out of JSON by its tag "-"`, at)
	case hasOption(options, "omitempty") && f.Type.Kind() != reflect.Pointer || hasOption(options, "omitzero"):
		return fmt.Errorf("%s is omitted from JSON when it is empty, and may come back as nil; remove omitempty and omitzero from its tag", at)
	case f.Anonymous && f.Type.Kind() == reflect.Pointer:
		return fmt.Errorf("%s is an embedded pointer; give the field a name", at)
	case f.Anonymous && !f.IsExported() && custom:
		return fmt.Errorf("%s is unexported and writes itself, which JSON does not ask it for; give the field a name", at)
	}
	return nil
}

// jsonPair says whether t writes itself as JSON or text, in which case what it writes it has to read.
func jsonPair(t reflect.Type, path string, addressable bool) (custom bool, err error) {
	if t.Kind() == reflect.Interface {
		return false, nil
	}
	p := reflect.PointerTo(t)
	if t.Kind() == reflect.Struct && t.NumField() > 1 {
		if err := jsonPromoted(t, path); err != nil {
			return true, err
		}
	}
	for _, pair := range [][2]reflect.Type{
		{reflect.TypeFor[json.Marshaler](), reflect.TypeFor[json.Unmarshaler]()},
		{reflect.TypeFor[encoding.TextMarshaler](), reflect.TypeFor[encoding.TextUnmarshaler]()},
	} {
		switch {
		case !p.Implements(pair[0]):
		case !p.Implements(pair[1]):
			return true, fmt.Errorf("%s writes itself as JSON and does not read it; give it %s", path, pair[1].Method(0).Name)
		case !addressable && !t.Implements(pair[0]):
			return true, fmt.Errorf("%s has %s on its pointer, which a map's element does not have; use a map of pointers", path, pair[0].Method(0).Name)
		default:
			return true, nil
		}
	}
	return false, nil
}

// jsonPromoted refuses a struct that has a method of something embedded which writes or reads itself, like one that embeds
// time.Time: the other fields would be lost. A method of the struct's own can't be told from that one.
func jsonPromoted(t reflect.Type, path string) error {
	for _, method := range []reflect.Type{
		reflect.TypeFor[json.Marshaler](), reflect.TypeFor[encoding.TextMarshaler](),
		reflect.TypeFor[json.Unmarshaler](), reflect.TypeFor[encoding.TextUnmarshaler](),
	} {
		for i := range t.NumField() {
			f := t.Field(i)
			has := f.Type.Implements(method) || f.Type.Kind() != reflect.Interface && reflect.PointerTo(f.Type).Implements(method)
			if f.Anonymous && has && reflect.PointerTo(t).Implements(method) {
				return fmt.Errorf("%s embeds %s with its %s: JSON leaves out the other fields; give the field a name", path, f.Type, method.Method(0).Name)
			}
		}
	}
	return nil
}

// checkJSONKey refuses keys of maps that encoding/json can't write, or that would come back as others.
func checkJSONKey(t reflect.Type, path string) error {
	writes := t.Implements(reflect.TypeFor[encoding.TextMarshaler]())
	reads := reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
	switch kind := t.Kind(); {
	case kind == reflect.Interface:
		return fmt.Errorf("%s is an interface, whose type JSON does not keep; use a concrete type", path)
	case kind == reflect.Pointer:
		return fmt.Errorf("%s is a pointer, and would come back as another key; use what it points to", path)
	case kind == reflect.String, writes && reads: // compared when a value is stored
		return nil
	case writes != reads:
		return fmt.Errorf("%s is written by JSON in one form and read in another; use a string, or give it both of MarshalText and UnmarshalText", path)
	case kind >= reflect.Int && kind <= reflect.Uintptr:
		return nil
	default:
		return fmt.Errorf("%s is a %s, which can't be a key of JSON; use a string, or give it MarshalText and UnmarshalText", path, t)
	}
}
