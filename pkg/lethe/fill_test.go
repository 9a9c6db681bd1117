package lethe_test

import (
	"context"
	"errors"
	"testing"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

func TestFillWarmsEveryKeyItBrings(t *testing.T) {
	t.Parallel()
	n, b := one(t), newBook()
	f := lethe.Memoize(n, "f", b.load, lethe.WithTags(func(k string, _ int) []string { return []string{"own:" + k} }))
	got := must[map[string]int](t)(f.Fill(t.Context(), func(ctx context.Context) (map[string]int, error) {
		lethe.AddTags(ctx, "fill:x")
		return map[string]int{"a": 1, "b": 2}, nil
	}))
	if len(got) != 2 {
		t.Fatalf("got %v", got)
	}
	want := func(k string, v int, there bool) {
		t.Helper()
		if got, ok := f.Peek(t.Context(), k); ok != there || got != v {
			t.Fatalf("%s: %v, %v", k, got, ok)
		}
	}
	want("a", 1, true)
	want("b", 2, true)
	applied(t, []event.Target{event.Tag("own:a")}, n)
	want("a", 0, false)
	want("b", 2, true)
	applied(t, []event.Target{event.Tag("fill:x")}, n)
	want("b", 0, false)
	if b.loads("a")+b.loads("b") != 0 {
		t.Fatal("Fill called the loader")
	}
}

func TestFillKeepsNothingThatWasInvalidatedWhileItRan(t *testing.T) {
	t.Parallel()
	n, b, d := one(t), newBook(), newDoor(t)
	f := lethe.Memoize(n, "f", b.load)
	filled := make(chan map[string]int)
	go func() {
		m, err := f.Fill(context.Background(), func(context.Context) (map[string]int, error) {
			m := map[string]int{"a": b.read("a"), "b": b.read("b")}
			d.pass()
			return m, nil
		})
		if err != nil {
			t.Error(err)
		}
		filled <- m
	}()
	take(t, "Fill has read", d.entered)
	b.write("a")
	applied(t, []event.Target{f.Target("a")}, n)
	d.unlock()
	if m := take(t, "Fill ends", filled); len(m) != 2 {
		t.Fatalf("Fill returned %v", m)
	}
	if v, ok := f.Peek(t.Context(), "a"); ok {
		t.Fatalf("%v was kept, which was read before the invalidation", v)
	}
	if _, ok := f.Peek(t.Context(), "b"); !ok {
		t.Fatal("what was not invalidated is not there")
	}
	if got := metric(t, n, "lethe_loads_fenced_total", "function", "f"); got != 1 {
		t.Fatalf("%v loads counted as fenced", got)
	}
}

func TestFillDoesNotReplaceWhatBeganToLoadLater(t *testing.T) {
	t.Parallel()
	for _, opt := range [][]lethe.Option{nil, {lethe.WithoutHot()}, {lethe.WithoutBulk()}} {
		n, b, d := one(t), newBook(), newDoor(t)
		f := lethe.Memoize(n, "f", b.load, opt...)
		done := make(chan error)
		go func() {
			_, err := f.Fill(context.Background(), func(context.Context) (map[string]int, error) {
				m := map[string]int{"a": b.read("a")}
				d.pass()
				return m, nil
			})
			done <- err
		}()
		take(t, "Fill has read", d.entered)
		b.write("a")
		if v := must[int](t)(f.Get(t.Context(), "a")); v != 1 {
			t.Fatalf("got %v", v)
		}
		d.unlock()
		if err := take(t, "Fill ends", done); err != nil {
			t.Fatal(err)
		}
		if v, ok := f.Peek(t.Context(), "a"); !ok || v != 1 {
			t.Fatalf("%v, %v: an older load went over a newer one", v, ok)
		}
	}
}

func TestAFillThatFailsKeepsNothing(t *testing.T) {
	t.Parallel()
	n, b := one(t), newBook()
	f := lethe.Memoize(n, "f", b.load)
	for what, load := range map[string]func(context.Context) (map[string]int, error){
		"error": func(context.Context) (map[string]int, error) { return map[string]int{"a": 1}, errGone },
		"panic": func(context.Context) (map[string]int, error) { panic(errGone) },
		"key":   func(context.Context) (map[string]int, error) { return map[string]int{"a": 1, "\xff": 2}, nil },
		"nil":   nil,
	} {
		_, err := f.Fill(t.Context(), load)
		if err == nil || what == "error" && !errors.Is(err, errGone) {
			t.Errorf("%s: %v", what, err)
		}
		if _, ok := f.Peek(t.Context(), "a"); ok {
			t.Fatalf("%s: kept", what)
		}
	}
	if m, err := f.Fill(t.Context(), func(context.Context) (map[string]int, error) { return nil, nil }); err != nil || len(m) != 0 {
		t.Fatalf("%v, %v", m, err)
	}
}
