package access

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/lethe-cache/lethe/cmd/internal/ctl"
	"github.com/lethe-cache/lethe/pkg/event"
	"github.com/lethe-cache/lethe/pkg/lethe"
)

const (
	price event.Name[string] = "catalog.price"
	total event.Name[string] = "billing.total"
)

// peer is a node of the fleet that remembers prices, which are tagged with a user, and totals.
type peer struct {
	*lethe.Node
	t            *testing.T
	price, total *lethe.Func[string, string]
	loads        atomic.Int64
}

func join(t *testing.T, c *conn, cfg lethe.Config) *peer {
	t.Helper()
	cfg.Conn, cfg.Fleet = c.Conn, "shop"
	n, err := lethe.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() })
	p := &peer{Node: n, t: t}
	if cfg.PublishOnly {
		return p
	}
	load := func(ctx context.Context, k string) (string, error) {
		lethe.AddTags(ctx, "user:"+k)
		return fmt.Sprint(p.loads.Add(1)), nil
	}
	p.price, p.total = lethe.Memoize(n, price, load), lethe.Memoize(n, total, load)
	stop, err := ctl.Serve(c.Conn, n)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stop() })
	return p
}

// ready waits until the node serves.
func (p *peer) ready() *peer {
	p.t.Helper()
	if err := p.Ready(within(p.t, patience)); err != nil {
		p.t.Fatal(err)
	}
	return p
}

// fill remembers a price and a total.
func (p *peer) fill() {
	p.t.Helper()
	p.read(p.price)
	p.read(p.total)
}

func (p *peer) read(f *lethe.Func[string, string]) lethe.Outcome {
	p.t.Helper()
	got, err := f.Lookup(within(p.t, patience), "42")
	if err != nil {
		p.t.Fatal(err)
	}
	return got.Cache
}

// leased is read, again where the node had no lease just then: a busy machine may let it lapse.
func (p *peer) leased(f *lethe.Func[string, string]) (got lethe.Outcome) {
	p.t.Helper()
	until(p.t, "the node has a lease", func() bool {
		got = p.read(f)
		return got != lethe.Bypassed
	})
	return got
}

// keeps requires that the entry is still there.
func (p *peer) keeps(what string, f *lethe.Func[string, string]) {
	p.t.Helper()
	if got := p.leased(f); got != lethe.Hit {
		p.t.Errorf("%s: %v, want a hit", what, got)
	}
}

// lost requires that it is gone once token was applied.
func (p *peer) lost(what string, token event.Token, f *lethe.Func[string, string]) {
	p.t.Helper()
	if err := p.Wait(within(p.t, patience), token); err != nil {
		p.t.Fatal(err)
	}
	if got := p.leased(f); got != lethe.Miss {
		p.t.Errorf("%s: %v, want a miss", what, got)
	}
}

// say invalidates and returns the token.
func (p *peer) say(targets ...event.Target) event.Token {
	p.t.Helper()
	token, err := p.Invalidate(within(p.t, patience), targets...)
	if err != nil {
		p.t.Fatal(err)
	}
	return token
}
