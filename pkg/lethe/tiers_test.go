package lethe_test

import (
	"context"
	"encoding/json"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

// meddling runs something between a read's check of a bulk entry and its promotion.
type meddling struct {
	counting
	before atomic.Pointer[func()]
}

func (c *meddling) Decode(data []byte, v any) error {
	if fn := c.before.Swap(nil); fn != nil {
		(*fn)()
	}
	return json.Unmarshal(data, v)
}

func TestPromotionKeepsTheBirthOfWhatItPromotes(t *testing.T) {
	t.Parallel()
	n, b, codec := one(t), newBook(), new(meddling)
	f := lethe.Memoize(n, "f", b.load, lethe.WithCodec(codec))
	must[int](t)(f.Get(t.Context(), "k"))
	lethe.DropHot(n)
	forget := func() {
		b.write("k")
		n.Forget(f.Target("k"))
	}
	codec.before.Store(&forget)
	must[int](t)(f.Get(t.Context(), "k")) // began before: either value is right
	if v := must[int](t)(f.Get(t.Context(), "k")); v != 1 {
		t.Fatal("an entry that was invalidated while it was promoted is served")
	}
}

func TestPromotionDoesNotReplaceWhatBeganToLoadLater(t *testing.T) {
	t.Parallel()
	n, b, codec := one(t), newBook(), new(meddling)
	f := lethe.Memoize(n, "f", b.load, lethe.WithCodec(codec))
	must[int](t)(f.Get(t.Context(), "k"))
	lethe.DropHot(n)
	later := func() { // no invalidation: only the order of loads tells them apart
		b.write("k")
		must[map[string]int](t)(f.Fill(t.Context(), func(context.Context) (map[string]int, error) {
			return map[string]int{"k": b.read("k")}, nil
		}))
	}
	codec.before.Store(&later)
	must[int](t)(f.Get(t.Context(), "k"))
	if r, err := f.Lookup(t.Context(), "k"); err != nil || r.Value != 1 || r.Tier != lethe.Hot {
		t.Fatalf("%+v, %v: an older load went over a newer one", r, err)
	}
}

func TestAPromotedValueExpiresAsItDidInBulk(t *testing.T) {
	t.Parallel()
	n, b := one(t), newBook()
	f := lethe.Memoize(n, "f", b.load, lethe.WithTTL(60*time.Millisecond))
	must[int](t)(f.Get(t.Context(), "k"))
	lethe.DropHot(n)
	b.write("k")
	until(t, "Get loads again", func() bool { // the quick way of a hot hit, too
		v, err := f.Get(t.Context(), "k")
		return err == nil && v == 1
	})
}

func TestWhoJoinedALoadChecksItsResultItself(t *testing.T) {
	t.Parallel()
	n, b, d := one(t), newBook(), newDoor(t)
	var held atomic.Bool
	f := lethe.Memoize(n, "f", func(context.Context, string) (int, error) {
		v := b.read("k")
		if !held.Swap(true) {
			d.pass()
		}
		return v, nil
	}, lethe.WithTags(func(string, int) []string { return []string{"all:k"} }))
	lethe.Usually(n, "f", time.Minute) // nobody loses patience
	first, second := make(chan int, 1), make(chan int, 1)
	go func() { v, _ := f.Get(context.Background(), "k"); first <- v }()
	take(t, "a load has read", d.entered)
	b.write("k")
	applied(t, []event.Target{event.Tag("all:k")}, n) // that the load has the tag is known when it has ended
	go func() { v, _ := f.Get(context.Background(), "k"); second <- v }()
	until(t, "a second waits for it", func() bool { return metric(t, n, "lethe_loads_shared_total", "function", "f") == 1 })
	d.unlock()
	if v := take(t, "the first ends", first); v != 0 {
		t.Fatalf("got %v", v)
	}
	if v := take(t, "the second ends", second); v != 1 {
		t.Fatal("who asked after the invalidation got what was read before it")
	}
	if r, err := f.Lookup(t.Context(), "k"); err != nil || r.Value != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
}
