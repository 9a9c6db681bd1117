// Package fence decides whether what was loaded may still be served.
//
// A node has one logical clock. An entry notes it before its load begins (its birth) and carries the hashes of its labels; an
// invalidation raises the fence of a label to the next tick of the clock. An entry is valid while no fence of its labels is
// above its birth. A load in flight when an invalidation is applied was born before it, so its result is invalid the moment it
// is stored: loads and invalidations need no lock between them, and a tag with a million entries costs what a key costs.
//
//	birth      := clock                                       before the loader runs
//	invalidate := t := clock+1; fence[l] = t for each label; clock = t
//	valid(e)   := for every label l of e: fence[l] <= e.birth
//
// Within an invalidation the fences come first and the clock last: who saw the old clock may return the old value, since it
// began before. With the clock first a reader could remember "valid at t" before the fence of t stood.
//
// Fences are exact: a table of atomic maxima indexed by hash answers most checks (slot <= birth: valid); only otherwise the
// exact map is asked, two generations behind one atomic pointer. A generation is closed after Config.Rotate, when everything
// born before its stamps has reached its end of life by the time it is dropped, or early, at Config.MaxLabels; one dropped
// early raises the floor, the fence of every label found in neither generation.
//
// A soft stamp asks for a reload but lets the old value be served meanwhile; freshness needs both stamps at or below the
// birth, a stale serve only the hard one.
//
// The package is a pure state machine: it has no goroutine, and time is an argument.
package fence
