// Package scale asks how Lethe grows: with nodes, functions, entries and tags. There is nothing to compare it with but itself,
// smaller: the cases of a question are sizes.
package scale

import (
	"context"

	"github.com/lethe-cache/lethe/bench/internal/suite"
	"github.com/lethe-cache/lethe/bench/scale/proc"
)

// Questions of this package.
func Questions() []suite.Question {
	return []suite.Question{fanOut(), functions(), entries(), tags()}
}

// Children are what this package runs as processes of their own, by name.
func Children() map[string]func(context.Context, []string) error {
	return map[string]func(context.Context, []string) error{
		proc.ServerName: proc.Server,
		crowdName:       runCrowd,
	}
}

const rounds = 5

// one is a case's only contender.
func one(run func(context.Context) (suite.Sample, error)) []suite.Contender {
	return []suite.Contender{{Name: "lethe", Run: run}}
}
