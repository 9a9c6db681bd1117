package flight_test

import (
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/lethe-cache/lethe/internal/flight"
)

// fault is one wrong turn of the library around the flights. Each must be found, else the world proves nothing.
type fault int

const (
	none fault = iota
	flightsJoinedUnchecked
	errorsOfOlderFlightsShared
	verdictOfTheFlightShared
	childrenHandOnNoLabels
	clockNotedBeforeTheLease
	joinsByClockWithoutALease
	bornAfterTheLoad
	tokensForgottenInLoaders
	keptValuesUnchecked
	keptValuesOfOlderScopes
	faults
)

// explore lets a world go its way for some steps, then lets everybody finish. Each world has its own habits: one is written to
// all the time, another hears nothing for long, a third has two keys only.
func explore(seed uint64, steps int, cyclic bool, f fault) (w *world) {
	w = newWorld(seed, cyclic, f)
	defer w.close()
	actions := []func(){func() { w.step() }, w.call, w.write, w.apply, w.ask, w.pass, w.giveUp, w.overrun, w.losePatience}
	weights := []int{150, 40, 12, 30, 30, 12, 3, 2, 6}
	total := 0
	for i := range weights {
		if i > 0 {
			weights[i] = weights[i] * []int{1, 3, 9}[w.rng.IntN(3)] / 3
		}
		total += weights[i]
	}
	for range steps {
		n, i := w.rng.IntN(total), 0
		for n >= weights[i] {
			n -= weights[i]
			i++
		}
		actions[i]()
		if w.broken != nil {
			return w
		}
	}
	w.drain()
	return w
}

// call starts a caller from outside: most read, some with a token, some bypass, some read many keys.
func (w *world) call() {
	if len(w.tasks) > 20 {
		return
	}
	k, need := w.rng.IntN(w.used), uint64(0)
	switch n := w.rng.IntN(10); {
	case n < 2 && len(w.log) > 0:
		need = uint64(1 + w.rng.IntN(len(w.log)))
	case n == 2:
		need = flight.All
	}
	if w.crossing && w.used > 1 && w.rng.IntN(4) == 0 {
		ks := w.rng.Perm(w.used)[:2]
		w.start(func(t *task) { w.getMany(t, ks, need, nil) })
		return
	}
	w.start(func(t *task) { w.get(t, k, need, nil) })
}

// worlds explores the same worlds each time, then some that nobody has seen.
func worlds(t *testing.T, n uint64, steps int, cyclic bool) {
	t.Helper()
	n /= share
	fresh := rand.Uint64()
	for i := range n {
		seed := i
		if i >= n*3/4 {
			seed = fresh + i
		}
		if w := explore(seed, steps, cyclic, none); w.broken != nil {
			t.Fatalf("world %d: %v", seed, w.broken)
		}
	}
}

func TestNoReadGetsWhatWasLoadedBeforeAnInvalidationItBeganAfter(t *testing.T) {
	t.Parallel()
	worlds(t, 4000, 400, false)
}

func TestLoadsNeverWaitForEachOtherInACircle(t *testing.T) {
	t.Parallel()
	worlds(t, 2000, 150, true)
}

func TestTheWorldServesFromItsCacheAndFromItsScopes(t *testing.T) {
	t.Parallel()
	hits, recalls := 0, 0
	for seed := range uint64(50) {
		w := explore(seed, 400, false, none)
		hits, recalls = hits+w.hits, recalls+w.recalls
	}
	if hits < 50 || recalls < 10 {
		t.Fatalf("%d hits and %d recalls in 50 worlds: they are hardly tried", hits, recalls)
	}
}

func TestTheWorldFindsEveryFault(t *testing.T) {
	t.Parallel()
	for f := none + 1; f < faults; f++ {
		found := false
		for seed := uint64(0); seed < 20_000 && !found; seed++ {
			w := explore(seed, 400, false, f)
			if found = w.broken != nil; found {
				t.Logf("fault %d: world %d: %v", f, seed, w.broken)
			}
			if errors.Is(w.broken, errDeadlock) {
				t.Errorf("fault %d: world %d: %v", f, seed, w.broken)
			}
		}
		if !found {
			t.Errorf("fault %d went unnoticed", f)
		}
	}
}
