// Package suite puts contenders side by side: the same work, on the same machine, in the same minute, in rounds that alternate.
// What it reports are medians with their range, and ratios of one round, of which it takes the median as well: a shared machine
// is never the same twice, and two figures of one round have seen the same machine.
package suite

import (
	"context"
	"errors"
	"slices"
)

// Question is one table and one chart.
type Question struct {
	ID     string // names files and benchmarks: letters, digits and dashes
	Title  string
	About  string // what is measured, and how; one paragraph of Markdown
	Unit   string // of the figure that the table, the chart and the bars are about; one that every Sample has
	Higher bool   // more is better
	Bars   []Bar
	Cases  []Case
	Rounds int  // at most; 0 = as many as the suite's
	Redis  bool // Env.Redis is needed
}

// Bar is a ratio that is to be reached in every case, or in the one named.
type Bar struct {
	Of, To string  // contenders; To empty: Bound is a figure in the question's unit, not a ratio
	Bound  float64 // at most; of a Question with Higher at least
	Case   string
	Unit   string // another one of the samples; empty = the question's
}

// Case is one setting in which contenders meet. Open prepares them, with everything they need for any number of rounds.
type Case struct {
	Name string
	Open func(context.Context, *Env) ([]Contender, error)
	Full bool // left out of a quick run
}

// Contender runs one round: at most some hundred milliseconds of work, or Env.Quick less of it.
type Contender struct {
	Name string
	Run  func(context.Context) (Sample, error)
}

// Sample is what one round found, by unit.
type Sample map[string]float64

// Env is what a Case can count on.
type Env struct {
	Quick bool
	Redis string // address of a real server, where the Question needs one

	closers []func() error
}

// Defer runs fn when the case is done, last in, first out.
func (e *Env) Defer(fn func() error) { e.closers = append(e.closers, fn) }

func (e *Env) close() error {
	var errs []error
	for _, fn := range slices.Backward(e.closers) {
		errs = append(errs, fn())
	}
	e.closers = nil
	return errors.Join(errs...)
}

// Pick is full, or quick in a quick run.
func Pick[T any](e *Env, full, quick T) T {
	if e.Quick {
		return quick
	}
	return full
}
