package bus_test

import (
	"context"
	"testing"
	"time"

	"github.com/lethe-cache/lethe/internal/bus"
	"github.com/lethe-cache/lethe/pkg/event"
)

// What was stored is handed out although the server dies that leads the consumer, and nobody is told of a loss: there was none.
func TestADurableGoesOnWhenTheServerDiesThatLeadsIt(t *testing.T) {
	t.Parallel()
	servers := clustered(t, 3)
	a, b := open(t, dial(t, servers[0].ClientURL())), open(t, dial(t, servers[1].ClientURL()))
	ready(t, a, b)
	first, second := durable(a, "tags a", "all", "tag.a"), durable(b, "tags a", "all", "tag.a")
	got, other := take(t, first), take(t, second)
	attached(t, first)
	attached(t, second)
	missing := map[string]bool{}
	say := func(name string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		for _, err := a.Invalidate(ctx, []event.Target{event.Tag(name)}); err != nil; _, err = a.Invalidate(ctx, []event.Target{event.Tag(name)}) {
			if ctx.Err() != nil {
				t.Fatal(err)
			}
		}
		missing[name] = true
	}
	heard := func() {
		t.Helper()
		deadline := time.After(patience)
		for len(missing) > 0 {
			var name string
			select {
			case name = <-got.names:
			case name = <-other.names:
			case <-deadline:
				t.Fatalf("not handed out: %v", missing)
			}
			if len(name) > 5 && name[:5] == "reset" {
				t.Fatalf("%q: nothing was lost", name)
			}
			delete(missing, name)
		}
	}
	for i := range 10 {
		say("a:before-" + tag(i)[5:])
	}
	heard()
	leader := keeper(t, a.nc, bus.ConsumerName("r"))
	for _, s := range servers {
		if s.Name() == leader {
			s.Shutdown()
			s.WaitForShutdown()
		}
	}
	for i := range 10 {
		say("a:after-" + tag(i)[5:])
	}
	heard()
}
