package scale

import (
	"context"

	"github.com/lethe-cache/lethe/bench/internal/suite"
)

// Questions of this package.
func Questions() []suite.Question { return nil }

// Children are what this package runs as processes of their own, by name.
func Children() map[string]func(context.Context, []string) error { return nil }
