package lethe_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
	"github.com/lethe-cache/lethe/pkg/lethe/lethetest"
)

// family is a child and a parent that reads it.
type family struct {
	n             *lethe.Node
	b             *book
	child, parent *lethe.Func[string, int]
	parents       atomic.Int64 // loads of the parent
}

func newFamily(t *testing.T, n *lethe.Node, opts ...lethe.Option) *family {
	t.Helper()
	fam := &family{n: n, b: newBook()}
	fam.child = lethe.Memoize(n, "child", fam.b.load, opts...)
	fam.parent = lethe.Memoize(n, "parent", func(ctx context.Context, k string) (int, error) {
		fam.parents.Add(1)
		v, err := fam.child.Get(ctx, k)
		return 100 * v, err
	})
	return fam
}

// stored reads the parent twice and reports whether the second came from memory.
func (fam *family) stored(t *testing.T, want int) bool {
	t.Helper()
	must[int](t)(fam.parent.Get(t.Context(), "k"))
	r, err := fam.parent.Lookup(t.Context(), "k")
	if err != nil || r.Value != want {
		t.Fatalf("%+v, %v; want %d", r, err, want)
	}
	return r.Cache == lethe.Hit
}

func TestAParentGoesStaleWithAChildItLoaded(t *testing.T) {
	t.Parallel()
	nodes := lethetest.Fleet(t, 2)
	fam := newFamily(t, nodes[0])
	if !fam.stored(t, 0) {
		t.Fatal("not stored")
	}
	fam.b.write("k")
	applied(t, []event.Target{fam.child.Target("k")}, nodes[1], nodes[0])
	if _, ok := fam.parent.Peek(t.Context(), "k"); ok {
		t.Fatal("the parent is there without its child")
	}
	if !fam.stored(t, 100) {
		t.Fatal("not stored again")
	}
	applied(t, []event.Target{fam.child.Target("other")}, nodes[1], nodes[0])
	if _, ok := fam.parent.Peek(t.Context(), "k"); !ok {
		t.Fatal("another child's invalidation took the parent along")
	}
}

func TestAParentGoesStaleWithAChildThatWasThereAlready(t *testing.T) {
	t.Parallel()
	for _, drop := range []bool{false, true} { // from the hot tier, from bulk
		fam := newFamily(t, one(t), lethe.WithTags(func(k string, _ int) []string { return []string{"kid:" + k} }))
		must[int](t)(fam.child.Get(t.Context(), "k"))
		if drop {
			lethe.DropHot(fam.n)
		}
		if !fam.stored(t, 0) {
			t.Fatal("not stored")
		}
		fam.b.write("k")
		applied(t, []event.Target{event.Tag("kid:k")}, fam.n)
		if !fam.stored(t, 100) {
			t.Fatal("not stored again")
		}
	}
}

func TestAParentGoesStaleWithAChildThatItJoined(t *testing.T) {
	t.Parallel()
	n, d := one(t), newDoor(t)
	b := newBook()
	var held atomic.Bool
	child := lethe.Memoize(n, "child", func(ctx context.Context, k string) (int, error) {
		lethe.AddTags(ctx, "kid:"+k)
		if !held.Swap(true) {
			d.pass()
		}
		return b.load(ctx, k)
	})
	parent := lethe.Memoize(n, "parent", child.Get)
	done := make(chan error, 2)
	go func() { _, err := child.Get(context.Background(), "k"); done <- err }()
	take(t, "the child loads", d.entered)
	go func() { _, err := parent.Get(context.Background(), "k"); done <- err }()
	until(t, "the parent waits for it", func() bool { return metric(t, n, "lethe_loads_shared_total", "function", "child") == 1 })
	d.unlock()
	for range 2 {
		if err := take(t, "both end", done); err != nil {
			t.Fatal(err)
		}
	}
	if _, ok := parent.Peek(t.Context(), "k"); !ok {
		t.Fatal("the parent was not stored")
	}
	applied(t, []event.Target{event.Tag("kid:k")}, n)
	if _, ok := parent.Peek(t.Context(), "k"); ok {
		t.Fatal("the parent is there without its child")
	}
}

func TestAParentGoesStaleWithAChildItPeekedAt(t *testing.T) {
	t.Parallel()
	n, b := one(t), newBook()
	child := lethe.Memoize(n, "child", b.load)
	parent := lethe.Memoize(n, "parent", func(ctx context.Context, k string) (int, error) {
		v, _ := child.Peek(ctx, k)
		return v, nil
	})
	must[int](t)(parent.Get(t.Context(), "k"))
	if r, err := parent.Lookup(t.Context(), "k"); err != nil || r.Cache != lethe.Miss {
		t.Fatalf("a parent of what was not there was kept: %+v, %v", r, err)
	}
	must[int](t)(child.Get(t.Context(), "k"))
	must[int](t)(parent.Get(t.Context(), "k"))
	if _, ok := parent.Peek(t.Context(), "k"); !ok {
		t.Fatal("the parent was not stored")
	}
	applied(t, []event.Target{child.Target("k")}, n)
	if _, ok := parent.Peek(t.Context(), "k"); ok {
		t.Fatal("the parent is there without its child")
	}
}

func TestAParentGoesStaleWithARememberedErrorAndIsNotKeptForAnother(t *testing.T) {
	t.Parallel()
	n := one(t)
	var loads atomic.Int64
	child := lethe.Memoize(n, "child", func(_ context.Context, k string) (int, error) {
		return 0, map[string]error{"gone": errGone, "bad": errors.ErrUnsupported}[k]
	},
		lethe.WithNegative(time.Hour, errGone))
	parent := lethe.Memoize(n, "parent", func(ctx context.Context, k string) (int, error) {
		loads.Add(1)
		if _, err := child.Get(ctx, k); err != nil {
			return -1, nil //nolint:nilerr // the parent makes a value of it
		}
		return 1, nil
	})
	for _, warm := range []bool{false, true} { // loaded, and from memory
		must[int](t)(parent.Get(t.Context(), "gone"))
		if _, ok := parent.Peek(t.Context(), "gone"); !ok {
			t.Fatalf("warm %v: not stored", warm)
		}
		if warm {
			applied(t, []event.Target{child.Target("gone")}, n)
		} else {
			applied(t, []event.Target{parent.Target("gone")}, n) // the child's error stays
		}
		if _, ok := parent.Peek(t.Context(), "gone"); ok {
			t.Fatalf("warm %v: the parent is there without its child", warm)
		}
	}
	for range 2 {
		r, err := parent.Lookup(t.Context(), "bad")
		wantLookup(t, r, err, -1, lethe.Miss, "")
	}
}

func TestAParentOfGetManyAndFillDependsOnWhatTheyBrought(t *testing.T) {
	t.Parallel()
	n, b := one(t), newBook()
	child := lethe.Memoize(n, "child", b.load, lethe.WithBatch(func(_ context.Context, ks []string) (map[string]int, error) {
		m := map[string]int{}
		for _, k := range ks {
			if k != "left out" {
				m[k] = b.read(k)
			}
		}
		return m, nil
	}))
	many := lethe.Memoize(n, "many", func(ctx context.Context, _ string) (int, error) {
		m, err := child.GetMany(ctx, []string{"a", "b"})
		return len(m), err
	})
	absent := lethe.Memoize(n, "absent", func(ctx context.Context, _ string) (int, error) {
		m, err := child.GetMany(ctx, []string{"left out"})
		return len(m), err
	})
	fill := lethe.Memoize(n, "fill", func(ctx context.Context, _ string) (int, error) {
		m, err := child.Fill(ctx, func(context.Context) (map[string]int, error) { return map[string]int{"c": 1}, nil })
		return len(m), err
	})
	empty := lethe.Memoize(n, "empty", func(ctx context.Context, _ string) (int, error) {
		m, err := child.Fill(ctx, func(ctx context.Context) (map[string]int, error) {
			_, err := child.Get(ctx, "d")
			return nil, err
		})
		return len(m), err
	})
	for f, k := range map[*lethe.Func[string, int]]string{many: "b", fill: "c"} {
		must[int](t)(f.Get(t.Context(), "k"))
		if _, ok := f.Peek(t.Context(), "k"); !ok {
			t.Fatalf("the parent of %s was not stored", k)
		}
		applied(t, []event.Target{child.Target(k)}, n)
		if _, ok := f.Peek(t.Context(), "k"); ok {
			t.Fatalf("the parent of %s is there without it", k)
		}
	}
	for _, f := range []*lethe.Func[string, int]{absent, empty} {
		must[int](t)(f.Get(t.Context(), "k"))
		if _, ok := f.Peek(t.Context(), "k"); ok {
			t.Fatal("a parent was stored whose dependencies are not known")
		}
	}
}

func TestAParentOfMoreThan64ChildrenGoesStaleWithASingleOne(t *testing.T) {
	t.Parallel()
	n := one(t)
	child := lethe.Memoize(n, "child", func(_ context.Context, i int) (int, error) { return i, nil },
		lethe.WithTags(func(i, _ int) []string { return []string{fmt.Sprintf("kid%d:%d", i%3, i)} }))
	parent := lethe.Memoize(n, "parent", func(ctx context.Context, m int) (int, error) {
		sum := 0
		for i := range m {
			v, err := child.Get(ctx, i)
			if err != nil {
				return 0, err
			}
			sum += v
		}
		return sum, nil
	})
	wide := lethe.Memoize(n, "wide", func(ctx context.Context, _ int) (int, error) {
		for i := range 70 { // more families than labels
			lethe.AddTags(ctx, fmt.Sprintf("f%d:x", i))
		}
		return 0, nil
	})
	for _, target := range []event.Target{child.Target(0), child.Target(69), event.Tag("kid1:7"), event.TagPrefix("kid2:"), event.Function("child"), event.All()} {
		must[int](t)(parent.Get(t.Context(), 70))
		if _, ok := parent.Peek(t.Context(), 70); !ok {
			t.Fatal("the parent was not stored")
		}
		applied(t, []event.Target{target}, n)
		if _, ok := parent.Peek(t.Context(), 70); ok {
			t.Fatalf("the parent is there after %v", target)
		}
	}
	must[int](t)(parent.Get(t.Context(), 70))
	applied(t, []event.Target{event.Tag("unrelated:x")}, n)
	if _, ok := parent.Peek(t.Context(), 70); !ok {
		t.Fatal("collapsed to its families, it went stale with another")
	}
	for _, target := range []event.Target{event.Tag("f69:x"), event.TagPrefix("f3:"), event.All()} {
		must[int](t)(wide.Get(t.Context(), 1))
		if _, ok := wide.Peek(t.Context(), 1); !ok {
			t.Fatal("not stored")
		}
		applied(t, []event.Target{target}, n)
		if _, ok := wide.Peek(t.Context(), 1); ok {
			t.Fatalf("there after %v", target)
		}
	}
}

func TestAParentIsNotStoredWhenItsChildWasNot(t *testing.T) {
	t.Parallel()
	fam := newFamily(t, one(t))
	none := lethe.Memoize(fam.n, "none", func(ctx context.Context, _ string) (int, error) {
		lethe.NoStore(ctx)
		return 1, nil
	})
	of := lethe.Memoize(fam.n, "of", none.Get)
	bypassing := lethe.Memoize(fam.n, "bypassing", func(ctx context.Context, k string) (int, error) {
		return fam.child.Get(lethe.WithBypass(ctx), k)
	})
	for _, f := range []*lethe.Func[string, int]{of, bypassing} {
		must[int](t)(f.Get(t.Context(), "k"))
		if _, ok := f.Peek(t.Context(), "k"); ok {
			t.Fatal("stored")
		}
	}
}

func TestAParentOfAChildThatWasGivenUpOnIsNotStored(t *testing.T) {
	t.Parallel()
	n, d := one(t), newDoor(t)
	child := lethe.Memoize(n, "child", func(context.Context, string) (int, error) { d.pass(); return 1, nil })
	parent := lethe.Memoize(n, "parent", func(ctx context.Context, k string) (int, error) {
		ctx, cancel := context.WithCancel(ctx)
		cancel()
		if _, err := child.Get(ctx, k); !errors.Is(err, context.Canceled) {
			return 0, errors.New("not cancelled")
		}
		return 1, nil
	})
	must[int](t)(parent.Get(t.Context(), "k"))
	d.unlock()
	if _, ok := parent.Peek(t.Context(), "k"); ok {
		t.Fatal("stored, and nobody knows on what it depends")
	}
}

func TestAParentOfAChildServedStaleIsNotStored(t *testing.T) {
	t.Parallel()
	n, d := one(t), newDoor(t)
	var loads atomic.Int64
	child := lethe.Memoize(n, "child", func(context.Context, string) (int, error) {
		if loads.Add(1) > 1 {
			d.pass()
		}
		return 1, nil
	}, lethe.WithTTL(time.Minute), lethe.WithStale(time.Minute))
	parent := lethe.Memoize(n, "parent", child.Get)
	must[int](t)(child.Get(t.Context(), "k"))
	applied(t, []event.Target{child.Target("k").Soft()}, n)
	must[int](t)(parent.Get(t.Context(), "k"))
	if _, ok := parent.Peek(t.Context(), "k"); ok {
		t.Fatal("stored")
	}
	d.unlock()
}

func TestAParentOfAnotherNodesChildIsNotStored(t *testing.T) {
	t.Parallel()
	nodes := lethetest.Fleet(t, 2)
	b := newBook()
	child := lethe.Memoize(nodes[0], "child", b.load)
	parent := lethe.Memoize(nodes[1], "parent", child.Get)
	must[int](t)(child.Get(t.Context(), "k"))
	must[int](t)(parent.Get(t.Context(), "k"))
	if _, ok := parent.Peek(t.Context(), "k"); ok {
		t.Fatal("stored")
	}
}

func TestAParentExpiresWithTheFirstOfItsChildren(t *testing.T) {
	t.Parallel()
	const ttl = 80 * time.Millisecond
	n, b := one(t), newBook()
	short := lethe.Memoize(n, "short", b.load, lethe.WithTTL(ttl))
	long := lethe.Memoize(n, "long", b.load)
	parent := lethe.Memoize(n, "parent", func(ctx context.Context, k string) (int, error) {
		v, err := long.Get(ctx, k)
		w, err2 := short.Get(ctx, k)
		return v + w, errors.Join(err, err2)
	})
	must[int](t)(parent.Get(t.Context(), "k"))
	x := must[lethe.Explanation](t)(n.Explain(t.Context(), parent.Target("k")))
	y := must[lethe.Explanation](t)(n.Explain(t.Context(), short.Target("k")))
	if x.Expires == nil || y.Expires == nil || x.Expires.After(*y.Expires) {
		t.Fatalf("the parent expires %v, its child %v", x.Expires, y.Expires)
	}
	expires(t, parent, "k", patience) // its load began a little before the child's
}

func TestALoaderMayReadFromSeveralGoroutines(t *testing.T) {
	t.Parallel()
	n, b := one(t), newBook()
	child := lethe.Memoize(n, "child", b.load)
	parent := lethe.Memoize(n, "parent", func(ctx context.Context, _ string) (int, error) {
		var wg sync.WaitGroup
		for _, k := range []string{"a", "b", "c", "d"} {
			wg.Go(func() {
				if _, err := child.Get(ctx, k); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		return 1, nil
	})
	for _, k := range []string{"a", "b", "c", "d"} {
		must[int](t)(parent.Get(t.Context(), "k"))
		applied(t, []event.Target{child.Target(k)}, n)
		if _, ok := parent.Peek(t.Context(), "k"); ok {
			t.Fatalf("the parent is there without %s", k)
		}
	}
}
