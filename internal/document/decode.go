package document

import (
	"encoding"
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"
)

// Decode reads a text that is one value in JSON into v, by the letter. encoding/json takes NAME for name, keeps the last of two members
// that have one name, and replaces half a surrogate pair; here each of those is an *Error that names the member, as is a member that
// v does not know. Types that read their JSON by themselves are left to do so. The bounds are those of Read.
func Decode(data []byte, v any) error {
	if len(data) > MaxBytes {
		return &Error{Reason: "is too long"}
	}
	text := string(data)
	if !utf8.ValidString(text) {
		return &Error{Line: invalidLine(text), Reason: "is not UTF-8"}
	}
	r := reader{part: part{text: text, line: 1}, room: &room{nodes: MaxNodes, bytes: MaxBytes}}
	at, err := r.json()
	if err != nil {
		return err
	}
	if err := r.known("", reflect.TypeOf(v), below{at.line, at}); err != nil {
		return err
	}
	err = json.Unmarshal(r.out, v)
	if e := (*json.UnmarshalTypeError)(nil); errors.As(err, &e) {
		field := asWritten(reflect.TypeOf(v), e.Field)
		return r.fail(at.find(field), field, "is %s, has to be %s", e.Value, wanted(e.Type))
	}
	if err != nil {
		return r.fail(at.line, "", "can't be read: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	return nil
}

// known refuses a member that a type does not have by exactly this name.
func (r *reader) known(field string, t reflect.Type, at below) error {
	for t.Kind() == reflect.Pointer && !readsItself(t) {
		t = t.Elem()
	}
	if readsItself(t) {
		return nil
	}
	switch t.Kind() {
	case reflect.Struct:
		if at.names == nil && field == "" {
			return r.fail(at.line, field, "has to be an object")
		}
		members := map[string]reflect.Type{}
		membersOf(t, members)
		for i, name := range at.names {
			inner := Member(field, name)
			below, ok := members[name]
			if !ok {
				return r.fail(at.below[i].line, inner, "is no member here; %s", among(name, slices.Sorted(maps.Keys(members))))
			}
			if err := r.known(inner, below, at.below[i]); err != nil {
				return err
			}
		}
	case reflect.Slice, reflect.Array:
		if at.names == nil {
			for i, item := range at.below {
				if err := r.known(Item(field, i), t.Elem(), item); err != nil {
					return err
				}
			}
		}
	default: // without members that a type names
	}
	return nil
}

// readsItself says whether a type reads its JSON, or takes it as it is.
func readsItself(t reflect.Type) bool {
	for _, own := range []reflect.Type{reflect.TypeFor[json.Unmarshaler](), reflect.TypeFor[encoding.TextUnmarshaler]()} {
		if reflect.PointerTo(t).Implements(own) {
			return true
		}
	}
	return false
}

// membersOf are the members that encoding/json has for a struct.
func membersOf(t reflect.Type, members map[string]reflect.Type) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct:
			membersOf(f.Type, members)
		case !f.IsExported() || f.Tag.Get("json") == "-":
		case name == "":
			members[f.Name] = f.Type
		default:
			members[name] = f.Type
		}
	}
}

// asWritten is a field as the text has it: without the structs of Go that its members are embedded by.
func asWritten(t reflect.Type, field string) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return field
	}
	for i := range t.NumField() {
		f := t.Field(i)
		if rest, inside := strings.CutPrefix(field, f.Name+"."); inside && f.Anonymous && f.Tag.Get("json") == "" {
			return asWritten(f.Type, rest)
		}
	}
	return field
}

// among says which of the members there are is likely meant.
func among(name string, known []string) string {
	for _, k := range known {
		if strings.EqualFold(k, name) {
			return "did you mean " + k + "?"
		}
	}
	return "there are " + strings.Join(known, ", ")
}

// wanted is a type in words.
func wanted(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "true or false"
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.Slice, reflect.Array:
		return "a list"
	default:
		return "a number of type " + t.String()
	}
}
