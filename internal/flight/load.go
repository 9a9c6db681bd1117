package flight

import (
	"sync"
	"sync/atomic"
)

// Graph is which loads wait for which, over all groups of a node. The zero Graph is ready.
type Graph struct {
	begun atomic.Uint64 // flights; the ordinal of each

	mu sync.Mutex // guards the waits of all loads
}

// Begun is the number of flights begun, over all groups.
func (g *Graph) Begun() uint64 { return g.begun.Load() }

// Load is one run of a loader, of one key, several (a batch), or none known beforehand (a fill).
type Load struct {
	parent *Load         // whose loader asked for it
	alone  any           // identity of the key where it runs beside the group
	waits  map[*Load]int // edges to the loads it waits for, guarded by Graph.mu
}

// Begin returns a load that parent's loader waits for until it calls [Graph.Leave]; nil is nobody's.
func (g *Graph) Begin(parent *Load) *Load {
	l := &Load{parent: parent}
	g.wait(parent, l)
	return l
}

// Leave ends one waiting of parent's loader for l.
func (g *Graph) Leave(parent, l *Load) {
	if parent == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	parent.waits[l]--
	if parent.waits[l] <= 0 {
		delete(parent.waits, l)
	}
}

// wait adds the edge from -> to, unless it closes a cycle.
func (g *Graph) wait(from, to *Load) bool {
	if from == nil {
		return true
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if from == to || g.reaches(to, from, map[*Load]bool{}) {
		return false
	}
	if from.waits == nil {
		from.waits = map[*Load]int{}
	}
	from.waits[to]++
	return true
}

func (g *Graph) reaches(from, to *Load, seen map[*Load]bool) bool {
	for next := range from.waits {
		if next == to {
			return true
		}
		if !seen[next] {
			seen[next] = true
			if g.reaches(next, to, seen) {
				return true
			}
		}
	}
	return false
}
