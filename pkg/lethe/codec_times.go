package lethe

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"time"
	"unsafe"
)

// msgpack writes the instant of a time.Time only. What else there is, zone and monotonic reading, stands behind the encoded value: one
// record for each time.Time that exported fields, elements and pointers lead to, in that order, and the length of them all.

// timeWords is a time.Time (Go 1.26); sameTime says whether it still is.
type timeWords struct {
	wall uint64
	ext  int64
	loc  *time.Location
}

//nolint:gochecknoglobals // a constant that takes reflection to find
var sameTime = func() bool {
	t, w := reflect.TypeFor[time.Time](), reflect.TypeFor[timeWords]()
	same := t.NumField() == w.NumField()
	for i := 0; same && i < w.NumField(); i++ {
		same = t.Field(i).Name == w.Field(i).Name && t.Field(i).Type == w.Field(i).Type && t.Field(i).Offset == w.Field(i).Offset
	}
	return same
}()

// holdsTimes says whether values of t can hold a time.Time that can be found again. The error is of a map whose keys have no order.
func holdsTimes(t reflect.Type, above map[reflect.Type]bool) (holds bool, err error) {
	if t == reflect.TypeFor[time.Time]() {
		return true, nil
	}
	if above[t] {
		return false, nil
	}
	above[t] = true
	defer delete(above, t)
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array:
		return holdsTimes(t.Elem(), above)
	case reflect.Map:
		if inKey, _ := holdsTimes(t.Key(), above); inKey {
			return false, fmt.Errorf("%s has times in its keys, whose zones would be lost", t)
		}
		if holds, err = holdsTimes(t.Elem(), above); holds && !ordered(t.Key().Kind()) {
			return false, fmt.Errorf("%s has times behind keys that are no texts or whole numbers: their zones would be lost", t)
		}
		return holds, err
	case reflect.Struct:
		for i := range t.NumField() {
			if !reachable(t.Field(i)) {
				continue
			}
			h, err := holdsTimes(t.Field(i).Type, above)
			if err != nil {
				return false, err
			}
			holds = holds || h
		}
	default:
	}
	return holds, nil
}

//nolint:gochecknoglobals // types are the same for all
var timeTypes sync.Map // of reflect.Type to bool; as many as there are types

// hasTimes is holdsTimes of a type that Memoize has taken, kept: values are walked at every store and every hit from bulk.
func hasTimes(t reflect.Type) bool {
	if known, ok := timeTypes.Load(t); ok {
		has, _ := known.(bool)
		return has
	}
	has, _ := holdsTimes(t, map[reflect.Type]bool{})
	timeTypes.Store(t, has)
	return has
}

func ordered(k reflect.Kind) bool {
	return k == reflect.String || k >= reflect.Int && k <= reflect.Uintptr
}

//nolint:gochecknoglobals // a constant
var timeParts = parts{func(t reflect.Type) bool { return t == reflect.TypeFor[time.Time]() }, hasTimes}

// eachTime calls f for every time.Time in v, as parts.each does.
func eachTime(v reflect.Value, write bool, f func(*time.Time) error) error {
	return timeParts.each(v, write, func(part reflect.Value) error {
		t, ok := address(part).(*time.Time)
		if !ok { // embedded under another name, which nobody can reach
			return nil
		}
		return f(t)
	})
}

func compareKeys(a, b reflect.Value) int {
	switch {
	case a.Kind() == reflect.String:
		return cmp.Compare(a.String(), b.String())
	case a.CanInt():
		return cmp.Compare(a.Int(), b.Int())
	}
	return cmp.Compare(a.Uint(), b.Uint())
}

// zones are the *time.Location that encoded times refer to: they come back as they were. Zones that were loaded several times are one
// if they are equal. What time.FixedZone makes is not kept here, since time.Parse makes one each time.
type zones struct {
	mu    sync.RWMutex // guards what follows
	all   []*time.Location
	index map[*time.Location]uint32
}

// maxZones bounds them: there are about 600 names.
const maxZones = 4096

//nolint:gochecknoglobals // zones are the same for all who encode
var knownZones zones

var errZones = errors.New("lethe: there are over 4096 different time zones in values; use zones of time.LoadLocation, or UTC")

func (z *zones) id(l *time.Location) (uint32, error) {
	z.mu.RLock()
	id, ok := z.index[l]
	z.mu.RUnlock()
	if ok {
		return id, nil
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	for i, have := range z.all {
		if have == l || have.String() == l.String() && reflect.DeepEqual(have, l) {
			return uint32(i), nil
		}
	}
	if len(z.all) == maxZones {
		return 0, errZones
	}
	if z.index == nil {
		z.index = map[*time.Location]uint32{}
	}
	z.index[l] = uint32(len(z.all))
	z.all = append(z.all, l)
	return z.index[l], nil
}

func (z *zones) get(id uint32) (*time.Location, bool) {
	z.mu.RLock()
	defer z.mu.RUnlock()
	if int(id) >= len(z.all) {
		return nil, false
	}
	return z.all[id], true
}

// Sorts of zones in a record.
const (
	zoneUTC byte = iota
	zoneFixed
	zoneKnown
)

func appendTime(dst []byte, t *time.Time) ([]byte, error) {
	le, w := binary.LittleEndian, (*timeWords)(unsafe.Pointer(t)) //nolint:gosec // sameTime
	dst = le.AppendUint64(dst, w.wall)
	dst = le.AppendUint64(dst, uint64(w.ext))
	if w.loc == nil {
		return append(dst, zoneUTC), nil
	}
	if w.loc != time.UTC && w.loc != time.Local {
		if name, offset := t.Zone(); len(name) < 256 && reflect.DeepEqual(w.loc, time.FixedZone(name, offset)) {
			dst = le.AppendUint32(append(dst, zoneFixed), uint32(int32(offset)))
			return append(append(dst, byte(len(name))), name...), nil
		}
	}
	id, err := knownZones.id(w.loc)
	return le.AppendUint32(append(dst, zoneKnown), id), err
}

var errTimes = errors.New("lethe: the zones of an encoded value's times do not fit it")

func readTime(b []byte, t *time.Time) (rest []byte, err error) {
	le := binary.LittleEndian
	if len(b) < 17 {
		return nil, errTimes
	}
	w := timeWords{wall: le.Uint64(b), ext: int64(le.Uint64(b[8:]))}
	sort := b[16]
	b = b[17:]
	switch {
	case sort == zoneUTC:
	case sort == zoneFixed && len(b) >= 5 && len(b) >= 5+int(b[4]):
		n := 5 + int(b[4])
		w.loc = time.FixedZone(string(b[5:n]), int(int32(le.Uint32(b))))
		b = b[n:]
	case sort == zoneKnown && len(b) >= 4:
		var ok bool
		if w.loc, ok = knownZones.get(le.Uint32(b)); !ok {
			return nil, errTimes
		}
		b = b[4:]
	default:
		return nil, errTimes
	}
	*(*timeWords)(unsafe.Pointer(t)) = w //nolint:gosec // sameTime
	return b, nil
}

// appendTimes appends what msgpack leaves out of the times of v, and its length.
func appendTimes(dst []byte, v reflect.Value) ([]byte, error) {
	from := len(dst)
	p := reflect.New(v.Type()).Elem()
	p.Set(v)
	err := eachTime(p, false, func(t *time.Time) (err error) {
		dst, err = appendTime(dst, t)
		return err
	})
	return binary.LittleEndian.AppendUint32(dst, uint32(len(dst)-from)), err
}

// cutTail takes records from the end of an encoded value; broken is the error where they are none.
func cutTail(data []byte, broken error) (value, tail []byte, err error) {
	if len(data) < 4 {
		return nil, nil, broken
	}
	end := len(data) - 4
	n := int(binary.LittleEndian.Uint32(data[end:]))
	if n > end {
		return nil, nil, broken
	}
	return data[:end-n], data[end-n : end], nil
}

// setTimes gives the times of a decoded value back what msgpack left out.
func setTimes(times []byte, v reflect.Value) error {
	err := eachTime(v, true, func(t *time.Time) (err error) {
		times, err = readTime(times, t)
		return err
	})
	if err == nil && len(times) > 0 {
		return errTimes
	}
	return err
}
