package lethe

import (
	"encoding"
	"fmt"
	"math/big"
	"reflect"
	"strings"
	"time"

	"github.com/vmihailenco/msgpack/v5"
)

// checkValue refuses a V that c would lose a part of. A codec of the user's own is the user's to judge; the default one is
// checked type by type, so that the first hit does not differ from the load. The error names the field.
func checkValue(t reflect.Type, c Codec) error {
	if own, ok := c.(interface{ check(reflect.Type) error }); ok {
		return own.check(t)
	}
	if _, ours := c.(msgpackCodec); !ours {
		return nil
	}
	k := valueCheck{seen: map[seenType]bool{}}
	err := k.check(t, t.String(), true)
	if err == nil {
		_, err = holdsTimes(t, map[reflect.Type]bool{})
	}
	if err != nil {
		return fmt.Errorf("%w; or use WithoutBulk or WithCodec", err)
	}
	return nil
}

// valueCheck goes through a type once, however often it holds itself.
type valueCheck struct{ seen map[seenType]bool }

type seenType struct {
	t           reflect.Type
	addressable bool
}

// check takes types as msgpack does. Addressable is false below a map, where pointer methods can't be called.
func (k valueCheck) check(t reflect.Type, path string, addressable bool) error {
	if t == reflect.TypeFor[time.Time]() || k.seen[seenType{t, addressable}] {
		return nil
	}
	k.seen[seenType{t, addressable}] = true
	if t == reflect.TypeFor[big.Float]() {
		return fmt.Errorf("%s is a big.Float, whose text has neither its precision nor its rounding; use a big.Rat, or text", path)
	}
	if t.Kind() == reflect.Interface {
		return fmt.Errorf("%s is an interface, whose type msgpack does not keep; use a concrete type", path)
	}
	if custom, err := pairOf(t, path, addressable); custom || err != nil {
		return err
	}
	switch t.Kind() {
	case reflect.Bool, reflect.String, reflect.Float32, reflect.Float64,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return nil
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
		if at := pointerIn(t.Key(), path+"[key]"); at != "" {
			return fmt.Errorf("%s is a pointer, and would come back as another key; use what it points to", at)
		}
		if err := k.check(t.Key(), path+"[key]", false); err != nil {
			return err
		}
		return k.check(t.Elem(), path+"[]", false)
	case reflect.Struct:
		return k.fields(t, path, addressable, map[string]string{})
	default:
		return fmt.Errorf("%s is a %s, which msgpack can't carry", path, t.Kind())
	}
}

// fields goes through a struct. Names has the names that are taken, of this struct and of those it is embedded in: what is
// embedded is written as if it stood in the outer struct, and of two fields with one name only one comes back.
func (k valueCheck) fields(t reflect.Type, path string, addressable bool, names map[string]string) error {
	for i := range t.NumField() {
		f := t.Field(i)
		at := path + "." + f.Name
		name, options, _ := strings.Cut(f.Tag.Get("msgpack"), ",")
		if f.Name == "_msgpack" && hasOption(options, "omitempty") {
			return fmt.Errorf("%s: omitempty for all fields makes nil of what is empty; remove it", at)
		}
		if f.Name == "_" || (!f.IsExported() && f.Type.Size() == 0) {
			continue // no value, or only a tag for the struct
		}
		if err := checkFieldTag(f, at, name, options); err != nil {
			return err
		}
		if f.Anonymous && f.Type.Kind() == reflect.Struct && f.Type != reflect.TypeFor[time.Time]() {
			if custom, err := pairOf(f.Type, at, addressable); err != nil {
				return err
			} else if !custom {
				if err := k.fields(f.Type, at, addressable, names); err != nil {
					return err
				}
				continue
			}
		}
		if name == "" {
			name = f.Name
		}
		if other, taken := names[name]; taken {
			return fmt.Errorf("%s and %s have the same name %q in msgpack; give one another", at, other, name)
		}
		names[name] = at
		if err := k.check(f.Type, at, addressable); err != nil {
			return err
		}
	}
	return nil
}

// checkFieldTag refuses fields that msgpack leaves out or changes on the way.
func checkFieldTag(f reflect.StructField, at, name, options string) error {
	kind := f.Type.Kind()
	switch {
	case !f.IsExported() && (!f.Anonymous || kind != reflect.Struct):
		return fmt.Errorf("%s is unexported, so msgpack leaves it out", at)
	case name == "-":
		return fmt.Errorf(`%s is left out by its tag "-"`, at)
	case hasOption(options, "omitempty") && (kind == reflect.Slice || kind == reflect.Map || kind == reflect.Struct):
		return fmt.Errorf("%s: omitempty makes nil of what is empty; remove it", at)
	case f.Anonymous && kind == reflect.Pointer:
		return fmt.Errorf("%s is an embedded pointer: nil would come back as a zero struct; give the field a name", at)
	}
	return nil
}

// pairOf says whether t writes itself, in which case what it writes it has to read.
func pairOf(t reflect.Type, path string, addressable bool) (custom bool, err error) {
	writes, byPointer := method(t, writers())
	reads, _ := method(t, readers())
	switch names := [...]string{"", "EncodeMsgpack/DecodeMsgpack", "MarshalMsgpack/UnmarshalMsgpack", "MarshalBinary/UnmarshalBinary", "MarshalText/UnmarshalText"}; {
	case writes == 0 && reads == 0:
		return false, nil
	case writes != reads:
		return true, fmt.Errorf("%s writes itself in one form and reads another; give it both of %s", path, names[max(writes, reads)])
	case byPointer && !addressable:
		return true, fmt.Errorf("%s has %s on its pointer, which a map's element does not have; use a map of pointers", path, names[writes])
	}
	if t.Kind() != reflect.Struct || t.NumField() == 1 {
		return true, nil
	}
	for i := range t.NumField() {
		f := t.Field(i)
		if w, _ := method(f.Type, writers()); f.Anonymous && w == writes {
			return true, fmt.Errorf("%s embeds %s, which writes itself: the other fields would be lost; give the field a name", path, f.Type)
		}
	}
	return true, nil
}

// writers are the interfaces that msgpack looks for, in its order, and readers their counterparts.
func writers() [4]reflect.Type {
	return [...]reflect.Type{
		reflect.TypeFor[msgpack.CustomEncoder](), reflect.TypeFor[msgpack.Marshaler](),
		reflect.TypeFor[encoding.BinaryMarshaler](), reflect.TypeFor[encoding.TextMarshaler](),
	}
}

func readers() [4]reflect.Type {
	return [...]reflect.Type{
		reflect.TypeFor[msgpack.CustomDecoder](), reflect.TypeFor[msgpack.Unmarshaler](),
		reflect.TypeFor[encoding.BinaryUnmarshaler](), reflect.TypeFor[encoding.TextUnmarshaler](),
	}
}

// method is the number of the first of the interfaces that t, or else its pointer, has; 0 for none. msgpack asks in this order.
func method(t reflect.Type, interfaces [4]reflect.Type) (number int, byPointer bool) {
	for i, want := range interfaces {
		if t.Implements(want) {
			return i + 1, false
		}
	}
	if t.Kind() == reflect.Pointer {
		return 0, false
	}
	for i, want := range interfaces {
		if reflect.PointerTo(t).Implements(want) {
			return i + 1, true
		}
	}
	return 0, false
}

// pointerIn is the path of a pointer in the key of a map, empty for none. What writes itself is its own affair.
func pointerIn(t reflect.Type, path string) string {
	switch {
	case t.Kind() == reflect.Pointer:
		return path
	case selfWriter(t):
	case t.Kind() == reflect.Array:
		return pointerIn(t.Elem(), path+"[]")
	case t.Kind() == reflect.Struct:
		for i := range t.NumField() {
			if at := pointerIn(t.Field(i).Type, path+"."+t.Field(i).Name); at != "" {
				return at
			}
		}
	}
	return ""
}

func nilable(k reflect.Kind) bool {
	return k == reflect.Pointer || k == reflect.Slice || k == reflect.Map || k == reflect.Interface
}
