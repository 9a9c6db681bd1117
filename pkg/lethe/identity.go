package lethe

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"unicode"
)

// checkKey refuses a K whose JSON does not tell all its values apart: two of them would share an entry. The error names the
// field. usesText says that K or a field of it writes itself (MarshalText, MarshalJSON), or is a float in quotes: then equal texts may
// come from values that == tells apart, like two time.Time of one instant, or the other way round, and K itself may not key the hot tier.
func checkKey(t reflect.Type) (usesText bool, err error) {
	return checkKeyAt(t, t.String())
}

func checkKeyAt(t reflect.Type, path string) (usesText bool, err error) {
	if t.Kind() == reflect.Interface {
		return false, fmt.Errorf("%s is an interface: 1 and 1.0 in it are two keys and one JSON; use a concrete type", path)
	}
	if writesItself(t) {
		return true, checkPromoted(t, path)
	}
	switch t.Kind() {
	case reflect.Bool, reflect.String, reflect.Float32, reflect.Float64,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return false, nil
	case reflect.Array:
		return checkKeyAt(t.Elem(), path+"[]")
	case reflect.Struct:
		return checkKeyFields(t, path, map[string]string{})
	case reflect.Pointer:
		return false, fmt.Errorf("%s is a pointer: what it points to can change, and two pointers to the same are two keys; use the value", path)
	default:
		return false, fmt.Errorf("%s is a %s, which JSON can't express", path, t.Kind())
	}
}

// checkKeyFields goes through a struct's fields as encoding/json does. Names has the JSON names that are taken, of this struct
// and of those it is embedded in.
func checkKeyFields(t reflect.Type, path string, names map[string]string) (usesText bool, err error) {
	for i := range t.NumField() {
		f := t.Field(i)
		at := path + "." + f.Name
		if f.Name == "_" || f.Type.Size() == 0 && !f.IsExported() {
			continue // no value to tell apart
		}
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !nameTaken(name) {
			name = ""
		}
		inline := f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct
		switch {
		case !f.IsExported() && !inline:
			return false, fmt.Errorf("%s is unexported, so JSON leaves it out; export it, or use a key without it", at)
		case f.Tag.Get("json") == "-":
			return false, fmt.Errorf(`%s is left out of JSON by its tag "-"; remove the tag, or use a key without the field`, at)
		case hasOption(options, "omitempty") || hasOption(options, "omitzero"):
			return false, fmt.Errorf("%s is omitted from JSON when it is empty; remove omitempty and omitzero from its tag", at)
		}
		var text bool
		if inline {
			text, err = checkKeyFields(f.Type, at, names)
		} else {
			if name == "" {
				name = f.Name
			}
			if other, taken := names[name]; taken {
				return false, fmt.Errorf("%s and %s have the same JSON name %q; give one another", at, other, name)
			}
			names[name] = at
			text, err = checkKeyAt(f.Type, at)
			text = text || quotedFloat(f.Type, options)
		}
		if err != nil {
			return false, err
		}
		usesText = usesText || text
	}
	return usesText, nil
}

// quotedFloat says that a field is a float in quotes: there 0 and -0, which are equal in Go, are two texts.
func quotedFloat(t reflect.Type, options string) bool {
	return hasOption(options, "string") && (t.Kind() == reflect.Float32 || t.Kind() == reflect.Float64)
}

// checkPromoted refuses a struct that writes itself with the method of something embedded, like one that embeds time.Time:
// the other fields would be lost. A method of the struct's own can't be told from that one, so such a struct is refused too.
func checkPromoted(t reflect.Type, path string) error {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || t.NumField() < 2 {
		return nil
	}
	for i := range t.NumField() {
		if f := t.Field(i); f.Anonymous && (writesItself(f.Type) || writesItself(reflect.PointerTo(f.Type))) {
			return fmt.Errorf("%s embeds %s, which writes itself as text: JSON leaves out the other fields; give the field a name", path, f.Type)
		}
	}
	return nil
}

// writesItself says whether encoding/json asks values of t for their JSON or text.
func writesItself(t reflect.Type) bool {
	return t.Implements(reflect.TypeFor[json.Marshaler]()) || t.Implements(reflect.TypeFor[encoding.TextMarshaler]()) ||
		t == reflect.TypeFor[json.Number]()
}

// nameTaken says whether encoding/json takes a tag's name; else it falls back to the field's.
func nameTaken(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("!#$%&()*+-./:;<=>?@[]^_{|}~ ", r)
	})
}

func hasOption(options, want string) bool {
	for o := range strings.SplitSeq(options, ",") {
		if o == want {
			return true
		}
	}
	return false
}
