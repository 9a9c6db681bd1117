package lethe

import (
	"reflect"
	"slices"
	"sync"
	"unsafe"
)

// hotOverhead is what an entry of the hot tier takes beside itself, its key and its value: otter's node, its place in the table,
// and what the allocator rounds up.
const hotOverhead = 192

// Bounds of a walk through a value, so that weighing a large one does not take longer than it took to load.
const (
	maxWeighed   = 4096 // parts looked at
	maxElements  = 64   // of one slice or map; the others are taken for such as these
	mapOverhead  = 48
	mapPerMember = 12 // of the table, with its empty places
)

// weigher estimates how much memory decoded values hold. What it can't see, it leaves out: behind structs that have locks, atomics
// or channels, since others may be writing there, and in maps that only unexported fields reach.
type weigher struct {
	types sync.Map // of reflect.Type to typeWeight
}

type typeWeight struct {
	flat    bool // holds nothing beyond its own size
	guarded bool // a struct with a lock, an atomic or a channel
}

// walk is one walk through a value.
type walk struct {
	*weigher
	steps int
	few   [8]unsafe.Pointer // pointers that were followed; the first of them stand here
	n     int               // in few
	many  map[unsafe.Pointer]struct{}
}

// weigh is how many bytes the value v points to holds beyond its own size.
func (w *weigher) weigh(v reflect.Value) int64 {
	v = v.Elem()
	if w.of(v.Type()).flat {
		return 0
	}
	return (&walk{weigher: w}).beyond(v)
}

func (w *weigher) of(t reflect.Type) typeWeight {
	if known, ok := w.types.Load(t); ok {
		info, _ := known.(typeWeight)
		return info
	}
	info := typeWeight{}
	switch t.Kind() {
	case reflect.Array:
		info.flat = t.Len() == 0 || w.of(t.Elem()).flat
	case reflect.Struct:
		info.flat = true
		for i := range t.NumField() {
			f := t.Field(i).Type
			p := f.PkgPath()
			info.guarded = info.guarded || p == "sync" || p == "sync/atomic" || f.Kind() == reflect.Chan
			info.flat = info.flat && w.of(f).flat
		}
	case reflect.Pointer, reflect.Slice, reflect.Map, reflect.String, reflect.Interface:
	default:
		info.flat = true
	}
	w.types.Store(t, info)
	return info
}

func (w *walk) beyond(v reflect.Value) (size int64) {
	w.steps++
	if w.steps > maxWeighed {
		return 0
	}
	switch v.Kind() {
	case reflect.String:
		return int64(v.Len())
	case reflect.Slice:
		return int64(v.Cap())*int64(v.Type().Elem().Size()) + w.elements(v)
	case reflect.Array:
		return w.elements(v)
	case reflect.Pointer:
		if v.IsNil() || !w.first(v.UnsafePointer()) {
			return 0
		}
		size = int64(v.Type().Elem().Size())
		if !w.of(v.Type().Elem()).flat {
			size += w.beyond(v.Elem())
		}
	case reflect.Interface:
		if v.IsNil() {
			return 0
		}
		if v = v.Elem(); v.Kind() == reflect.Pointer {
			return w.beyond(v)
		}
		return int64(v.Type().Size()) + w.beyond(v)
	case reflect.Map:
		return w.members(v)
	case reflect.Struct:
		if w.of(v.Type()).guarded {
			return 0
		}
		for i := range v.NumField() {
			if f := v.Field(i); !w.of(f.Type()).flat {
				size += w.beyond(f)
			}
		}
	default: // holds nothing, or nothing that can be seen
	}
	return size
}

func (w *walk) first(p unsafe.Pointer) bool {
	if _, seen := w.many[p]; seen || slices.Contains(w.few[:w.n], p) {
		return false
	}
	if w.n < len(w.few) {
		w.few[w.n] = p
		w.n++
		return true
	}
	if w.many == nil {
		w.many = map[unsafe.Pointer]struct{}{}
	}
	w.many[p] = struct{}{}
	return true
}

// elements weighs what the elements of a slice or array hold beyond themselves: all of few, and of many some from everywhere.
func (w *walk) elements(v reflect.Value) (size int64) {
	n := v.Len()
	if n == 0 || w.of(v.Type().Elem()).flat {
		return 0
	}
	some := min(n, maxElements)
	for i := range some {
		size += w.beyond(v.Index(i * n / some))
	}
	return scaled(size, n, some)
}

func (w *walk) members(v reflect.Value) (size int64) {
	t, n := v.Type(), v.Len()
	if v.IsNil() {
		return 0
	}
	own := mapOverhead + int64(n)*int64(t.Key().Size()+t.Elem().Size()+mapPerMember)
	if n == 0 || w.of(t.Key()).flat && w.of(t.Elem()).flat || !v.CanInterface() {
		return own
	}
	some := 0
	for members := v.MapRange(); some < maxElements && members.Next(); some++ {
		size += w.beyond(members.Key()) + w.beyond(members.Value())
	}
	return own + scaled(size, n, max(some, 1))
}

// scaled is the size of n where that of some is known.
func scaled(size int64, n, some int) int64 {
	if n == some {
		return size
	}
	return int64(float64(size) / float64(some) * float64(n))
}
