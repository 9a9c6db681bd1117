package lethe_test

import (
	"testing"

	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
	"github.com/lethe-cache/lethe/pkg/lethe/lethetest"
)

func TestANodeTellsWhichStreamItIsOn(t *testing.T) {
	t.Parallel()
	n := lethetest.Fleet(t, 1)[0]
	tok := must[event.Token](t)(n.Invalidate(t.Context(), event.Tag("a:b")))
	if fleet, epoch := n.Stream(); fleet != tok.Fleet() || epoch != tok.Epoch() || epoch == "" {
		t.Fatalf("stream %q %q, token %s", fleet, epoch, tok)
	}
	away := must[*lethe.Node](t)(lethe.Open(t.Context(), lethe.Config{URL: "nats://127.0.0.1:1", Fleet: "shop", PublishOnly: true}))
	defer func() { _ = away.Close() }()
	if fleet, epoch := away.Stream(); fleet != "shop" || epoch != "" {
		t.Fatalf("stream %q %q of a node that has never reached one", fleet, epoch)
	}
}
