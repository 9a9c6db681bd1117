package local

import "github.com/lethe-cache/lethe/bench/internal/suite"

// Questions of this package.
func Questions() []suite.Question { return nil }
