package lethe

import (
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"testing"
)

type (
	weighList struct {
		Next *weighList
		Name string
	}
	weighTree struct {
		Left, Right *weighTree
		Name        string
	}
	weighNode struct {
		Children []*weighNode
		Name     string
	}
	weighRow struct {
		Name, City string
		Tags       []string
	}
	weighRing struct {
		Self  *weighRing
		All   []*weighRing
		Any   any
		Loose []any
		By    map[string]*weighRing
		Body  []byte
	}
	weighPage struct {
		All, Page []string // Page is the beginning of All
	}
)

func weighText(n int) string { return strings.Repeat("x", n) }

func weighMany[T any](n int, of func() T) []T {
	all := make([]T, n)
	for i := range all {
		all[i] = of()
	}
	return all
}

func weighMap[T any](n int, of func() T) map[string]T {
	m := make(map[string]T, n)
	for i := range n {
		m[fmt.Sprintf("%032d", i)] = of()
	}
	return m
}

func weighTreeOf(depth int) *weighTree {
	if depth == 0 {
		return nil
	}
	return &weighTree{weighTreeOf(depth - 1), weighTreeOf(depth - 1), weighText(48)}
}

func weighNodeOf(depth, width int) *weighNode {
	n := &weighNode{Name: weighText(48)}
	if depth > 0 {
		n.Children = weighMany(width, func() *weighNode { return weighNodeOf(depth-1, width) })
	}
	return n
}

func weighListOf(n int) (l *weighList) {
	for range n {
		l = &weighList{l, weighText(48)}
	}
	return l
}

func liveBytes() int64 {
	runtime.GC()
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return int64(s.HeapAlloc)
}

// What a value weighs, beside what the heap grew by when it was made. It runs alone.
func TestAWeightIsWithinTwiceWhatAValueTakes(t *testing.T) {
	type strs = []string
	text := func() string { return weighText(48) }
	texts := func() strs { return weighMany(10, text) }
	row := func() weighRow { return weighRow{text(), text(), texts()} }
	for name, build := range map[string]func() any{
		"strings in slices of structs": func() any { return new(weighMany(2000, row)) },
		"slices of slices":             func() any { return new(weighMany(300, func() []strs { return weighMany(30, texts) })) },
		"four levels":                  func() any { return new(deepSlices(4, 24)) },
		"five levels":                  func() any { return new(deepSlices(5, 11)) },
		"seven levels":                 func() any { return new(deepSlices(7, 5)) },
		"twelve levels":                func() any { return new(deepSlices(12, 2)) },
		"arrays": func() any {
			return new(weighMany(100, func() *[100]strs { a := [100]strs(weighMany(100, texts)); return &a }))
		},
		"maps of slices":           func() any { return new(weighMap(3000, texts)) },
		"slices of maps of slices": func() any { return new(weighMany(200, func() map[string]strs { return weighMap(20, texts) })) },
		"maps of maps of maps": func() any {
			return new(weighMap(50, func() map[string]map[string]strs {
				return weighMap(20, func() map[string]strs { return weighMap(10, texts) })
			}))
		},
		"a short list":                  func() any { return new(weighListOf(500)) },
		"a list":                        func() any { return new(weighListOf(20_000)) },
		"a tree":                        func() any { return new(weighTreeOf(13)) },
		"a tree of slices":              func() any { return new(weighNodeOf(8, 3)) },
		"a large tree of slices":        func() any { return new(weighNodeOf(11, 3)) },
		"a wide tree of slices":         func() any { return new(weighNodeOf(3, 60)) },
		"slices of lists":               func() any { return new(weighMany(100, func() *weighList { return weighListOf(1000) })) },
		"what JSON decodes":             func() any { return new(looseOf(5, 8)) },
		"a slice and its own beginning": func() any { all := weighMany(20_000, text); return &weighPage{all, all[:5]} },
		"itself":                        func() any { return new(ringOf(1000)) },
	} {
		before := liveBytes()
		v := build()
		took := liveBytes() - before
		var w weigher
		got, known := w.weigh(reflect.ValueOf(v))
		t.Logf("%-32s took %10d, weighs %10d: %.2f", name, took, got, float64(got)/float64(took))
		if !known || got < took/2 || got > 2*took {
			t.Errorf("%s: weighs %d (known: %v), the heap has grown by %d", name, got, known, took)
		}
		runtime.KeepAlive(v)
	}
}

// deepSlices are slices in slices, each of n, and texts in the last.
func deepSlices(depth, n int) any {
	t := reflect.TypeFor[string]()
	for range depth {
		t = reflect.SliceOf(t)
	}
	var build func(t reflect.Type) reflect.Value
	build = func(t reflect.Type) reflect.Value {
		if t.Kind() == reflect.String {
			return reflect.ValueOf(weighText(48))
		}
		s := reflect.MakeSlice(t, n, n)
		for i := range n {
			s.Index(i).Set(build(t.Elem()))
		}
		return s
	}
	return build(t).Interface()
}

func looseOf(depth, n int) any {
	if depth == 0 {
		return weighText(48)
	}
	if depth%2 == 0 {
		return weighMany(n, func() any { return looseOf(depth-1, n) })
	}
	return weighMap(n, func() any { return looseOf(depth-1, n) })
}

func ringOf(n int) *weighRing {
	r := &weighRing{}
	r.Self, r.Any, r.Loose, r.By = r, r, make([]any, 2), map[string]*weighRing{"r": r}
	r.Loose[0], r.Loose[1] = r.Loose, r.By
	r.All = weighMany(n, func() *weighRing {
		return &weighRing{Self: r, Any: r.Loose, All: []*weighRing{r}, Body: make([]byte, 1000)}
	})
	return r
}

// Of what is linked without an end in sight, nothing tells how much it is.
func TestWhatCannotBeWeighedSaysSo(t *testing.T) {
	t.Parallel()
	var w weigher
	for _, l := range []*weighList{weighListOf(200_000), weighListOf(1_000_000)} {
		if got, known := w.weigh(reflect.ValueOf(&l)); known || got < 1<<16*(24+48)/3 {
			t.Errorf("%d, %v", got, known)
		}
	}
}

func TestWeighingAllocatesNothing(t *testing.T) {
	var w weigher
	for name, v := range map[string]any{
		"slices": new(deepSlices(4, 24)), "list": new(weighListOf(1000)), "maps": new(weighMap(100, func() map[string]string { return map[string]string{"k": "v"} })),
		"loose": new(looseOf(3, 8)), "tree": new(weighTreeOf(8)),
	} {
		if got := testing.AllocsPerRun(100, func() { w.weigh(reflect.ValueOf(v)) }); got >= 1 && !RaceEnabled {
			t.Errorf("%s: %v allocations", name, got)
		}
	}
}
