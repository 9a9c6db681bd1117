package event

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"runtime/debug"
	"strconv"
	"unicode/utf8"
)

// MaxKey bounds a canonical key, in bytes. A longer one is refused by whatever makes or takes keys; in a received event it
// counts as the whole function.
const MaxKey = 32 << 10

// CanonicalKey is the canonical text of a key: the JSON array of args, each written as encoding/json does (struct tags,
// MarshalJSON, MarshalText) and then brought into the one form that every publisher in every language agrees on: RFC 8785
// (JCS), except that an integer keeps all its digits. CanonicalKey("sku-42") is ["sku-42"], CanonicalKey() is []. A float32 has
// its own shortest form: 0.1, and not 0.10000000149011612, the double that it is.
//
// What JSON can't express is refused with an error that wraps ErrInvalid: NaN, infinities, functions, channels, cycles, and
// any string that is not UTF-8, which encoding/json would silently replace. So are a key of more than MaxKey bytes, and a
// decimal that has not the value of a double's shortest form, like 9007199254740993.0, 1e-400 or 0.10000000000000001 (which is
// 0.1 in a json.RawMessage and on the wire, where it is how other languages print that double; see CheckNumber).
func CanonicalKey(args ...any) (string, error) {
	key, err := canonicalKey(args)
	if err == nil && len(key) > MaxKey {
		err = tooLong("the key", len(key))
	}
	if err != nil {
		return "", err
	}
	return key, nil
}

func canonicalKey(args []any) (string, error) {
	var room [128]byte
	dst := append(room[:0], '[')
	for i, arg := range args {
		if i > 0 {
			dst = append(dst, ',')
		}
		var err error
		if dst, err = AppendCanonical(dst, arg); err != nil {
			return "", within("args["+strconv.Itoa(i)+"]", err)
		}
	}
	return string(append(dst, ']')), nil
}

func tooLong(what string, size int) *Error {
	return invalid("args", "%s has %d bytes as canonical JSON, at most %d are allowed; use a shorter one, like a hash of it", what, size, MaxKey)
}

// AppendCanonical appends the canonical text of one argument, without the array's brackets, to dst. On error, which wraps
// ErrInvalid, it returns nil. Strings, integers and bools take a path without reflection.
func AppendCanonical(dst []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...), nil
	case string:
		return AppendCanonicalString(dst, v)
	case bool:
		return strconv.AppendBool(dst, v), nil
	case int:
		return appendInt(dst, int64(v)), nil
	case int8:
		return appendInt(dst, int64(v)), nil
	case int16:
		return appendInt(dst, int64(v)), nil
	case int32:
		return appendInt(dst, int64(v)), nil
	case int64:
		return appendInt(dst, v), nil
	case uint:
		return strconv.AppendUint(dst, uint64(v), 10), nil
	case uint8:
		return strconv.AppendUint(dst, uint64(v), 10), nil
	case uint16:
		return strconv.AppendUint(dst, uint64(v), 10), nil
	case uint32:
		return strconv.AppendUint(dst, uint64(v), 10), nil
	case uint64:
		return strconv.AppendUint(dst, v, 10), nil
	case float64:
		return appendFloat(dst, v)
	case json.RawMessage:
		if v == nil {
			return append(dst, "null"...), nil
		}
		return appendJSON(dst, &scanner{data: v})
	case json.Number, json.Marshaler, encoding.TextMarshaler:
		return appendMarshalled(dst, v)
	}
	return appendKind(dst, v)
}

// appendKind is for named types without a Marshal of their own, which encoding/json writes as what they are made of.
func appendKind(dst []byte, v any) ([]byte, error) {
	r := reflect.ValueOf(v)
	switch r.Kind() {
	case reflect.String:
		return AppendCanonicalString(dst, r.String())
	case reflect.Bool:
		return strconv.AppendBool(dst, r.Bool()), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return appendInt(dst, r.Int()), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return strconv.AppendUint(dst, r.Uint(), 10), nil
	case reflect.Float64:
		return appendFloat(dst, r.Float())
	default:
		if err := checkText(r, 0); err != nil {
			return nil, err
		}
		return appendMarshalled(dst, v)
	}
}

// AppendCanonicalString is AppendCanonical of a string, without an allocation for making an any of it.
func AppendCanonicalString(dst []byte, s string) ([]byte, error) {
	if !utf8.ValidString(s) {
		return nil, invalid("", "%q is not UTF-8, and JSON would make one key of all such strings; encode it, e.g. as hex", clip(s))
	}
	return appendQuoted(dst, s), nil
}

func appendFloat(dst []byte, f float64) ([]byte, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil, invalid("", "%v has no JSON form", f)
	}
	return appendDouble(dst, f), nil
}

// appendMarshalled goes through encoding/json. Of a type that writes itself only the outcome is seen, so there the escape
// by which encoding/json replaces what is not UTF-8 is refused; a genuine U+FFFD it writes as it is.
func appendMarshalled(dst []byte, v any) ([]byte, error) {
	text, err := marshal(v)
	if err != nil {
		return nil, &Error{Problem: "has no JSON form", Err: err}
	}
	return appendJSON(dst, &scanner{data: text, marks: true, exact: true})
}

// marshal makes an error of a panic in a MarshalJSON or MarshalText.
func marshal(v any) (text []byte, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &panicked{r, debug.Stack()}
		}
	}()
	return json.Marshal(v)
}

// panicked is the error of a panic in the code of a key.
type panicked struct {
	value any
	stack []byte
}

func (p *panicked) Error() string { return fmt.Sprintf("panic: %v", p.value) }

// Panicked is what the code panicked with, and the stack of where it did.
func (p *panicked) Panicked() (value any, stack []byte) { return p.value, p.stack }

func appendJSON(dst []byte, s *scanner) ([]byte, error) {
	text, err := s.canonical(nil) // not into dst: what goes into a recursion would have to be on the heap, for strings too
	if err == nil {
		err = s.end()
	}
	if err != nil {
		return nil, &Error{Problem: "has no canonical form", Err: err}
	}
	return append(dst, text...), nil
}

var errCycle = errors.New("the value is nested too deep or holds itself")
