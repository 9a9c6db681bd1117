package lethe

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/lethe-cache/lethe/internal/depend"
	"github.com/lethe-cache/lethe/internal/fence"
	"github.com/lethe-cache/lethe/pkg/event"
)

// forgetful is a node that can forget, and nothing else.
func forgetful(t testing.TB, names ...string) *Node {
	t.Helper()
	n := &Node{base: time.Now(), fence: fence.New(fence.Config{}, 0)}
	for _, name := range names {
		if taken, ok := n.functions.register(&function{name: name, shape: []jsonKind{stringKind}, label: depend.Function(name)}); !ok {
			t.Fatal(taken)
		}
	}
	return n
}

// hard is when a hash was last invalidated.
func (n *Node) hard(hash uint64) uint64 {
	h, _ := n.fence.Stamps(hash)
	return h
}

func TestEveryTargetRaisesItsAnyLabelWhateverStandsBesideIt(t *testing.T) {
	t.Parallel()
	all := []event.Target{
		event.Key("f", "1"), event.Key("g", "1"), event.Key("f", "2"), event.Function("g"), event.Key("unknown", "1"), event.Key("f", 3),
		event.Tag("user:1"), event.Tag("brand:1"), event.TagPrefix("user:1/"), event.All(), event.Key("g", "4"),
	}
	known := map[string]bool{"f": true, "g": true}
	for from := range all {
		for to := from + 1; to <= len(all); to++ {
			n := forgetful(t, "f", "g")
			want := map[uint64]bool{}
			n.Forget(all[from:to]...)
			for _, target := range all[from:to] {
				var l depend.Label
				switch target.Scope() {
				case event.ScopeKey, event.ScopeFunction:
					if !known[target.Name()] {
						continue
					}
					l = depend.Function(target.Name())
					if target.Scope() == event.ScopeKey && target.Canonical() != "[3]" { // a number is no key of f: all of it
						l = depend.Key(target.Name(), target.Canonical())
					}
				case event.ScopeTag:
					l = depend.Tag(target.Name())
				case event.ScopePrefix:
					l = depend.Prefix(target.Name())
				default:
					l = depend.All()
				}
				want[l.Hash], want[l.Any], want[depend.GlobalAny()] = true, true, true
			}
			for hash := range want {
				if n.hard(hash) != 2 {
					t.Fatalf("%v: a label has the stamp %d, want 2", all[from:to], n.hard(hash))
				}
			}
			if got := n.fence.Labels(); got != len(want) {
				t.Fatalf("%v: %d labels were raised, want %d", all[from:to], got, len(want))
			}
		}
	}
}

func TestSoftAndHardTargetsOfOneEventHaveAStampEach(t *testing.T) {
	t.Parallel()
	n := forgetful(t, "f")
	n.forget(touch{id: "e", reason: string(make([]byte, 2*maxTouched))}, []event.Target{event.Key("f", "1").Soft(), event.Key("f", "2"), event.Tag("user:1").Soft()})
	for _, tc := range []struct {
		l          depend.Label
		hard, soft uint64
	}{
		{depend.Key("f", `["1"]`), 0, 2},
		{depend.Key("f", `["2"]`), 3, 0},
		{depend.Tag("user:1"), 0, 2},
		{depend.Label{Hash: depend.Function("f").Any}, 3, 2},
		{depend.Label{Hash: depend.Tag("user:1").Any}, 0, 2},
		{depend.Label{Hash: depend.GlobalAny()}, 3, 2},
	} {
		if hard, soft := n.fence.Stamps(tc.l.Hash); hard != tc.hard || soft != tc.soft {
			t.Errorf("stamps %d and %d, want %d and %d", hard, soft, tc.hard, tc.soft)
		}
	}
	for _, stamp := range []uint64{2, 3} {
		if at, ok := n.touches.find(stamp); !ok || at.id != "e" || len(at.reason) != maxTouched || time.Since(at.at) > time.Minute {
			t.Errorf("stamp %d: %v, %+v", stamp, ok, at)
		}
	}
}

// The short way to tell that a key is of a function's shape says what the long way says.
func TestTakesIsFits(t *testing.T) {
	t.Parallel()
	var keys []string
	for _, arg := range []string{`"a"`, `""`, `"\""`, `"a\""`, `"\\"`, `","`, `"]"`, `1`, `-1.5e3`, `0`, `true`, `null`, `{}`, `{"a":1}`, `[]`, `[1,2]`, `["a"]`} {
		keys = append(keys, "["+arg+"]", "["+arg+","+arg+"]", "["+arg, arg+"]", arg, "["+arg+`,"x"]`, "["+arg+",1]", "["+arg+"}")
	}
	keys = append(keys, "", "[", "[]", "]", `["`, `["]`, `["a"`, `["a"x`)
	shapes := [][]jsonKind{{}, {anyKind}, {stringKind}, {numberKind}, {boolKind}, {objectKind}, {arrayKind}, {stringKind, stringKind}, {numberKind, numberKind}, {stringKind, numberKind}}
	for _, shape := range shapes {
		f := function{shape: slices.Clone(shape)}
		for _, key := range keys {
			if _, got := f.takes(key); got != fits(shape, []byte(key)) {
				t.Errorf("shape %q, key %s: %v", shape, key, got)
			}
		}
	}
}

func TestForgettingAllocatesNothing(t *testing.T) {
	n := forgetful(t, "catalog.price")
	hundred := make([]event.Target, 100)
	for i := range hundred {
		hundred[i] = event.Key("catalog.price", strconv.Itoa(i))
	}
	for name, targets := range map[string][]event.Target{
		"key":     {event.Key("catalog.price", "sku-42")},
		"tag":     {event.Tag("user:42")},
		"all":     {event.All()},
		"30 keys": hundred[:30],
	} {
		n.Forget(targets...) // makes the cells
		if got := testing.AllocsPerRun(100, func() { n.Forget(targets...) }); got != 0 {
			t.Errorf("%s: %v allocations", name, got)
		}
	}
	n.Forget(hundred...)
	if got := testing.AllocsPerRun(100, func() { n.Forget(hundred...) }); got > 1 {
		t.Errorf("100 keys: %v allocations, want one, of their hashes", got)
	}
}

func BenchmarkForgetOneTag(b *testing.B) {
	n, target := forgetful(b), event.Tag("user:42")
	b.ReportAllocs()
	for b.Loop() {
		n.Forget(target)
	}
}
