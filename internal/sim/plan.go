package sim

import "fmt"

// What a run is asked to do: the work of the fleet's users, and the trouble that comes over it.
const (
	workRead = iota
	workTokenRead
	workBypass
	workMany
	workWrite
	workRelay
	workWait
	workEvict
	works
)

// Troubles.
const (
	troubleWeather   = iota // loss, repetition and delay between one machine and the servers
	troubleCut              // its connection breaks
	troublePartition        // a leader is cut off, and machines with it
	troubleHeal             // the partition ends
	troubleLeader           // the stream has no leader for a while, and the old one died before it republished
	troubleCrash            // the server crashes and loses its tail
	troubleLag              // Direct Get is answered by a replica that lags
	troubleTruncate         // the head of the stream is no longer kept
	troublePurge
	troubleHole     // a message is deleted
	troubleRecreate // the stream is deleted, and somebody makes it again
	troubleStop     // SIGSTOP
	troubleSuspend  // of a machine
	troubleClock    // a wall clock steps
	troubleKill     // a process crashes and is started again
	troubleSquat    // ids of ticks to come are taken
	troubleForgeLost
	troubleForge // a message without the server's headers
	troubles
)

// item is one decision: to be left out or kept when a run is shrunk.
type item struct {
	at      int64
	trouble bool
	kind    int
	node    int
	seed    uint64
}

func (i item) String() string {
	what := [works]string{"read", "read with a token", "bypass", "read many", "write", "relay", "wait", "evict"}
	bad := [troubles]string{
		"weather", "cut", "partition", "heal", "leader change", "server crash", "lag", "truncate", "purge", "hole", "recreate",
		"stop", "suspend", "wall clock", "kill", "squat ticks", "forge lost", "forge",
	}
	name := what[i.kind%works]
	if i.trouble {
		name = bad[i.kind]
	}
	return fmt.Sprintf("%8d ms  node %d  %s", i.at/msec, i.node, name)
}

func draw(r *rnd, weights []int) int {
	sum := 0
	for _, w := range weights {
		sum += w
	}
	if sum == 0 {
		return -1
	}
	at := r.below(sum)
	for i, w := range weights {
		if at -= w; at < 0 {
			return i
		}
	}
	return -1
}

// newPlan draws the decisions of a run that is to have about so many steps.
func newPlan(seed uint64, c *climate, steps int) []item {
	r := rnd{mix(seed, 2)}
	var p []item
	// The first second is for starting; a few things go wrong even then.
	at, next := sec, sec+r.span(0, 2*c.quiet)
	for n := 0; n < steps/stepsAnItem; {
		at += r.span(0, 2*c.pace)
		for next < at {
			if k := draw(&r, c.trouble[:]); k >= 0 {
				p = append(p, item{next, true, k, r.below(c.nodes), r.u64()})
			}
			next += 1 + r.span(0, 2*c.quiet)
		}
		p = append(p, item{at, false, draw(&r, c.work[:]), r.below(c.nodes), r.u64()})
		n++
		if r.chance(10) { // a lull: leases are renewed by ticks alone, or not
			at += r.span(0, 2*c.staleness)
		}
	}
	c.horizon = at
	return p
}

// stepsAnItem is about how many steps one item of a plan takes, its share of the nodes' own life included.
const stepsAnItem = 25
