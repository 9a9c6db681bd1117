package main

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

// abroad is how a region's server has to be: what its nodes ask of JetStream goes to the hub's domain.
func abroad() server.Options {
	return server.Options{ServerName: "leaf", JsAccDefaultDomain: map[string]string{"$G": "hub"}}
}

func TestAnEventCrossesToALeafNodeOnce(t *testing.T) {
	h := hub(t, "hub")
	l := leaf(t, leafAddr(t, h), abroad())
	home := join(t, h.ClientURL(), "home")
	var away []*member
	for i := range 20 {
		away = append(away, join(t, l.ClientURL(), fmt.Sprintf("away-%d", i)))
	}
	forgets(t, home, append(away, home)...)
	forgets(t, away[0], append(away, home)...)
	before, bytes := crossed(t, h)
	const events = 200
	for range events {
		token, err := home.get.Invalidate(t.Context(), "k")
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range away {
			if err := m.Wait(t.Context(), token); err != nil {
				t.Fatal(err)
			}
		}
	}
	after, bytesAfter := crossed(t, h)
	t.Logf("%d nodes behind the leaf node: %.2f messages, %.0f bytes an event cross", len(away), float64(after-before)/events, float64(bytesAfter-bytes)/events)
	if after-before > events*3/2 {
		t.Errorf("%d messages crossed for %d events", after-before, events)
	}
}

func TestALeafNodeThatWasCutOffHeals(t *testing.T) {
	h := hub(t, "hub")
	p := newLine(t, leafAddr(t, h), 0)
	l := leaf(t, p.addr(), abroad())
	home, away := join(t, h.ClientURL(), "home"), join(t, l.ClientURL(), "away")
	forgets(t, home, home, away)
	p.cut(true)
	eventually(t, "the leaf node is cut off", func() bool { return l.NumLeafNodes() == 0 })
	var last event.Token
	for range 50 {
		var err error
		if last, err = home.get.Invalidate(t.Context(), "k"); err != nil {
			t.Fatal(err)
		}
	}
	if away.Status().Cursor >= last.Sequence() {
		t.Fatal("it was not cut off")
	}
	if _, err := away.get.Invalidate(t.Context(), "other"); !errors.Is(err, lethe.ErrNotPublished) {
		t.Errorf("an invalidation that can't leave: %v", err)
	}
	p.cut(false)
	begin := time.Now()
	eventually(t, "the leaf node is back", func() bool { return l.NumLeafNodes() == 1 })
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	if err := away.Wait(ctx, last); err != nil {
		t.Fatal(err)
	}
	s := away.Status()
	t.Logf("caught up %v after the line was mended: %d gaps healed, %d resets", time.Since(begin), s.GapsHealed, s.Resets)
	if s.Resets != 0 {
		t.Errorf("%d resets", s.Resets)
	}
	forgets(t, home, home, away)
}

func TestALeafNodeFarAway(t *testing.T) {
	h := hub(t, "hub")
	const oneWay = 40 * time.Millisecond
	p := newLine(t, leafAddr(t, h), oneWay)
	l := leaf(t, p.addr(), abroad())
	home := join(t, h.ClientURL(), "home")
	begin := time.Now()
	away := join(t, l.ClientURL(), "away")
	t.Logf("Open to Ready %v where a round trip takes %v", time.Since(begin), 2*oneWay)
	forgets(t, home, home, away)
	for _, by := range []*member{home, away} {
		begin = time.Now()
		token, err := by.get.Invalidate(t.Context(), "k")
		if err != nil {
			t.Fatal(err)
		}
		acked := time.Since(begin)
		if err := away.Wait(t.Context(), token); err != nil {
			t.Fatal(err)
		}
		t.Logf("acknowledged after %v, applied away after %v", acked, time.Since(begin))
	}
}

// What docs/capacity.md says of servers of a region that are set up otherwise.
func TestWaysToSetUpALeafNode(t *testing.T) {
	for _, tc := range []struct {
		name, domain string
		leaf         server.Options
		ready, one   bool // nodes behind it become ready; and are on the hub's stream
		direct       bool // and can read it
	}{
		{"default domain", "hub", server.Options{JsAccDefaultDomain: map[string]string{"$G": "hub"}}, true, true, true},
		{"JetStream of its own and the hub's domain by default", "hub", server.Options{JetStream: true, JetStreamDomain: "leaf", JsAccDefaultDomain: map[string]string{"$G": "hub"}}, true, true, true},
		{"JetStream of its own", "hub", server.Options{JetStream: true, JetStreamDomain: "leaf"}, true, false, true},
		{"empty default domain", "", server.Options{JsAccDefaultDomain: map[string]string{"$G": ""}}, true, true, false},
		{"nothing", "hub", server.Options{}, false, false, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := hub(t, tc.domain)
			tc.leaf.ServerName = "leaf"
			l := leaf(t, leafAddr(t, h), tc.leaf)
			home := join(t, h.ClientURL(), "home")
			away, err := tryJoin(t, l.ClientURL(), "away")
			if (err == nil) != tc.ready {
				t.Fatalf("ready: %v", err)
			}
			if err != nil {
				t.Log(err)
				return
			}
			_, here := home.Stream()
			_, there := away.Stream()
			if (here == there) != tc.one {
				t.Errorf("epochs %s and %s", here, there)
			}
			if answer := direct(t, l); (answer != "") != tc.direct {
				t.Errorf("direct get answers %q", answer)
			}
			t.Logf("home had %d resets, away %d", home.Status().Resets, away.Status().Resets)
		})
	}
}
