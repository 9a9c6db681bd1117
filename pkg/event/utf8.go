package event

import (
	"encoding"
	"encoding/json"
	"reflect"
	"strconv"
	"unicode/utf8"
)

// checkText walks a value as encoding/json will and refuses a string that is not UTF-8. Types that marshal themselves are
// not entered: what they write is checked when it is read back.
func checkText(v reflect.Value, depth int) error {
	if depth > 4*maxDepth { // pointers and interfaces count here, and not in the text
		return &Error{Problem: "has no JSON form", Err: errCycle}
	}
	if !v.IsValid() || marshals(v) {
		return nil
	}
	switch v.Kind() {
	case reflect.String:
		if s := v.String(); !utf8.ValidString(s) {
			return invalid("", "%q is not UTF-8, and JSON would make one key of all such strings; encode it, e.g. as hex", clip(s))
		}
	case reflect.Pointer, reflect.Interface:
		return checkText(v.Elem(), depth+1)
	case reflect.Slice, reflect.Array:
		if !holdsText(v.Type().Elem().Kind()) {
			return nil
		}
		for i := range v.Len() {
			if err := checkText(v.Index(i), depth+1); err != nil {
				return within("["+strconv.Itoa(i)+"]", err)
			}
		}
	case reflect.Map:
		for entries := v.MapRange(); entries.Next(); {
			if err := checkText(entries.Key(), depth+1); err != nil {
				return err
			}
			if err := checkText(entries.Value(), depth+1); err != nil {
				return err
			}
		}
	case reflect.Struct:
		return checkFields(v, depth)
	default: // holds no text
	}
	return nil
}

func checkFields(v reflect.Value, depth int) error {
	t := v.Type()
	for i := range t.NumField() {
		f := t.Field(i)
		if (!f.IsExported() && !f.Anonymous) || f.Tag.Get("json") == "-" {
			continue
		}
		if err := checkText(v.Field(i), depth+1); err != nil {
			return within(f.Name, err)
		}
	}
	return nil
}

func holdsText(k reflect.Kind) bool {
	return k == reflect.String || k >= reflect.Array && k != reflect.UnsafePointer
}

// marshals says whether encoding/json asks the value itself.
func marshals(v reflect.Value) bool {
	t := v.Type()
	if t.Implements(reflect.TypeFor[json.Marshaler]()) || t.Implements(reflect.TypeFor[encoding.TextMarshaler]()) {
		return true
	}
	if !v.CanAddr() {
		return false
	}
	t = reflect.PointerTo(t)
	return t.Implements(reflect.TypeFor[json.Marshaler]()) || t.Implements(reflect.TypeFor[encoding.TextMarshaler]())
}
