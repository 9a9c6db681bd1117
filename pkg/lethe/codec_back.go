package lethe

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"sync"
)

// differsError is the error of a value that would come back different. Its path is that of the first part that would.
type differsError struct{ path string }

func (e differsError) Error() string {
	return fmt.Sprintf("%s would come back different from its own Marshal and Unmarshal methods; make these say all of it, give the type Equal, or use WithoutBulk or WithCodec", e.path)
}

// comesBack decodes what was encoded and compares the parts that write themselves; of the others the types tell.
func comesBack[V any](c Codec, encoded []byte, v *V) error {
	var w comparison
	switch c.(type) {
	case msgpackCodec:
		w = comparison{func(t reflect.Type) bool { return selfOf(t).holds }, selfWriter, sameSelf}
	case jsonCodec:
		w = comparison{jsonHolds, jsonSelfWriter, sameJSON}
	default:
		return nil
	}
	if !w.holds(reflect.TypeFor[V]()) {
		return nil
	}
	var back V
	if err := c.Decode(encoded, &back); err != nil {
		return err
	}
	if path := w.differs(reflect.ValueOf(v).Elem(), reflect.ValueOf(&back).Elem(), reflect.TypeFor[V]().String()); path != "" {
		return differsError{path}
	}
	return nil
}

// comparison is how a codec's values are compared: which types hold what writes itself, which do, and when two of these are the same.
type comparison struct {
	holds, writes func(reflect.Type) bool
	same          func(a, b reflect.Value) bool
}

// differs is the path of the first part of a and b that writes itself and is not the same; empty for none.
func (w comparison) differs(a, b reflect.Value, path string) string {
	t := a.Type()
	if w.writes(t) {
		if w.same(a, b) {
			return ""
		}
		return path
	}
	if !w.holds(t) {
		return ""
	}
	switch t.Kind() {
	case reflect.Pointer:
		if a.IsNil() != b.IsNil() {
			return path
		}
		if a.IsNil() {
			return ""
		}
		return w.differs(a.Elem(), b.Elem(), path)
	case reflect.Slice, reflect.Array:
		if a.Len() != b.Len() {
			return path
		}
		for i := range a.Len() {
			if at := w.differs(a.Index(i), b.Index(i), path+"[]"); at != "" {
				return at
			}
		}
	case reflect.Map:
		if a.Len() != b.Len() {
			return path
		}
		for entries := a.MapRange(); entries.Next(); {
			e := b.MapIndex(entries.Key())
			if !e.IsValid() {
				return path + "[key]"
			}
			if at := w.differs(entries.Value(), e, path+"[]"); at != "" {
				return at
			}
		}
	case reflect.Struct:
		for i := range t.NumField() {
			if f := t.Field(i); reachable(f) {
				if at := w.differs(a.Field(i), b.Field(i), path+"."+f.Name); at != "" {
					return at
				}
			}
		}
	default:
	}
	return ""
}

// sameSelf compares two values of a type that writes itself: by reflect.DeepEqual, else by the type's own method Equal. One that
// does not equal itself (NaN) is passed over.
func sameSelf(a, b reflect.Value) bool {
	if !a.CanInterface() {
		return true
	}
	x, y := a.Interface(), b.Interface()
	if reflect.DeepEqual(x, y) || !reflect.DeepEqual(x, x) { //nolint:gocritic // NaN is not equal to itself
		return true
	}
	if a.CanAddr() && b.CanAddr() { // methods of the pointer with them
		if m := a.Addr().MethodByName("Equal"); takesOne(m, a.Type()) {
			return m.Call([]reflect.Value{b})[0].Bool()
		} else if takesOne(m, a.Addr().Type()) {
			return m.Call([]reflect.Value{b.Addr()})[0].Bool()
		}
	}
	m := a.MethodByName("Equal")
	return takesOne(m, a.Type()) && m.Call([]reflect.Value{b})[0].Bool()
}

func takesOne(m reflect.Value, t reflect.Type) bool {
	return m.IsValid() && m.Type().NumIn() == 1 && m.Type().In(0) == t && m.Type().NumOut() == 1 && m.Type().Out(0).Kind() == reflect.Bool
}

// jsonSelfWriter says whether t writes itself as JSON or reads itself from it, or is written as JSON's default for what is empty: a json.Number of "" as 0, a
// json.RawMessage of nil as null.
func jsonSelfWriter(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return t.Kind() != reflect.Pointer && (t == reflect.TypeFor[json.Number]() ||
		p.Implements(reflect.TypeFor[json.Marshaler]()) || p.Implements(reflect.TypeFor[encoding.TextMarshaler]()) ||
		p.Implements(reflect.TypeFor[json.Unmarshaler]()) || p.Implements(reflect.TypeFor[encoding.TextUnmarshaler]()))
}

//nolint:gochecknoglobals // types are the same for all
var jsonKinds sync.Map // of reflect.Type to bool; as many as there are types

func jsonHolds(t reflect.Type) bool {
	if known, ok := jsonKinds.Load(t); ok {
		holds, _ := known.(bool)
		return holds
	}
	holds := reaches(t, jsonSelfWriter, map[reflect.Type]bool{})
	jsonKinds.Store(t, holds)
	return holds
}

// sameJSON compares as JSON promises: equal in their JSON. An empty json.Number is not 0, and no json.RawMessage is not null.
func sameJSON(a, b reflect.Value) bool {
	if !a.CanInterface() {
		return true
	}
	x, y := a.Interface(), b.Interface()
	switch x := x.(type) {
	case json.Number:
		return x == y
	case json.RawMessage:
		if a.IsNil() != b.IsNil() {
			return false
		}
	}
	if a.CanAddr() && b.CanAddr() { // methods of the pointer with them
		x, y = a.Addr().Interface(), b.Addr().Interface()
	}
	m, err := json.Marshal(x)
	if err != nil {
		return false
	}
	n, err := json.Marshal(y)
	return err == nil && bytes.Equal(m, n)
}
