package flight

import "sync"

// Ask is one caller's question, the same through all of its waits.
type Ask struct {
	Clock  uint64 // the fence's clock, noted after the end of the lease was loaded and before the time was read
	Leased bool   // the node could prove then that it is current
	Need   uint64 // 0: an ordinary read; else it bypasses, and shares only flights that offer as much
	Offer  uint64 // what the flight it leads is good for, where Need is not 0
	Parent *Load  // the load that asks; nil outside one

	asked bool
	after uint64 // ordinal of the last flight begun when it asked
	waits int
}

// All is the Need and Offer of a read that bypasses for everything.
const All = ^uint64(0)

// Step is what a caller has to do.
type Step int

// The steps that [Group.Enter] answers with.
const (
	Lead  Step = iota // run the load and End the flight
	Share             // wait for the end; result or error is good
	Check             // wait for the end; a value is good if the caller's own check holds then, an error never
	Queue             // wait for the end, then ask again
	Alone             // run the load, for oneself; nobody waits for it
	Cycle             // the load asks for its own key
)

// Flight is a load of one key that callers wait for.
type Flight[R any] struct {
	Load  *Load
	Start uint64 // the fence's clock when it began: the birth of what it brings

	ordinal uint64
	offer   uint64
	bypass  bool
	done    chan struct{}
	result  R // written before done is closed
}

// Done is closed when the flight has ended.
func (f *Flight[R]) Done() <-chan struct{} { return f.done }

// Result is what the flight brought; only after Done.
func (f *Flight[R]) Result() R { return f.result }

type lane[K comparable] struct {
	key    K
	bypass bool
}

// Group is the flights of one function. All methods are safe for concurrent use.
type Group[K comparable, R any] struct {
	graph *Graph
	clock func() uint64

	mu      sync.Mutex // guards what follows
	flights map[lane[K]]*Flight[R]
	ordinal uint64
}

// NewGroup returns a Group whose flights are born by clock, which is the fence's.
func NewGroup[K comparable, R any](graph *Graph, clock func() uint64) *Group[K, R] {
	return &Group[K, R]{graph: graph, clock: clock, flights: map[lane[K]]*Flight[R]{}}
}

// maxWaits bounds how often a bypassing caller queues behind flights that offer less than it needs.
const maxWaits = 2

type aloneKey[K comparable] struct {
	group any
	key   K
}

// Enter says what the caller has to do about k. Lead and Alone return a flight that the caller must End. Its Load is load, or a
// new one where that is nil (a batch enters all its keys with one, and asks again with none). Share, Check and Queue return a
// flight to wait for. A caller waits for the flight's Load, also one it leads, until [Graph.Leave], however the waiting ended.
func (g *Group[K, R]) Enter(k K, a *Ask, load *Load) (*Flight[R], Step) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !a.asked {
		a.asked, a.after = true, g.ordinal
	}
	if g.ancestor(k, a.Parent) {
		return nil, Cycle
	}
	bypass := a.Need > 0
	f := g.flights[lane[K]{k, bypass}]
	if f == nil {
		f = g.begin(a, load)
		g.flights[lane[K]{k, bypass}] = f
		return f, Lead
	}
	step := g.step(f, a)
	if step == Queue {
		a.waits++
	}
	if bypass && a.waits > maxWaits || !g.graph.wait(a.Parent, f.Load) {
		return g.alone(k, a), Alone
	}
	return f, step
}

// Alone begins a flight that nobody can share, for a caller that the others have failed. The caller must End it.
func (g *Group[K, R]) Alone(k K, a *Ask) *Flight[R] {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.alone(k, a)
}

func (g *Group[K, R]) alone(k K, a *Ask) *Flight[R] {
	f := g.begin(a, nil)
	f.Load.alone = aloneKey[K]{g, k}
	return f
}

func (g *Group[K, R]) step(f *Flight[R], a *Ask) Step {
	begunAfter := f.ordinal > a.after
	switch {
	case a.Need > 0:
		if begunAfter && f.offer >= a.Need {
			return Share
		}
		return Queue
	case !a.Leased:
		if begunAfter {
			return Share
		}
		return Queue
	case f.Start >= a.Clock:
		return Share
	default:
		return Check
	}
}

// begin reads the clock under the group's lock: a flight begun after another has ended is born after whatever a caller noted
// before it saw that end.
func (g *Group[K, R]) begin(a *Ask, load *Load) *Flight[R] {
	var f *Flight[R]
	if load == nil {
		both := &struct { // one allocation
			flight Flight[R]
			load   Load
		}{load: Load{parent: a.Parent}}
		f, load = &both.flight, &both.load
		g.graph.wait(a.Parent, load)
	} else {
		f = new(Flight[R])
	}
	g.ordinal++
	*f = Flight[R]{
		Load: load, Start: g.clock(), ordinal: g.ordinal, offer: a.Offer, bypass: a.Need > 0, done: make(chan struct{}),
	}
	return f
}

// ancestor reports whether one of the loads that ask is a load of k.
func (g *Group[K, R]) ancestor(k K, l *Load) bool {
	if l == nil {
		return false
	}
	ordinary, bypass := g.flights[lane[K]{k, false}], g.flights[lane[K]{k, true}]
	for ; l != nil; l = l.parent {
		if ordinary != nil && ordinary.Load == l || bypass != nil && bypass.Load == l || l.alone == any(aloneKey[K]{g, k}) {
			return true
		}
	}
	return false
}

// End makes r the result of f and frees its key. Ending it twice does nothing and reports false: a load that overran its time
// brings nothing any more.
func (g *Group[K, R]) End(k K, f *Flight[R], r R) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-f.done:
		return false
	default:
	}
	at := lane[K]{k, f.bypass}
	if g.flights[at] == f {
		delete(g.flights, at)
	}
	f.result = r
	close(f.done)
	return true
}

// Len is the number of flights under way.
func (g *Group[K, R]) Len() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.flights)
}
