package lethe_test

import (
	"context"
	"errors"
	"testing"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
	"github.com/lethe-cache/lethe/pkg/lethe/lethetest"
)

func TestANodeThatOnlyPublishesInvalidatesAndRemembersNothing(t *testing.T) {
	t.Parallel()
	n, nc := wire(t)
	p := must[*lethe.Node](t)(lethe.Open(within(t), lethe.Config{Conn: nc, Fleet: "shop", PublishOnly: true}))
	defer p.Close()
	if err := p.Ready(within(t)); err != nil {
		t.Fatal(err)
	}
	if s := p.Status(); s.State != lethe.Current {
		t.Fatalf("state %v", s.State)
	}
	b := newBook()
	f := lethe.Memoize(n, "f", b.load)
	must[int](t)(f.Get(t.Context(), "k"))
	tok := must[event.Token](t)(p.Invalidate(t.Context(), event.Name[string]("f").Key("k")))
	lethetest.WaitAll(t, tok, n)
	if _, ok := f.Peek(t.Context(), "k"); ok {
		t.Fatal("there after Invalidate")
	}
	if err := p.Wait(within(t), tok); !errors.Is(err, lethe.ErrNotReady) {
		t.Fatalf("Wait: %v", err)
	}
	panics(t, "PublishOnly", func() { lethe.Memoize(p, "g", b.load) })
	panics(t, "PublishOnly", func() {
		_ = p.Receive("r", func(context.Context, event.Event) error { return nil })
	})
}

func TestANodeOpenedWithoutAServerCallsTheLoaderAndStoresNothing(t *testing.T) {
	t.Parallel()
	n := must[*lethe.Node](t)(lethe.Open(t.Context(), lethe.Config{URL: "nats://127.0.0.1:1"}))
	defer n.Close()
	until(t, "Ready says why there is no connection", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), patience/100)
		defer cancel()
		err := n.Ready(ctx)
		if !errors.Is(err, lethe.ErrNotReady) {
			t.Fatalf("Ready: %v", err)
		}
		return contains(err, "refused")
	})
	b := newBook()
	f := lethe.Memoize(n, "f", b.load)
	for range 3 {
		r, err := f.Lookup(t.Context(), "k")
		wantLookup(t, r, err, 0, lethe.Bypassed, "")
	}
	if b.loads("k") != 3 || lethe.BulkLen(n)+lethe.HotLen(n) != 0 {
		t.Fatalf("%d loads, %d entries", b.loads("k"), lethe.BulkLen(n)+lethe.HotLen(n))
	}
	if s := n.Status(); s.State != lethe.Starting {
		t.Fatalf("state %v", s.State)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience/100)
	defer cancel()
	if _, err := f.Invalidate(ctx, "k"); !errors.Is(err, lethe.ErrNotPublished) {
		t.Fatalf("Invalidate: %v", err)
	}
}
