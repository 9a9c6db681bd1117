package lethe_test

import (
	"runtime"
	"testing"
	"time"
	"weak"

	"github.com/nats-io/nats.go"

	"github.com/lethe-cache/lethe/pkg/embedded"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

// The memory of a node that is closed and that nobody has any more is free, however long a load might
// have taken.
func TestAClosedNodeIsNotKeptInMemory(t *testing.T) {
	t.Parallel()
	srv := must[*embedded.Server](t)(embedded.Start(within(t), embedded.Config{}))
	t.Cleanup(func() { _ = srv.Close() })
	nc := must[*nats.Conn](t)(srv.Connect())
	t.Cleanup(nc.Close)
	var left weak.Pointer[lethe.Node]
	func() {
		n := must[*lethe.Node](t)(lethe.Open(within(t), lethe.Config{Conn: nc, Fleet: "shop", MaxLoad: time.Hour}))
		if err := n.Ready(within(t)); err != nil {
			t.Fatal(err)
		}
		f := lethe.Memoize(n, "f", load[int, []byte])
		must[[]byte](t)(f.Get(t.Context(), 1))
		left = weak.Make(n)
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
	}()
	until(t, "the node is no longer in memory", func() bool { runtime.GC(); return left.Value() == nil })
}
