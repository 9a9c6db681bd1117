package flight_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync/atomic"

	"github.com/lethe-cache/lethe/internal/depend"
	"github.com/lethe-cache/lethe/internal/fence"
	"github.com/lethe-cache/lethe/internal/flight"
)

const (
	keys         = 5
	maxStaleness = 10
	ttl          = 30
	maxTTL       = 40
)

// versions says how much of each key's history is known: of key k its first versions[k] writes.
type versions [keys]int

func (v versions) max(o versions) versions {
	for k := range v {
		v[k] = max(v[k], o[k])
	}
	return v
}

// world is a source of truth, a stream of its changes, and one node that caches, applies them late and may lose its lease.
// Everything happens in steps of one goroutine, in an order the seed decides.
type world struct {
	rng      *rand.Rand
	fault    fault
	crossing bool // loads may wait for each other in a circle: keys that read each other, or batches
	used     int  // keys that are written and asked for from outside
	overran  bool // a flight ended before its load

	now    int64
	lease  atomic.Int64
	gate   fence.Gate
	graph  flight.Graph
	groups [2]*flight.Group[int, *outcome] // key k is k/2 of group k%2: two groups know the same key
	cache  map[int]*cached
	reads  [keys][]int // which keys the load of a key reads

	truth   versions
	log     []versions // the truth after each event of the stream
	written []int      // the key of each event
	stored  []int64    // when each was stored
	cursor  int        // events applied in order
	forgot  versions   // what has been applied, in order or ahead
	probe   *probe

	tasks   []*task
	loads   []*flight.Load
	flights []flown
	broken  error
	hits    int
	recalls int
}

type probe struct {
	asked int64
	last  int
}

type cached struct {
	life   fence.Life
	memo   fence.Memo
	labels []depend.Label
	value  known
}

// flown is a flight that was led.
type flown struct {
	key           int
	flight        *flight.Flight[*outcome]
	bypass, alone bool
}

// known is what a value was made from: for each key that went into it, the writes it has seen.
type known map[int]int

func (v known) merge(o known) {
	for k, n := range o {
		if have, ok := v[k]; ok {
			n = min(n, have)
		}
		v[k] = n
	}
}

// outcome is what a load brought. An error has a history too: it may not be older than a value may be.
type outcome struct {
	value  known
	loaded bool // a loader ran for it
	own    int  // writes of its own key that the loader saw; its value may know fewer, by what it read from the cache
	err    error
	life   fence.Life
	labels []depend.Label
	valid  bool // the flight's own verdict at its end, which nobody else may use
}

// newWorld is a world whose keys read others, in a circle where cyclic.
func newWorld(seed uint64, cyclic bool, f fault) *world {
	w := &world{rng: rand.New(rand.NewPCG(seed, 2)), fault: f, cache: map[int]*cached{}}
	w.gate = fence.Gate{
		Fence: fence.New(fence.Config{Slots: 1 << w.rng.IntN(6), Rotate: maxTTL + 1, MaxLabels: 1 << (2 + w.rng.IntN(10))}, 0),
		Lease: &w.lease,
		Now:   func() int64 { return w.now },
	}
	w.used = 1 + w.rng.IntN(keys)
	w.crossing = cyclic || w.rng.IntN(2) == 0
	for i := range w.groups {
		w.groups[i] = flight.NewGroup[int, *outcome](&w.graph, w.gate.Clock, func(key int, start uint64) bool { return w.fenced(2*key+i, start) })
	}
	w.lease.Store(maxStaleness)
	for k := range keys {
		for _, c := range w.rng.Perm(keys) {
			if (c < k || cyclic) && len(w.reads[k]) < 2 && w.rng.IntN(2) == 0 {
				w.reads[k] = append(w.reads[k], c)
			}
		}
	}
	return w
}

func (w *world) group(k int) (g *flight.Group[int, *outcome], key int) { return w.groups[k%2], k / 2 }

// fenced reports whether no value of k that was born at start is valid any more.
func (w *world) fenced(k int, start uint64) bool {
	return w.gate.Check(start, depend.Key("f", strconv.Itoa(k)).Hash, depend.All().Hash) != fence.Fresh
}

// lane are the flights of k that can be shared.
func (w *world) lane(k int, bypass bool) (fs []flown) {
	for _, f := range w.flights {
		if f.key == k && f.bypass == bypass && !f.alone {
			fs = append(fs, f)
		}
	}
	return fs
}

func (w *world) fail(format string, args ...any) {
	if w.broken == nil {
		w.broken = fmt.Errorf(format, args...)
	}
}

// write commits a change; its event is in the stream at once, and on this node later.
func (w *world) write() {
	k := w.rng.IntN(w.used)
	w.truth[k]++
	w.written = append(w.written, k)
	w.log = append(w.log, w.truth)
	w.stored = append(w.stored, w.now)
}

// forget applies event i.
func (w *world) forget(i int) {
	k := w.written[i]
	l := depend.Key("f", strconv.Itoa(k))
	w.gate.Invalidate(w.now, w.rng.IntN(4) == 0, l.Hash, l.Any, depend.GlobalAny())
	w.forgot[k] = max(w.forgot[k], w.log[i][k])
}

// apply takes the next event, or one that overtook others, and renews the lease when the cursor has reached a probe's answer.
func (w *world) apply() {
	if w.cursor == len(w.log) {
		return
	}
	if w.rng.IntN(4) == 0 {
		w.forget(w.cursor + w.rng.IntN(len(w.log)-w.cursor))
		return
	}
	w.forget(w.cursor)
	w.cursor++
	w.renew()
}

func (w *world) ask() {
	w.probe = &probe{w.now, len(w.log)}
	w.renew()
}

func (w *world) renew() {
	if w.probe != nil && w.cursor >= w.probe.last {
		w.lease.Store(max(w.lease.Load(), w.probe.asked+maxStaleness))
		w.probe = nil
	}
}

// bound is what a read that begins now must know at least: what was applied, what is older than the bound, what its token says,
// and all there is when it bypasses for everything.
func (w *world) bound(need uint64) versions {
	v := w.forgot
	old, _ := slices.BinarySearch(w.stored, w.now-maxStaleness+1)
	for _, n := range []uint64{uint64(old), need} {
		if n = min(n, uint64(len(w.log))); n > 0 {
			v = v.max(w.log[n-1])
		}
	}
	return v
}

// overrun ends a flight at MaxLoad; its loader goes on.
func (w *world) overrun() {
	if len(w.flights) == 0 {
		return
	}
	w.overran = true
	f := w.flights[w.rng.IntN(len(w.flights))]
	w.end(f.key, f.flight, &outcome{value: known{}, err: errOverrun})
}

func (w *world) end(k int, f *flight.Flight[*outcome], o *outcome) bool {
	g, key := w.group(k)
	i := slices.IndexFunc(w.flights, func(have flown) bool { return have.flight == f })
	ended := g.End(key, f, o)
	if ended != (i >= 0) {
		w.fail("ending a flight said %v, though it had ended: %v", ended, i < 0)
	}
	if i >= 0 {
		w.flights = slices.Delete(w.flights, i, i+1)
	}
	return ended
}

func (w *world) pass() { w.now += int64(1 + w.rng.IntN(4)) }
