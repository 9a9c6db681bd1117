package lethe

import (
	"context"
	"sync"

	"github.com/lethe-cache/lethe/internal/depend"
	"github.com/lethe-cache/lethe/internal/flight"
)

// maxKept bounds how many values the reads below one outermost read share. What is beyond is loaded for each of them.
const maxKept = 1024

// readTree is what the loads below one outermost read share where the cache keeps nothing: without a lease, and where reads bypass. All
// of it began to load after the outermost read asked, so it is good for that read; and each read that takes it checks the fences,
// since it begins later. It lasts as long as the outermost load.
type readTree struct {
	n     *Node
	since uint64 // flight.Graph.Begun when the outermost read asked

	mu   sync.Mutex // guards what follows
	over bool
	kept map[string]any // *outcome[V] by text
}

// begin makes t the tree of an outermost read that asks now.
func (t *readTree) begin(n *Node) *readTree {
	t.n, t.since = n, n.graph.Begun()
	return t
}

// end lets go of what is kept. A loader may have left its context to somebody.
func (t *readTree) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over, t.kept = true, nil
}

func (t *readTree) find(text string) any {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.kept[text]
}

func (t *readTree) keep(text string, outcome any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over || len(t.kept) >= maxKept && t.kept[text] == nil {
		return
	}
	if t.kept == nil {
		t.kept = map[string]any{}
	}
	t.kept[text] = outcome
}

// belowOne has reads made with the context share what one outermost read's would, where they can't rely on the cache.
func (c *core[K, V]) belowOne(ctx context.Context) (_ context.Context, end func()) {
	rd := c.reading(depend.From(ctx))
	if _, leased := c.n.gate.Ask(); rd.tree != nil || leased && !rd.bypass && rd.token.IsZero() {
		return ctx, func() {}
	}
	tree := new(readTree).begin(c.n)
	return derive(ctx, func(r *reading) { r.tree = tree }), tree.end
}

// trusted reports whether the caller can rely on the cache.
func trusted(ask *flight.Ask) bool { return ask.Leased && ask.Need == 0 }

// recall returns what another read below the same outermost one has brought for a key, if it is good for this one.
func (c *core[K, V]) recall(rd *reading, ask *flight.Ask, text string) *outcome[V] {
	if rd.tree == nil || trusted(ask) {
		return nil
	}
	o, ok := rd.tree.find(text).(*outcome[V])
	if !ok || !c.n.gate.Recent(&o.fence) {
		return nil
	}
	return o
}

// keepBelow lets other reads below the same outermost one have what this one has got.
func (c *core[K, V]) keepBelow(rd *reading, ask *flight.Ask, text string, o *outcome[V]) {
	if rd.tree != nil && !trusted(ask) && o.keepable {
		rd.tree.keep(text, o)
	}
}

// good is the check that a caller makes itself of a flight which has ended and had begun before the caller asked. Without a lease
// only flights begun after the outermost read are checked.
func (c *core[K, V]) good(ask *flight.Ask, o *outcome[V]) bool {
	switch {
	case o.err != nil:
		return false
	case trusted(ask):
		return c.n.gate.Valid(&o.fence)
	default:
		return c.n.gate.Recent(&o.fence)
	}
}
