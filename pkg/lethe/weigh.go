package lethe

import (
	"reflect"
	"sync"
	"unsafe"
)

// hotOverhead is what an entry of the hot tier takes beside itself, its key and its value: otter's node, its place in the table,
// and what the allocator rounds up.
const hotOverhead = 192

const (
	mapOverhead  = 48
	mapPerMember = 12      // of the table, with its empty places
	keptWalk     = 4096    // parts and pointers that a walk in the pool has room for
	largest      = 1 << 62 // bytes
)

// effort bounds one walk through a value, so that weighing a large one does not take longer than it took to load.
type effort struct {
	parts    int // looked at
	elements int // of one slice, array or map; the others are taken for such as these
}

// efforts are tried one after the other, until one comes to its end. The third is for lists and trees of pointers, of which nothing
// tells how long they are. With few elements the parts suffice for slices in slices at any depth.
//
//nolint:gochecknoglobals // a constant table
var efforts = [...]effort{{4096, 64}, {4096, 8}, {1 << 16, 64}, {1 << 16, 2}, {1 << 16, 1}}

// weigher estimates how much memory decoded values hold. What it can't see, it leaves out: behind structs that have locks, atomics
// or channels, since others may be writing there, and in maps that only unexported fields reach.
type weigher struct {
	types sync.Map  // of reflect.Type to *typeWeight
	walks sync.Pool // of *walk
}

type typeWeight struct {
	flat    bool // holds nothing beyond its own size
	guarded bool // a struct with a lock, an atomic or a channel
	size    float64
	members sync.Pool // of *member, of a map
}

// member is room for one member of a map.
type member struct {
	iter       reflect.MapIter
	key, value reflect.Value
}

// part is a part of a value that is not looked at yet. It stands for as many as times says.
type part struct {
	v     reflect.Value
	times float64
}

// walk is one walk through a value.
type walk struct {
	*weigher
	effort
	out  bool // of parts
	size float64
	rest []part
	high int // the most that rest had
	seen followed
}

// weigh is how many bytes the value v points to holds beyond its own size. known is false where that could not be found out, of
// more linked parts than the last effort has; size is only what was seen of them.
func (w *weigher) weigh(v reflect.Value) (size int64, known bool) {
	v = v.Elem()
	if w.of(v.Type()).flat {
		return 0, true
	}
	k, ok := w.walks.Get().(*walk)
	if !ok {
		k = &walk{weigher: w}
	}
	defer func() { k.clear(); w.walks.Put(k) }()
	most := 0.0
	for _, e := range efforts {
		k.clear()
		k.effort = e
		k.push(v, 1)
		k.run(0)
		if most = max(most, k.size); !k.out {
			return int64(min(k.size, largest)), true
		}
	}
	return int64(min(most, largest)), false
}

func (w *weigher) of(t reflect.Type) *typeWeight {
	if known, ok := w.types.Load(t); ok {
		info, _ := known.(*typeWeight)
		return info
	}
	info := &typeWeight{size: float64(t.Size())}
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
	known, _ := w.types.LoadOrStore(t, info)
	info, _ = known.(*typeWeight)
	return info
}

// push notes what has to be looked at.
func (w *walk) push(v reflect.Value, times float64) {
	w.parts--
	if w.parts < 0 {
		w.out = true
		return
	}
	w.rest = append(w.rest, part{v, times})
	w.high = max(w.high, len(w.rest))
}

// run looks at what was noted, down to the first parts. It keeps a list instead of calling itself: a chain of pointers may be long.
func (w *walk) run(down int) {
	for len(w.rest) > down && !w.out {
		p := w.rest[len(w.rest)-1]
		w.rest = w.rest[:len(w.rest)-1]
		w.look(p.v, p.times)
	}
}

func (w *walk) look(v reflect.Value, times float64) {
	switch v.Kind() {
	case reflect.String:
		w.size += times * float64(v.Len())
	case reflect.Slice:
		elem := w.of(v.Type().Elem())
		if v.Cap() == 0 || !elem.flat && !w.seen.first(v.UnsafePointer(), elem, v.Len()+1) {
			return
		}
		w.size += times * float64(v.Cap()) * elem.size
		w.elements(v, elem, times)
	case reflect.Array:
		w.elements(v, w.of(v.Type().Elem()), times)
	case reflect.Pointer:
		elem := w.of(v.Type().Elem())
		if v.IsNil() || !w.seen.first(v.UnsafePointer(), elem, 0) {
			return
		}
		w.size += times * elem.size
		if !elem.flat {
			w.push(v.Elem(), times)
		}
	case reflect.Interface:
		if v.IsNil() {
			return
		}
		if v = v.Elem(); v.Kind() != reflect.Pointer && v.Kind() != reflect.Map {
			w.size += times * float64(v.Type().Size())
		}
		w.push(v, times)
	case reflect.Map:
		w.members(v, times)
	case reflect.Struct:
		if w.of(v.Type()).guarded {
			return
		}
		for i := range v.NumField() {
			if f := v.Field(i); !w.of(f.Type()).flat {
				w.push(f, times)
			}
		}
	default: // holds nothing, or nothing that can be seen
	}
}

// elements weighs what the elements of a slice or array hold beyond themselves: all of few, and of many some from everywhere.
func (w *walk) elements(v reflect.Value, elem *typeWeight, times float64) {
	n := v.Len()
	if n == 0 || elem.flat {
		return
	}
	some := min(n, w.effort.elements)
	times *= float64(n) / float64(some)
	for i := range some {
		w.push(v.Index((2*i+1)*n/(2*some)), times)
	}
}

func (w *walk) members(v reflect.Value, times float64) {
	t, n := v.Type(), v.Len()
	if v.IsNil() {
		return
	}
	info, key, value := w.of(t), w.of(t.Key()), w.of(t.Elem())
	if !w.seen.first(v.UnsafePointer(), info, 0) {
		return
	}
	w.size += times * (mapOverhead + float64(n)*(key.size+value.size+mapPerMember))
	if n == 0 || key.flat && value.flat || !v.CanInterface() {
		return
	}
	m, ok := info.members.Get().(*member)
	if !ok {
		m = &member{key: reflect.New(t.Key()).Elem(), value: reflect.New(t.Elem()).Elem()}
	}
	m.iter.Reset(v)
	times *= float64(n) / float64(min(n, w.effort.elements))
	for some := 0; some < w.effort.elements && m.iter.Next(); some++ {
		m.key.SetIterKey(&m.iter)
		m.value.SetIterValue(&m.iter)
		down := len(w.rest)
		w.push(m.key, times)
		w.push(m.value, times)
		w.run(down) // before the next one takes its room
	}
	m.iter.Reset(reflect.Value{})
	m.key.SetZero()
	m.value.SetZero()
	info.members.Put(m)
}

// clear leaves nothing of the value.
func (w *walk) clear() {
	clear(w.rest[:w.high])
	if w.rest = w.rest[:0]; cap(w.rest) > keptWalk {
		w.rest = nil
	}
	w.seen.clear()
	w.size, w.out, w.high = 0, false, 0
}

// followed are the things that were followed already. They do not move: the value that is weighed is on the heap and keeps them.
type followed struct {
	slots []uint64 // 0 is free; a power of two, at most half of them taken
	n     int
}

// first notes one, and says whether it is new. A thing and its first part have one address, so the type is told as well, and of a
// slice its length and 1.
func (s *followed) first(p unsafe.Pointer, t *typeWeight, long int) bool {
	id := (uint64(uintptr(p))*0x9e3779b97f4a7c15+uint64(uintptr(unsafe.Pointer(t))))*0xff51afd7ed558ccd + uint64(long) //nolint:gosec // numbers; nothing is read through them
	if 2*s.n >= len(s.slots) {
		old := s.slots
		s.slots, s.n = make([]uint64, max(64, 2*len(old))), 0
		for _, o := range old {
			if o != 0 {
				s.add(o)
			}
		}
	}
	return s.add(max(id, 1))
}

func (s *followed) add(id uint64) bool {
	last := uint64(len(s.slots) - 1)
	at := id * 0x9e3779b97f4a7c15 >> 32
	for ; s.slots[at&last] != 0; at++ {
		if s.slots[at&last] == id {
			return false
		}
	}
	s.slots[at&last] = id
	s.n++
	return true
}

func (s *followed) clear() {
	if s.n == 0 {
		return
	}
	if s.n = 0; len(s.slots) > 2*keptWalk {
		s.slots = nil
		return
	}
	clear(s.slots)
}
