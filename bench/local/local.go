// Package local asks what a cache costs within one process: Lethe beside the caches that know nothing of other processes.
package local

import "github.com/lethe-cache/lethe/bench/internal/suite"

// Questions of this package. A groupcache can't be closed, so what asks about memory comes before what opens one.
func Questions() []suite.Question {
	return []suite.Question{hotHit(), bulkHit(), gcCost(), drop(), keyText(), miss()}
}
