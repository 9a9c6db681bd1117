package lethe

import (
	"encoding/json"
	"fmt"
	"reflect"
	"sort"
	"strconv"
	"strings"

	"github.com/lethe-cache/lethe/pkg/event"
)

// canonicalOf returns what appends the canonical text of one K, without the array's brackets: the same bytes as
// event.CanonicalKey, decided by K's type once. It refuses NaN, infinities and strings that are not UTF-8.
func canonicalOf[K comparable]() func(dst []byte, k K) ([]byte, error) {
	t := reflect.TypeFor[K]()
	switch {
	case t == reflect.TypeFor[string]():
		return func(dst []byte, k K) ([]byte, error) {
			s, _ := any(k).(string)
			if plain(s) {
				dst = append(dst, '"')
				dst = append(dst, s...)
				return append(dst, '"'), nil
			}
			return event.AppendCanonicalString(dst, s)
		}
	case t == reflect.TypeFor[int]():
		return func(dst []byte, k K) ([]byte, error) {
			i, _ := any(k).(int)
			return strconv.AppendInt(dst, int64(i), 10), nil
		}
	}
	write := writerOf(t)
	return func(dst []byte, k K) ([]byte, error) { return write(dst, reflect.ValueOf(&k).Elem()) }
}

// plain reports whether a string's JSON is itself in quotes: ASCII without control characters, quotes and backslashes. It looks at
// eight bytes at a time.
func plain(s string) bool {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	for ; len(s) >= 8; s = s[8:] {
		x := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
			uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
		quote, backslash := x^ones*'"', x^ones*'\\'
		if (x|(x-ones*0x20)|(quote-ones)|(backslash-ones))&highs != 0 {
			return false
		}
	}
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c >= 0x80 || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// keyWriter appends one value of the type it was made for.
type keyWriter func(dst []byte, v reflect.Value) ([]byte, error)

func writerOf(t reflect.Type) keyWriter {
	switch {
	case t == reflect.TypeFor[json.Number]():
		return writeNumber
	case writesItself(t):
		return writeAny
	case holdsNumber(t):
		if t.Kind() == reflect.Struct {
			if fields, ok := fieldsOf(t); ok {
				return fields.write
			}
		}
		return func(dst []byte, v reflect.Value) ([]byte, error) {
			if err := checkNumbers(v); err != nil {
				return nil, err
			}
			return writeAny(dst, v)
		}
	}
	return plainWriterOf(t)
}

func plainWriterOf(t reflect.Type) keyWriter {
	switch t.Kind() {
	case reflect.String:
		return func(dst []byte, v reflect.Value) ([]byte, error) { return event.AppendCanonicalString(dst, v.String()) }
	case reflect.Bool:
		return func(dst []byte, v reflect.Value) ([]byte, error) { return strconv.AppendBool(dst, v.Bool()), nil }
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return func(dst []byte, v reflect.Value) ([]byte, error) { return strconv.AppendInt(dst, v.Int(), 10), nil }
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return func(dst []byte, v reflect.Value) ([]byte, error) { return strconv.AppendUint(dst, v.Uint(), 10), nil }
	case reflect.Struct:
		if fields, ok := fieldsOf(t); ok {
			return fields.write
		}
	default:
	}
	return writeAny
}

// writeAny leaves it to package event, which takes everything.
func writeAny(dst []byte, v reflect.Value) ([]byte, error) {
	return event.AppendCanonical(dst, v.Interface())
}

// writeNumber appends a json.Number. 1.1 and 1.10 are two of them and one number, and so one key: only the first is taken.
func writeNumber(dst []byte, v reflect.Value) ([]byte, error) {
	from := len(dst)
	dst, err := event.AppendCanonical(dst, json.Number(v.String()))
	if err == nil && string(dst[from:]) != v.String() {
		err = fmt.Errorf("the json.Number %q is the number %s as a key, and so are others that are written in other ways: write it so", v.String(), dst[from:])
	}
	return dst, err
}

// holdsNumber says whether a json.Number stands somewhere within values of t, where package event does not see how it is written.
func holdsNumber(t reflect.Type) bool {
	switch {
	case t == reflect.TypeFor[json.Number]():
		return true
	case writesItself(t):
		return false
	case t.Kind() == reflect.Array:
		return holdsNumber(t.Elem())
	case t.Kind() == reflect.Struct:
		for i := range t.NumField() {
			if holdsNumber(t.Field(i).Type) {
				return true
			}
		}
	}
	return false
}

// checkNumbers refuses what writeNumber does, in a value that is written as a whole.
func checkNumbers(v reflect.Value) error {
	switch {
	case v.Type() == reflect.TypeFor[json.Number]():
		_, err := writeNumber(nil, v)
		return err
	case writesItself(v.Type()):
	case v.Kind() == reflect.Array:
		for i := range v.Len() {
			if err := checkNumbers(v.Index(i)); err != nil {
				return err
			}
		}
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			if err := checkNumbers(v.Field(i)); err != nil {
				return fmt.Errorf("%s: %w", v.Type().Field(i).Name, err)
			}
		}
	}
	return nil
}

// keyFields are those of a struct, in the order of their names.
type keyFields []keyField

type keyField struct {
	name  string // quoted, with its colon
	index int
	write keyWriter
}

// fieldsOf takes plain structs: exported fields with simple names. Embedding, options and rare names are left to package event.
func fieldsOf(t reflect.Type) (keyFields, bool) {
	var fields keyFields
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" {
			name = f.Name
		}
		if !f.IsExported() || f.Anonymous || options != "" || !plainName(name) {
			return nil, false
		}
		fields = append(fields, keyField{name: `"` + name + `":`, index: i, write: writerOf(f.Type)})
	}
	sort.Slice(fields, func(i, j int) bool {
		return fields[i].name[:len(fields[i].name)-2] < fields[j].name[:len(fields[j].name)-2]
	})
	return fields, true
}

func (fs keyFields) write(dst []byte, v reflect.Value) (_ []byte, err error) {
	dst = append(dst, '{')
	for i, f := range fs {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = f.write(append(dst, f.name...), v.Field(f.index)); err != nil {
			return nil, err
		}
	}
	return append(dst, '}'), nil
}

// plainName is one that encoding/json takes as it is and that sorts the same by bytes and by UTF-16.
func plainName(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return s != ""
}
