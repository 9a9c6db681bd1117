// Command simulate runs simulated fleets, seed after seed, and holds each against the promises of the design.
//
//	simulate -seeds 1000 -from 1            a thousand of them
//	simulate -seed 42 -v                    one, with all that happens in it
//	simulate -seed 42 -shrink               the fewest decisions that still break the promise it broke
//
// It prints how fast it was and what happened, so that nobody takes a calm sea for a proof. Exit code 1: a promise was broken;
// its seed is printed, and the same seed does the same again.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/lethe-cache/lethe/internal/sim"
)

type options struct {
	seeds, from, one      uint64
	steps, runs           int
	verbose, shrink, stop bool
}

func main() {
	var o options
	flag.Uint64Var(&o.seeds, "seeds", 1000, "how many seeds")
	flag.Uint64Var(&o.from, "from", 1, "the first of them")
	flag.Uint64Var(&o.one, "seed", 0, "only this seed")
	flag.IntVar(&o.steps, "steps", 20_000, "about how many steps a seed")
	flag.BoolVar(&o.verbose, "v", false, "write down what happens")
	flag.BoolVar(&o.shrink, "shrink", false, "look for the fewest decisions that break the same promise, and write down what happens then")
	flag.IntVar(&o.runs, "runs", 3000, "at most so many runs to shrink one seed")
	flag.BoolVar(&o.stop, "stop", false, "end with the first seed that breaks a promise")
	flag.Parse()
	if !o.run(os.Stdout) {
		os.Exit(1)
	}
}

func (o options) run(out io.Writer) bool {
	s := sim.New()
	first, last := o.from, o.from+o.seeds
	if o.one != 0 {
		first, last = o.one, o.one+1
	}
	var sum sim.Counts
	var virtual time.Duration
	steps, broken := 0, 0
	start, told := time.Now(), time.Now()
	for seed := first; seed < last; seed++ {
		so := sim.Options{Steps: o.steps}
		if o.verbose {
			so.Trace = out
		}
		r := s.Run(seed, so)
		steps += r.Steps
		virtual += r.Virtual
		sum.Add(&r.Counts)
		if time.Since(told) > time.Minute {
			told = time.Now()
			fmt.Fprintf(out, "%s: seed %d, %d steps, %d broken\n", time.Since(start).Round(time.Second), seed, steps, broken)
		}
		if r.Violation == nil {
			continue
		}
		broken++
		fmt.Fprintf(out, "seed %d (%d decisions): %v\n", seed, r.Decisions, r.Violation)
		if o.shrink {
			shrink(out, s, seed, o)
		}
		if o.stop {
			break
		}
	}
	d := time.Since(start)
	fmt.Fprintf(out, "seeds %d to %d: %d steps in %v (%.0f a second), %v in the world, %d seeds broke a promise\n%s",
		first, last-1, steps, d.Round(time.Millisecond), float64(steps)/d.Seconds(), virtual.Round(time.Second), broken, &sum)
	return broken == 0
}

func shrink(out io.Writer, s *sim.Simulator, seed uint64, o options) {
	p, r := s.Shrink(seed, sim.Options{Steps: o.steps}, o.runs)
	fmt.Fprintf(out, "shrunk to %d decisions: %v\n%s\n", p.Len(), r.Violation, p)
	s.Replay(p, sim.Options{Trace: out})
}
