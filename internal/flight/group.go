package flight

import "sync"

// Ask is one caller's question, the same through all of its waits.
type Ask struct {
	Clock  uint64 // the fence's clock, noted after the end of the lease was loaded and before the time was read
	Leased bool   // the node could prove then that it is current
	Need   uint64 // 0: an ordinary read; else it bypasses, and shares only flights that offer as much
	Offer  uint64 // what the flight it leads is good for, where Need is not 0
	Parent *Load  // the load that asks; nil outside one
	Since  uint64 // [Graph.Begun] when the outermost read above it asked; 0 where it is the outermost itself

	asked  bool
	after  uint64        // ordinal of the last flight begun when it asked
	waited chan struct{} // of the flight it was last told to wait for
	waits  int           // for flights that have ended and were not good for it
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
	since   uint64     // all that goes into it began after the flight of this ordinal
	older   *Flight[R] // of the same key and lane, begun before it and not ended
	offer   uint64
	bypass  bool
	delayed bool // its load has not begun, and is born when it does
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
	graph  *Graph
	clock  func() uint64
	fenced func(k K, start uint64) bool

	mu      sync.Mutex             // guards what follows
	flights map[lane[K]]*Flight[R] // the latest of each lane
}

// NewGroup returns a Group whose flights are born by clock, which is the fence's. fenced reports whether a value of k that was born
// at start is invalid by what is known of every value of k: its key, its function, all. It is called under the Group's lock.
func NewGroup[K comparable, R any](graph *Graph, clock func() uint64, fenced func(k K, start uint64) bool) *Group[K, R] {
	return &Group[K, R]{graph: graph, clock: clock, fenced: fenced, flights: map[lane[K]]*Flight[R]{}}
}

// maxWaits bounds for how many flights that turn out not to be good for it a caller waits.
const maxWaits = 2

type aloneKey[K comparable] struct {
	group any
	key   K
}

// Enter says what the caller has to do about k. Lead and Alone return a flight that the caller must End. Its Load is load, or a
// new one where that is nil (a batch enters all its keys with one, and asks again with none). Share, Check and Queue return a
// flight to wait for. A caller waits for the flight's Load, also one it leads, until [Graph.Leave], however the waiting ended.
//
// A caller that asks again does so because the flight has ended and was not good for it, or because its patience has: it waits no
// more while there is room for one flight more.
func (g *Group[K, R]) Enter(k K, a *Ask, load *Load) (*Flight[R], Step) {
	g.mu.Lock()
	defer g.mu.Unlock()
	again := a.asked
	if !again {
		a.asked, a.after = true, g.graph.Begun()
	}
	if g.ancestor(k, a.Parent) {
		return nil, Cycle
	}
	at := lane[K]{k, a.Need > 0}
	latest := g.flights[at]
	f, step := g.step(k, latest, a, again)
	if step == Lead {
		f = g.begin(a, load)
		f.older = latest
		g.flights[at] = f
		return f, Lead
	}
	if step != Share && a.tired() || !g.graph.wait(a.Parent, f.Load) {
		return g.alone(k, a), Alone
	}
	a.waited = f.done
	return f, step
}

// tired counts a flight that the caller has waited for to its end, and reports whether these are too many.
func (a *Ask) tired() bool {
	select {
	case <-a.waited: // never where it is nil
		a.waits++
	default:
	}
	return a.waits >= maxWaits
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

// step decides: a flight that is good for the caller is shared; otherwise one more begins, where there is none, or there is one
// that can't be good for the caller; and what is beyond that waits for the latest.
func (g *Group[K, R]) step(k K, latest *Flight[R], a *Ask, again bool) (*Flight[R], Step) {
	if latest == nil {
		return nil, Lead
	}
	for f := latest; f != nil; f = f.older {
		if f.good(a) {
			return f, Share
		}
	}
	check := a.Leased && a.Need == 0 || a.Since > 0 && latest.since >= a.Since && latest.offers(a)
	useless := check && !latest.delayed && g.fenced(k, latest.Start) // and one that is older as well
	switch {
	case latest.older == nil && !latest.delayed && (again || useless):
		return nil, Lead
	case check && !useless:
		return latest, Check
	default:
		return latest, Queue
	}
}

// good reports whether the flight is good for the caller, whatever comes of it.
func (f *Flight[R]) good(a *Ask) bool {
	if a.Leased && a.Need == 0 {
		return f.Start >= a.Clock
	}
	since := a.after
	if a.Since > 0 {
		since = a.Since
	}
	return f.ordinal > a.after && f.since >= since && f.offers(a)
}

// Delay notes that the load of f has to wait before it begins. Nobody's patience ends meanwhile: one more would wait as well.
func (g *Group[K, R]) Delay(f *Flight[R]) {
	g.mu.Lock()
	defer g.mu.Unlock()
	f.delayed = true
}

// Began notes that the load of f begins only now, and is born now.
func (g *Group[K, R]) Began(f *Flight[R]) {
	g.mu.Lock()
	defer g.mu.Unlock()
	f.delayed, f.Start = false, g.clock()
}

// offers reports whether the flight bypasses for as much as the caller, if that does.
func (f *Flight[R]) offers(a *Ask) bool { return a.Need == 0 || f.offer >= a.Need }

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
	ordinal := g.graph.begun.Add(1)
	since := ordinal - 1
	if a.Since > 0 {
		since = a.Since // it may be made of what others below the same outermost read have loaded
	}
	*f = Flight[R]{
		Load: load, Start: g.clock(), ordinal: ordinal, since: since, offer: a.Offer, bypass: a.Need > 0, done: make(chan struct{}),
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
		if ordinary.loads(l) || bypass.loads(l) || l.alone == any(aloneKey[K]{g, k}) {
			return true
		}
	}
	return false
}

// loads reports whether l is the load of f or of one older.
func (f *Flight[R]) loads(l *Load) bool {
	for ; f != nil; f = f.older {
		if f.Load == l {
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
	g.remove(lane[K]{k, f.bypass}, f)
	f.result = r
	close(f.done)
	return true
}

// remove takes f out of its lane, if it stands there: one alone does not.
func (g *Group[K, R]) remove(at lane[K], f *Flight[R]) {
	switch latest := g.flights[at]; {
	case latest == nil:
	case latest.older == f:
		latest.older = nil
	case latest != f:
	case f.older != nil:
		g.flights[at] = f.older
	default:
		delete(g.flights, at)
	}
}

// Len is the number of flights under way.
func (g *Group[K, R]) Len() (n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, f := range g.flights {
		for ; f != nil; f = f.older {
			n++
		}
	}
	return n
}
