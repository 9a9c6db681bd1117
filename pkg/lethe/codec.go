package lethe

import (
	"bytes"
	"errors"
	"reflect"
	"sync"
	"time"

	"github.com/vmihailenco/msgpack/v5"
)

// Codec of values; msgpack is the default. Implementations are safe for concurrent use, keep neither dst nor data, and give
// back by Decode, into a pointer to a zero value, what Append took. Append returns dst with the encoded value behind it, as the
// function append does: `return append(dst, data...), nil`. Dst is not empty. A result that does not begin with dst is an
// error: Memoize panics for a codec that does so with a zero value, and a value with which it happens later is not stored.
type Codec interface {
	Append(dst []byte, v any) ([]byte, error)
	Decode(data []byte, v any) error
}

// msgpackCodec writes struct fields by their Go names, or by what a msgpack tag says; json tags have no say, since a field
// that an API hides is still part of the value. A time.Time comes back as it was, zone and monotonic reading with
// it (codec_times.go).
type msgpackCodec struct {
	times bool // values hold times
	self  bool // values hold parts with records (codec_self.go)
	flat  bool // the type is known to have no way back to itself, so a value of it can't be a cycle
}

// maxValueDepth bounds the nesting of a value: a cycle would otherwise end the process, since a stack that is full can't be
// recovered from.
const maxValueDepth = 1000

var errValueCycle = errors.New("lethe: the value holds itself, or is nested more than 1000 deep; use WithoutBulk")

// msgpackFor is the default codec for values of t.
func msgpackFor(t reflect.Type) msgpackCodec {
	times, _ := holdsTimes(t, map[reflect.Type]bool{})
	return msgpackCodec{
		flat: !recursive(t, map[reflect.Type]bool{}), times: times && sameTime,
		self: selfOf(t).records,
	}
}

// Append encodes v behind dst.
func (c msgpackCodec) Append(dst []byte, v any) ([]byte, error) {
	r := reflect.ValueOf(v)
	if !c.flat && deeper(r, maxValueDepth) {
		return nil, errValueCycle
	}
	if r.Kind() == reflect.Struct || r.Kind() == reflect.Array { // a field's pointer method needs an address
		p := reflect.New(r.Type())
		p.Elem().Set(r)
		v = p.Interface()
	}
	w, ok := encoders.Get().(*encoder)
	if !ok {
		w = &encoder{to: msgpack.NewEncoder(nil)}
	}
	w.dst = dst
	w.to.Reset(w)
	w.to.SetSortMapKeys(true)
	err := w.to.Encode(v)
	dst, w.dst = w.dst, nil
	encoders.Put(w)
	if err == nil && c.self {
		dst, err = appendSelf(dst, r)
	}
	if err == nil && c.times {
		dst, err = appendTimes(dst, r)
	}
	if err != nil {
		return nil, err
	}
	return dst, nil
}

// encoder appends what its own encoder writes.
type encoder struct {
	to  *msgpack.Encoder
	dst []byte
}

//nolint:gochecknoglobals // a pool knows nothing of who uses it
var encoders sync.Pool

func (e *encoder) Write(b []byte) (int, error) {
	e.dst = append(e.dst, b...)
	return len(b), nil
}

func (e *encoder) WriteByte(b byte) error {
	e.dst = append(e.dst, b)
	return nil
}

// Decode reads data into v, a pointer to a zero value.
func (c msgpackCodec) Decode(data []byte, v any) (err error) {
	var times, self []byte
	if c.times {
		if data, times, err = cutTail(data, errTimes); err != nil {
			return err
		}
	}
	if c.self {
		if data, self, err = cutTail(data, errSelf); err != nil {
			return err
		}
	}
	if err = decodeMsgpack(data, v); err == nil && c.self {
		err = setSelf(self, reflect.ValueOf(v).Elem())
	}
	if err == nil && c.times {
		err = setTimes(times, reflect.ValueOf(v).Elem())
	}
	return err
}

func decodeMsgpack(data []byte, v any) error {
	d := msgpack.GetDecoder()
	if len(data) <= maxPooled { // a decoder keeps room for the largest text it has read
		defer msgpack.PutDecoder(d)
	}
	r := bytes.NewReader(data)
	d.Reset(r)
	if err := d.Decode(v); err != nil {
		return err
	}
	if r.Len() > 0 {
		return errors.New("lethe: encoded value is longer than its type")
	}
	return nil
}

// recursive says whether a value of t can hold another t.
func recursive(t reflect.Type, above map[reflect.Type]bool) bool {
	if !holds(t) {
		return false
	}
	if above[t] {
		return true
	}
	above[t] = true
	defer delete(above, t)
	if t.Kind() == reflect.Struct {
		for i := range t.NumField() {
			if recursive(t.Field(i).Type, above) {
				return true
			}
		}
		return false
	}
	return t.Kind() == reflect.Map && recursive(t.Key(), above) || recursive(t.Elem(), above)
}

// deeper says whether v is nested more than depth levels.
func deeper(v reflect.Value, depth int) bool {
	if depth == 0 {
		return true
	}
	if !v.IsValid() || !holds(v.Type()) {
		return false
	}
	switch v.Kind() {
	case reflect.Pointer:
		return deeper(v.Elem(), depth-1)
	case reflect.Slice, reflect.Array:
		for i := 0; i < v.Len() && holds(v.Type().Elem()); i++ {
			if deeper(v.Index(i), depth-1) {
				return true
			}
		}
	case reflect.Map:
		for entries := v.MapRange(); entries.Next(); {
			if deeper(entries.Value(), depth-1) {
				return true
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if deeper(v.Field(i), depth-1) {
				return true
			}
		}
	default:
	}
	return false
}

// holds says whether values of t can hold others; what a type that writes itself holds is its own affair.
func holds(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map, reflect.Struct:
		how, _ := method(t, writers())
		return how == 0 && t != reflect.TypeFor[time.Time]()
	default:
		return false
	}
}
