package lethe

import (
	"encoding/binary"
	"errors"
	"math/big"
	"net"
	"net/url"
	"reflect"
	"slices"
	"sync"
	"time"
)

// What a type writes of itself need not say all: msgpack writes nil for a pointer to a value whose text is nil, net.IP forgets how
// long it was, a URL its parts, a big.Int of 0 whether it had a slice. Records of that stand behind the encoded value, in the
// order in which exported fields, elements and pointers lead there, and the length of them all. What still comes back
// different is found when it is stored (comesBack), and is not kept in bulk.

// selfKind is what is known of a type: whether it writes itself, so that it is taken as a whole, whether its values can hold what
// does, and whether they can hold what has a record. A time.Time is not meant: codec_times.go.
type selfKind struct{ writes, holds, records bool }

//nolint:gochecknoglobals // types are the same for all
var selfKinds sync.Map // of reflect.Type to selfKind; as many as there are types

func selfOf(t reflect.Type) selfKind {
	if known, ok := selfKinds.Load(t); ok {
		k, _ := known.(selfKind)
		return k
	}
	k := selfKind{
		writes:  codesItself(t),
		holds:   reaches(t, codesItself, map[reflect.Type]bool{}),
		records: reaches(t, recorded, map[reflect.Type]bool{}),
	}
	selfKinds.Store(t, k)
	return k
}

func codesItself(t reflect.Type) bool {
	how, _ := method(t, writers())
	return how != 0 && t != reflect.TypeFor[time.Time]() && t.Kind() != reflect.Pointer
}

func selfWriter(t reflect.Type) bool { return selfOf(t).writes }

// recorded says whether a value of t has a record of its own.
func recorded(t reflect.Type) bool {
	switch t {
	case reflect.TypeFor[net.IP](), reflect.TypeFor[big.Int](), reflect.TypeFor[big.Rat](), reflect.TypeFor[url.URL]():
		return true
	}
	return t.Kind() == reflect.Pointer && codesItself(t.Elem())
}

// reaches says whether values of t can hold what is wanted; what writes itself is not looked into.
func reaches(t reflect.Type, wanted func(reflect.Type) bool, above map[reflect.Type]bool) bool {
	if wanted(t) {
		return true
	}
	if above[t] || codesItself(t) {
		return false
	}
	above[t] = true
	defer delete(above, t)
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array:
		return reaches(t.Elem(), wanted, above)
	case reflect.Map:
		return reaches(t.Key(), wanted, above) || reaches(t.Elem(), wanted, above)
	case reflect.Struct:
		for i := range t.NumField() {
			if f := t.Field(i); reachable(f) && reaches(f.Type, wanted, above) {
				return true
			}
		}
	default:
	}
	return false
}

// parts are what a walk through values looks for: whether a type is one, and whether its values can hold one.
type parts struct{ is, holds func(reflect.Type) bool }

//nolint:gochecknoglobals // a constant
var recordedParts = parts{recorded, func(t reflect.Type) bool { return selfOf(t).records }}

// each calls f for every part in v, in one order for equal values; v is addressable. Elements of maps are copies, which are written
// back where write says so: who encodes may not write. Maps whose keys have no order are passed over.
func (p parts) each(v reflect.Value, write bool, f func(reflect.Value) error) error {
	t := v.Type()
	if !p.holds(t) {
		return nil
	}
	if p.is(t) {
		if err := f(v); err != nil || t.Kind() != reflect.Pointer {
			return err
		}
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return p.each(v.Elem(), write, f)
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if err := p.each(v.Index(i), write, f); err != nil {
				return err
			}
		}
	case reflect.Map:
		if !ordered(t.Key().Kind()) {
			return nil
		}
		keys := v.MapKeys()
		slices.SortFunc(keys, compareKeys)
		for _, k := range keys {
			e := reflect.New(t.Elem()).Elem()
			e.Set(v.MapIndex(k))
			if err := p.each(e, write, f); err != nil {
				return err
			}
			if write {
				v.SetMapIndex(k, e)
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if !reachable(t.Field(i)) {
				continue
			}
			if err := p.each(v.Field(i), write, f); err != nil {
				return err
			}
		}
	default:
	}
	return nil
}

// reachable says whether exported names lead through a field: those of an embedded struct do, whatever its own name is.
func reachable(f reflect.StructField) bool { return f.IsExported() || f.Anonymous }

var errSelf = errors.New("lethe: what an encoded value says of parts that write themselves does not fit it")

// appendSelf appends the records of v, and their length.
func appendSelf(dst []byte, v reflect.Value) ([]byte, error) {
	from := len(dst)
	p := reflect.New(v.Type()).Elem()
	p.Set(v)
	err := recordedParts.each(p, false, func(part reflect.Value) error {
		dst = appendPart(dst, part)
		return nil
	})
	return binary.LittleEndian.AppendUint32(dst, uint32(len(dst)-from)), err
}

// setSelf gives a decoded value back what its records say.
func setSelf(records []byte, v reflect.Value) error {
	r := reader{records}
	err := recordedParts.each(v, true, r.part)
	if err == nil && len(r.b) > 0 {
		return errSelf
	}
	return err
}

// Sorts of slices in a record.
const (
	sliceNil byte = iota
	sliceEmpty
	sliceFull
)

func sortOf(n int, isNil bool) byte {
	switch {
	case isNil:
		return sliceNil
	case n == 0:
		return sliceEmpty
	}
	return sliceFull
}

func appendText(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

func appendBool(dst []byte, b bool) []byte {
	if b {
		return append(dst, 1)
	}
	return append(dst, 0)
}

func appendPart(dst []byte, v reflect.Value) []byte {
	if v.Kind() == reflect.Pointer {
		return appendBool(dst, !v.IsNil())
	}
	switch p := address(v).(type) {
	case *net.IP:
		return appendText(append(dst, sortOf(len(*p), *p == nil)), string(*p))
	case *big.Int:
		return append(dst, sortOf(len(p.Bits()), p.Bits() == nil))
	case *big.Rat:
		for _, i := range halves(p) {
			dst = append(dst, sortOf(len(i.Bits()), i.Bits() == nil))
		}
	case *url.URL:
		for i := range v.NumField() {
			switch f := v.Field(i); f.Kind() {
			case reflect.String:
				dst = appendText(dst, f.String())
			case reflect.Bool:
				dst = appendBool(dst, f.Bool())
			default:
			}
		}
		if dst = appendBool(dst, p.User != nil); p.User != nil {
			word, set := p.User.Password()
			dst = appendText(appendBool(appendText(dst, p.User.Username()), set), word)
		}
	}
	return dst
}

// address is a pointer to v, nil where v is behind a field that is not exported.
func address(v reflect.Value) any {
	if !v.CanAddr() || !v.Addr().CanInterface() {
		return nil
	}
	return v.Addr().Interface()
}

// halves are numerator and denominator; none where a big.Rat is not two numbers any more.
func halves(r *big.Rat) (all []*big.Int) {
	v := reflect.ValueOf(r).Elem()
	for i := range v.NumField() {
		if v.Field(i).Type() != reflect.TypeFor[big.Int]() {
			return nil
		}
		all = append(all, (*big.Int)(v.Field(i).Addr().UnsafePointer()))
	}
	return all
}

// reader takes records one after the other; what is too short reads as 0 and is found at the end.
type reader struct{ b []byte }

func (r *reader) byte() (b byte) {
	if len(r.b) > 0 {
		b, r.b = r.b[0], r.b[1:]
	}
	return b
}

func (r *reader) text() (s string) {
	n, w := binary.Uvarint(r.b)
	if w <= 0 || n > uint64(len(r.b)-w) {
		r.b = nil
		return ""
	}
	s, r.b = string(r.b[w:w+int(n)]), r.b[w+int(n):]
	return s
}

func (r *reader) part(v reflect.Value) error {
	if len(r.b) == 0 {
		return errSelf
	}
	if v.Kind() == reflect.Pointer {
		switch there := r.byte() == 1; {
		case !v.CanSet():
		case there && v.IsNil():
			v.Set(reflect.New(v.Type().Elem()))
		case !there:
			v.SetZero()
		}
		return nil
	}
	switch p := address(v).(type) {
	case *net.IP:
		how := r.byte()
		if *p = net.IP(r.text()); how == sliceNil {
			*p = nil
		}
	case *big.Int:
		r.number(p)
	case *big.Rat:
		for _, i := range halves(p) {
			r.number(i)
		}
	case *url.URL:
		for i := range v.NumField() {
			switch f := v.Field(i); f.Kind() {
			case reflect.String:
				f.SetString(r.text())
			case reflect.Bool:
				f.SetBool(r.byte() == 1)
			default:
			}
		}
		p.User = nil
		if r.byte() == 1 {
			name := r.text()
			set, word := r.byte() == 1, r.text()
			if p.User = url.User(name); set {
				p.User = url.UserPassword(name, word)
			}
		}
	}
	return nil
}

func (r *reader) number(i *big.Int) {
	switch r.byte() {
	case sliceNil:
		*i = big.Int{}
	case sliceEmpty:
		i.SetBits([]big.Word{})
	default:
	}
}
